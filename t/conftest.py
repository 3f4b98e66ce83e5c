"""Fixtures of the black-box tests. t/run says by environment what is tested:

KCAUTH_MODULE     path of mod_kcauth.so
KCAUTH_MPM        event (default), worker or prefork
KCAUTH_SANITIZED  1 when the module is built with the sanitizers
KCAUTH_COUNT      a file to leave the numbers of passed, failed and skipped tests in
"""

import os
import pathlib
import tempfile

import pytest

from support.client import Client
from support.httpd import Httpd
from support.net import Authority
from support.provider import Provider
from support.site import PAGES, make_httpd, module_path, settings
from support.wait import until


@pytest.fixture(scope="session", autouse=True)
def _module():
    """Without the module nothing can be tested: a failure, not a skip."""
    if module_path() is None:
        pytest.exit("KCAUTH_MODULE does not name a file: start the tests by t/run", 2)


@pytest.fixture(scope="session")
def authority():
    with tempfile.TemporaryDirectory(prefix="kcauth-ca-") as folder:
        path = pathlib.Path(folder)
        path.chmod(0o755)
        yield Authority(path)


@pytest.fixture(scope="session")
def shared_provider():
    provider = Provider().start()
    yield provider
    provider.stop()


@pytest.fixture(scope="session")
def shared_httpd(shared_provider):
    httpd = make_httpd(settings(shared_provider) + PAGES).start()
    ready(httpd)
    yield httpd
    httpd.stop()


@pytest.fixture
def provider(shared_provider):
    """The provider of the shared server, honest and with an empty memory."""
    shared_provider.reset()
    yield shared_provider
    shared_provider.reset()


@pytest.fixture
def httpd(shared_httpd, provider):
    """A server with the pages of support.site, shared by all tests: never reconfigure it."""
    shared_httpd.log.mark()
    return shared_httpd


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def new_provider():
    """Makes providers that the test has to itself."""
    made = []

    def make(**options):
        made.append(Provider(**options).start())
        return made[-1]

    yield make
    for provider in made:
        provider.stop()


@pytest.fixture
def new_httpd():
    """Makes and starts servers: new_httpd(config), or new_httpd(provider=p, KCAuthTimeout=1)."""
    made = []

    def make(config=PAGES, *, provider=None, wait=True, options=None, **directives):
        if provider:
            config = settings(provider, **directives) + config
        httpd = make_httpd(config, **(options or {}))
        made.append(httpd)
        httpd.start()
        if provider and wait:
            ready(httpd)
        httpd.log.mark()
        return httpd

    yield make
    for httpd in made:
        httpd.stop()


def ready(httpd):
    """Waits until the metadata is there: a login leads to the provider."""
    login = httpd.url("/oauth/login")
    until(lambda: Client().get(login, follow=False).status == 302, "the metadata")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the servers said."""
    report = yield
    if report.failed:
        for server in Httpd.live:
            report.sections.append(("error_log", server.log.tail()))
    return report


def pytest_terminal_summary(terminalreporter):
    """Tells t/run what to add to its sum. Not called in xdist's workers."""
    count = {outcome: len(terminalreporter.stats.get(outcome, ()))
             for outcome in ("passed", "failed", "error", "skipped")}
    if "KCAUTH_COUNT" in os.environ:
        pathlib.Path(os.environ["KCAUTH_COUNT"]).write_text(
            f'{count["passed"]} {count["failed"] + count["error"]} {count["skipped"]}\n')
