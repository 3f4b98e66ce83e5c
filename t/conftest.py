"""Fixtures of the black-box tests. t/run says by environment what is tested:

KCAUTH_MODULE     path of mod_kcauth.so
KCAUTH_MPM        event (default), worker or prefork
KCAUTH_SESSION    signed (default), encrypted or server: how sessions are kept
KCAUTH_STORE      redis or memcache, where server is to keep them there
KCAUTH_SANITIZED  address or thread, when the module is built with that sanitizer
KCAUTH_KEYCLOAK   a folder for one Keycloak that all tests share (else each process starts its own)
KCAUTH_COUNT      a file to leave the numbers of passed, failed and skipped tests in
"""

import collections
import os
import pathlib
import tempfile

import pytest

from support.client import Client, Jar
from support.clock import Clock
from support.expect import no_secrets
from support.httpd import Httpd
from support.net import Authority
from support.provider import Provider
from support.site import PAGES, make_httpd, module_path, settings
from support.stores import Memcached, Redis
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
    Jar.ever.clear()
    yield shared_httpd
    no_secrets(shared_httpd.log.text(), provider.secrets | Jar.ever)


@pytest.fixture
def client():
    return Client()


@pytest.fixture
def new_provider():
    """Makes providers that the test has to itself."""
    yield from _providers()


@pytest.fixture(scope="module")
def lasting_provider():
    """The same, for all tests of a file."""
    yield from _providers()


def _providers():
    made = []

    def make(**options):
        made.append(Provider(**options).start())
        return made[-1]

    yield make
    for provider in made:
        provider.stop()


@pytest.fixture
def new_httpd():
    """Makes and starts servers: new_httpd(config), or new_httpd(provider=p, KCAuthTimeout=1). With
    clock=c they go by that clock."""
    yield from _servers()


@pytest.fixture(scope="module")
def lasting_httpd():
    """The same, for all tests of a file."""
    yield from _servers()


def _servers():
    made = []

    def make(config=PAGES, *, provider=None, wait=True, options=None, clock=None, **directives):
        if provider:
            config = settings(provider, **directives) + config
        httpd = make_httpd(config, env=clock.environment if clock else {}, **(options or {}))
        made.append((httpd, provider))
        httpd.start()
        if provider and wait:
            ready(httpd, path=directives.get("KCAuthPath", "/oauth") + "/login")
        httpd.log.mark()
        return httpd

    yield make
    for httpd, provider in made:
        said = httpd.log.everything()
        httpd.stop()
        if provider:
            no_secrets(said, provider.secrets | Jar.ever)


# Where the MPM or the sanitizers are what is tested, one or two ways of keeping sessions do.
KINDS = ["signed", "encrypted", "server"]
if os.environ.get("KCAUTH_SANITIZED"):
    KINDS = ["encrypted", "server"]
elif "KCAUTH_SESSION" in os.environ:
    KINDS = [os.environ["KCAUTH_SESSION"]]


@pytest.fixture(params=KINDS, scope="session")
def kind(request):
    """Each way of keeping sessions, for KCAuthSession."""
    return request.param


@pytest.fixture
def clock():
    """What new_httpd takes."""
    clock = Clock()
    yield clock
    clock.remove()


@pytest.fixture
def new_site(new_httpd, new_provider, kind, clock):
    """Makes (httpd, provider) with each way of keeping sessions; httpd goes by the test's clock."""
    def make(config=PAGES, *, kinds=("ES256",), **directives):
        provider = new_provider(kinds=list(kinds))
        directives = {"KCAuthSession": kind, **directives}
        return new_httpd(config, provider=provider, clock=clock, **directives), provider

    return make


@pytest.fixture
def redis():
    server = Redis().start()
    yield server
    server.stop()


@pytest.fixture(params=[Redis, Memcached], ids=["redis", "memcached"])
def store(request):
    """A server of each kind for KCAuthSessionStore."""
    server = request.param().start()
    yield server
    server.stop()


@pytest.fixture
def new_tls_site(new_httpd, new_provider, authority):
    """Makes (httpd, client): the site on https, and a client that trusts it."""
    def make(config=PAGES, **directives):
        provider = new_provider(kinds=["ES256"])
        certificate, key = authority.certificate("localhost")
        httpd = new_httpd(TLS % (settings(provider, **directives) + config), wait=False,
                          options={"modules": ["ssl"], "define": {"CERT": certificate, "KEY": key}})
        httpd.provider = provider
        client = Client(authority.ca_file)
        ready(httpd, client, scheme="https")
        return httpd, client

    return make


TLS = """
<VirtualHost 127.0.0.1:${PORT}>
    ServerName localhost
    SSLEngine on
    SSLCertificateFile "${CERT}"
    SSLCertificateKeyFile "${KEY}"
    %s
</VirtualHost>
"""


def ready(httpd, client=None, path="/oauth/login", scheme="http"):
    """Waits until the metadata is there: a login leads to the provider."""
    login = httpd.url(path, scheme=scheme)
    client = client or Client()
    until(lambda: client.request("GET", login, cookies=False).status == 302, "the metadata")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows what the servers said."""
    report = yield
    if report.failed:
        for server in Httpd.live:
            report.sections.append(("error_log", server.log.tail()))
    return report


_left_out = {}  # test -> why


def pytest_collection_modifyitems(config, items):
    """What a run leaves out, and says so: with Redis and memcached what chooses its own way of
    keeping sessions, with sessions on the server what is about cookies, and with those stores what
    moves the clock."""
    session = os.environ.get("KCAUTH_SESSION", "signed")
    for item in list(items):
        mark = item.get_closest_marker("in_cookies")
        if "KCAUTH_STORE" in os.environ and "kind" in item.fixturenames:
            why = "it runs with each way in another part"
        elif session == "server" and mark:
            why = mark.args[0]
        elif "KCAUTH_STORE" in os.environ and "clock" in item.fixturenames:
            why = "the store has a clock of its own, which stands right"
        else:
            continue
        _left_out[item.nodeid] = why
        items.remove(item)
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = _left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """What a worker of xdist left out; all of them leave out the same."""
    _left_out.update(node.workeroutput.get("left_out", {}))


def pytest_terminal_summary(terminalreporter):
    """Tells t/run what to add to its sum. Not called in xdist's workers."""
    count = {outcome: len(terminalreporter.stats.get(outcome, ()))
             for outcome in ("passed", "failed", "error", "skipped")}
    for why, number in collections.Counter(_left_out.values()).items():
        terminalreporter.write_line(f"{number} left out: {why}")
    if "KCAUTH_COUNT" in os.environ:
        pathlib.Path(os.environ["KCAUTH_COUNT"]).write_text(
            f'{count["passed"]} {count["failed"] + count["error"]} {count["skipped"]}\n')
