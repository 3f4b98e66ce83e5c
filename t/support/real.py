"""Fixtures with a real Keycloak: a plugin of the tests that name it."""

import itertools
import os

import pytest

from support.client import Client, Jar
from support.demo import DemoHttpd
from support.expect import no_secrets
from support.keycloak import Keycloak, Realm
from support.relay import Relay
from support.wait import until

_number = itertools.count(1)


@pytest.fixture(scope="session")
def keycloak():
    server = Keycloak(os.environ.get("KCAUTH_KEYCLOAK"))
    try:
        yield server.start()
    finally:
        server.stop()


@pytest.fixture(scope="session")
def shared_demo(keycloak):
    httpd = DemoHttpd(keycloak).start()
    until(lambda: Client().get(httpd.url("/oauth/login"), follow=False).status == 302,
          "the metadata")
    yield httpd
    httpd.stop()


@pytest.fixture
def demo(shared_demo):
    """The demo as conf/demo/up starts it, with the realm that it imports."""
    shared_demo.log.mark()
    Jar.ever.clear()
    yield shared_demo
    no_secrets(shared_demo.log.text(), Jar.ever | {"webapp-demo-secret"})


@pytest.fixture(scope="session")
def demo_realm(keycloak):
    """Look, do not change: it is the demo's."""
    return Realm(keycloak)


@pytest.fixture
def realm(keycloak):
    """A realm like the demo's, for this test alone."""
    return keycloak.new_realm(f"Test{os.getpid()}-{next(_number)}")


@pytest.fixture
def relay(keycloak):
    """The way to Keycloak, for KCAuthInternalURL."""
    way = Relay(keycloak.port).start()
    yield way
    way.stop()
