"""What goes wrong again and again has a line a minute in the log, with a count."""

import pytest

from support.client import Client
from support.expect import reference, table
from support.site import settings
from support.wait import until

TIMES = 20


@pytest.fixture
def site(new_httpd, new_provider, clock):
    """At httpd's own LogLevel."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, options={"log_level": "warn"}, clock=clock)
    return httpd, provider


def login_fails(httpd):
    return Client().login(httpd.url("/protected/"))


def callback_of_nobody(httpd):
    return Client().get(httpd.url("/oauth/login/callback?code=a&state=0b"))


def made_up_notice(httpd):
    return Client().request("POST", httpd.url("/oauth/backchannel-logout"), body=b"logout_token=a",
                            headers={"Content-Type": "application/x-www-form-urlencoded"})


def test_a_line_a_minute(site, clock):
    httpd, provider = site
    provider.lie(token_reply=lambda honest: honest.like(status=500))
    first = login_fails(httpd)
    for _ in range(TIMES):
        assert login_fails(httpd).status == first.status
    line, = httpd.log.lines("KC0606")
    assert "more of these" not in line
    assert reference(first) in line
    clock.set(61)
    login_fails(httpd)
    login_fails(httpd)
    _, line = httpd.log.lines("KC0606")
    assert f"and {TIMES} more of these in the last 6" in line


@table("message, act", [
    ("a-stranger-calls-back", "KC0501", callback_of_nobody),
    ("a-notice-is-made-up", "KC09", made_up_notice),
])
def test_what_one_request_did_is_never_held_back(site, message, act):
    """It can be counted by who did it, and be found by the reference of its page."""
    httpd, _ = site
    pages = [act(httpd) for _ in range(TIMES)]
    lines = httpd.log.lines(message)
    assert len(lines) == TIMES
    assert "KC09" in message or all(any(reference(page) in line for line in lines)
                                    for page in pages)


def test_what_is_held_back_is_found_at_info(new_httpd, new_provider):
    """The reference of every page is in the log, if only at that level."""
    provider = new_provider(kinds=["ES256"])
    provider.lie(token_reply=lambda honest: honest.like(status=500))
    httpd = new_httpd(provider=provider, options={"log_level": "info"})
    pages = [login_fails(httpd) for _ in range(TIMES)]
    for page in pages:
        httpd.log.wait_for(f"KC0606: .*{reference(page)}")
    assert len(httpd.log.lines("kcauth:error.*KC0606")) == 1


def test_one_realm_does_not_hide_another(new_httpd, new_provider):
    """Two servers, whose Keycloaks are away for the same reason."""
    providers = [new_provider(kinds=["ES256"]) for _ in range(2)]
    for provider in providers:
        provider.lie(discovery_reply=lambda honest: honest.like(status=500))
    hosts = "".join(f"<VirtualHost 127.0.0.1:${{PORT{number}}}>\n{settings(provider)}</VirtualHost>\n"
                    for number, provider in zip(("", "2"), providers))
    httpd = new_httpd(hosts, options={"ports": 2})
    for provider in providers:
        until(lambda: [line for line in httpd.log.everything().splitlines()
                       if "kcauth:warn" in line and f"KC0242: {provider.issuer}:" in line],
              "a line of each")


def test_denials_are_never_held_back(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    provider.user = "bob"
    httpd = new_httpd(provider=provider, options={"log_level": "warn"})
    client = Client()
    client.login(httpd.url("/protected/"))
    for _ in range(TIMES):
        assert client.get(httpd.url("/admin/")).status == 401
    assert len(httpd.log.lines("KC0801")) == TIMES
