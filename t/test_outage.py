"""Keycloak is away: public pages and people who are logged in notice nothing."""

import time

import pytest

from support.client import Client
from support.expect import let_in, logged_in, refused, table
from support.provider import Provider
from support.wait import until


@pytest.fixture
def away():
    """A provider that does not listen yet."""
    provider = Provider(kinds=["ES256"])
    yield provider
    provider.stop()


def test_httpd_starts_without_keycloak(new_httpd, away):
    httpd = new_httpd(provider=away, wait=False)
    assert Client().get(httpd.url("/")).status == 200
    let_in(Client().get(httpd.url("/optional/")))
    answer = Client().get(httpd.url("/protected/"), follow=False)
    refused(answer, httpd, 503, "KC0[125]..")
    assert Client().fetch(httpd.url("/protected/")).status in (401, 503)
    refused(Client().get(httpd.url("/oauth/login"), follow=False), httpd, 503, "KC0[125]..")


def test_httpd_recovers_by_itself(new_httpd, away):
    httpd = new_httpd(provider=away, wait=False)
    httpd.log.wait_for("KC02")
    away.start()
    until(lambda: Client().get(httpd.url("/protected/"), follow=False).status == 302,
          "the metadata", seconds=20)
    let_in(Client().login(httpd.url("/protected/")))


def test_metadata_is_fetched_before_anybody_asks(new_httpd, away):
    away.start()
    new_httpd(provider=away, wait=False)
    until(lambda: away.count("discovery") and away.count("jwks"), "metadata and keys", seconds=10)


def test_error_log_stays_calm(new_httpd, away):
    """A line a minute for the same trouble, not one a try."""
    httpd = new_httpd(provider=away, wait=False)
    httpd.log.wait_for("KC02")
    time.sleep(4)
    assert len(httpd.log.lines(r"\[kcauth:(warn|error|crit)\]")) <= 2


def test_sessions_live_through_an_outage(new_httpd, away):
    away.start()
    httpd = new_httpd(provider=away)
    client = logged_in(httpd)
    away.stop()
    begin = time.monotonic()
    let_in(client.get(httpd.url("/protected/")))
    let_in(client.get(httpd.url("/admin/")))
    assert time.monotonic() - begin < 5  # KCAuthTimeout is 10
    away.start()
    let_in(Client().login(httpd.url("/protected/")))


def test_login_during_an_outage(new_httpd, away):
    """Metadata is known, the token endpoint is gone."""
    away.start()
    httpd = new_httpd(provider=away)
    client = Client()
    first = client.get(httpd.url("/protected/"), follow=False)
    callback = client.get(first.location, follow=False).location
    away.stop()
    refused(client.get(callback), httpd, 503, "KC0[26]..")
    assert not client.jar.named("kcauth")
    away.start()
    let_in(client.login(httpd.url("/protected/")))


def test_restart_of_keycloak_with_new_keys(new_httpd, away):
    away.start()
    httpd = new_httpd(provider=away)
    let_in(Client().login(httpd.url("/protected/")))
    away.stop()
    away.rotate("ES256", keep_old=False)
    away.start()
    let_in(Client().login(httpd.url("/admin/")))


def test_few_fetches_for_many_children(new_httpd, away):
    """Metadata and keys are fetched once for the server, not by each child."""
    away.start()
    httpd = new_httpd(provider=away)
    for _ in range(30):
        assert Client().get(httpd.url("/protected/"), follow=False).status == 302
    assert away.count("discovery") <= 2
    assert away.count("jwks") <= 2


@table("carriage", [("hanging", {"hang": True}), ("slow", {"delay": 0.3}), ("quick", {})])
def test_stop_in_the_middle_of_a_fetch(new_httpd, away, carriage):
    """What works in the background ends before what it works with; stopping looks for crashes."""
    away.lie(discovery_reply=lambda honest: honest.like(**carriage))
    away.start()
    httpd = new_httpd(provider=away, wait=False)
    for _ in range(5):
        until(lambda: away.count("discovery"), "a request for the metadata")
        away.requests = []
        httpd.restart()


def test_restart_during_an_outage(new_httpd, new_provider):
    """What was known before is known again: logins go on as far as they can without Keycloak."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider)
    provider.lie(discovery_reply=lambda honest: honest.like(status=503, body=b""),
                 jwks_reply=lambda honest: honest.like(status=503, body=b""))
    httpd.restart()
    answer = Client().get(httpd.url("/protected/"), follow=False)
    assert answer.status == 302 and answer.location.startswith(provider.issuer)
    let_in(Client().login(httpd.url("/protected/")))


@pytest.mark.in_cookies("a store in memory ends with httpd")
def test_session_over_a_restart_during_an_outage(new_httpd, away):
    away.start()
    httpd = new_httpd(provider=away)
    insider = logged_in(httpd)
    away.stop()
    httpd.restart()
    let_in(insider.get(httpd.url("/protected/"), follow=False))


def test_state_folder_with_nonsense(new_httpd, new_provider):
    """Documents on the disk are checked when they are read."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider)
    let_in(Client().login(httpd.url("/protected/")))
    file, = httpd.root.glob("kcauth/realm-*")
    junk = bytearray(file.read_bytes())
    for at in range(200, len(junk), 97):
        junk[at] ^= 0x55
    provider.lie(discovery_reply=lambda honest: honest.like(status=503, body=b""))
    httpd.halt()
    file.write_bytes(junk)
    httpd.start()
    assert Client().get(httpd.url("/protected/"), follow=False).status == 503
    provider.reset()
    until(lambda: Client().login(httpd.url("/protected/")).status == 200, "the metadata")
