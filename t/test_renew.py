"""Fresh roles: who is asked when, what a renewal changes, and what happens when it fails."""

import functools
import json
import time

import pytest

from support.client import Client
from support.expect import REFRESH_TOKEN, SESSION, let_in, logged_in, refused, sent_to_login, table
from support.jose import decode
from support.provider import User
from support.site import MARKER, PAGES, seen, settings
from test_parallel import together

INTERVAL = 30  # KCAuthRevalidate, in seconds
ECHO = 'ScriptAlias "/protected/echo" "${ROOT}/cgi-bin/echo"\n'


@pytest.fixture
def new_site(new_site):
    """The same, with roles that are an interval old at the most, or as said otherwise."""
    return functools.partial(new_site, KCAuthRevalidate=INTERVAL)


def let_pass(seconds):
    """Waits until the clock, which sessions count by whole seconds, is so much later."""
    until = int(time.time()) + seconds
    time.sleep(until - time.time() + 0.02)


def copy_of(client):
    """The same browser, on another connection."""
    copy = Client()
    copy.jar.update(client.jar)
    return copy


def roles_of(client, httpd):
    return seen(client.get(httpd.url("/protected/show"))).get("KC_ROLES", "")


def silent(provider):
    """How often the provider was asked without a page."""
    return sum(call.query.get("prompt") == "none" for call in provider.calls("authorization"))


# When

@table("method", [("get", "GET"), ("head", "HEAD")])
def test_due_page_is_renewed_before_it_is_shown(new_site, kind, method, clock):
    httpd, provider = new_site()
    client = logged_in(httpd)
    clock.forward(INTERVAL)
    answer = client._walk(method, httpd.url("/protected/?a=b&c=%26"), None, {}, True)
    assert answer.status == 200 and answer.url == httpd.url("/protected/?a=b&c=%26")
    assert provider.count("token") == 2
    assert provider.calls("token")[1].form["grant_type"] == "refresh_token"
    detours = [step.url for step in answer.history]
    assert all(step.status == 307 for step in answer.history)
    assert len(detours) == (0 if kind == "server" else 2)


def test_page_that_is_not_due_asks_nobody(new_site, clock):
    httpd, provider = new_site(KCAuthRevalidate=300)
    client = logged_in(httpd)
    clock.forward(200)
    let_in(client.get(httpd.url("/protected/"), follow=False))
    assert provider.count("token") == 1


def test_never(new_site, clock):
    httpd, provider = new_site(KCAuthRevalidate=0)
    client = logged_in(httpd)
    clock.forward(1000)
    let_in(client.get(httpd.url("/protected/"), follow=False))
    assert provider.count("token") == 1


def test_post_is_renewed_an_interval_later_with_its_body(new_site, clock):
    httpd, provider = new_site(ECHO + PAGES)
    httpd.cgi("echo", "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
                      "printf '%s ' \"$REQUEST_METHOD\"\nexec cat\n")
    client = logged_in(httpd)
    post = {"method": "POST", "headers": {"Content-Type": "text/plain"}, "body": b"the body"}
    clock.forward(INTERVAL)
    answer = client.fetch(httpd.url("/protected/echo"), **post)
    assert (answer.status, answer.text) == (200, "POST the body")
    assert provider.count("token") == 1
    clock.forward(INTERVAL + 1)
    answer = client.fetch(httpd.url("/protected/echo"), **post, follow=True)
    assert (answer.status, answer.text) == (200, "POST the body")
    assert all(step.status == 307 for step in answer.history)
    assert provider.count("token") == 2


def test_public_pages_and_other_endpoints_renew_nothing(new_site, clock):
    httpd, provider = new_site()
    client = logged_in(httpd)
    clock.forward(INTERVAL)
    for path in ("/", "/show", "/oauth/session"):
        assert client.get(httpd.url(path), follow=False).status == 200
    assert provider.count("token") == 1


def test_configuration_that_asks_for_more_is_renewed_at_once(new_site, kind):
    httpd, provider = new_site(KCAuthRevalidate=300)
    client = logged_in(httpd)
    httpd.configure(settings(provider, KCAuthSession=kind) + PAGES + '<Location "/staff">\n'
                    'AuthType Keycloak\nRequire kc-realm-role staff\n</Location>\n')
    httpd.write("staff/index.html", MARKER)
    httpd.graceful()
    let_in(client.get(httpd.url("/staff/")))
    let_in(client.get(httpd.url("/protected/"), follow=False))
    assert provider.count("token") == 2 and provider.count("authorization") == 1


# What

def test_roles_are_replaced(new_site, clock):
    httpd, provider = new_site()
    client = logged_in(httpd, "/admin/")
    provider.users["alice"].client_roles = {"webapp": ["editor"]}
    clock.forward(INTERVAL)
    refused(client.get(httpd.url("/admin/")), httpd, 401, "KC08..")
    assert roles_of(client, httpd) == "editor"
    provider.users["alice"].client_roles = {}
    clock.forward(INTERVAL)
    assert roles_of(client, httpd) == ""
    provider.users["alice"].client_roles = {"webapp": ["admin"]}
    clock.forward(INTERVAL)
    let_in(client.get(httpd.url("/admin/")))


def test_name_and_address_are_fresh_too(new_site, clock):
    httpd, provider = new_site()
    client = logged_in(httpd)
    provider.users["alice"].given_name = "Alicia"
    provider.users["alice"].email = "alicia@example.org"
    clock.forward(INTERVAL)
    env = seen(client.get(httpd.url("/protected/show")))
    assert env["KC_NAME"] == "Alicia Adams" and env["KC_EMAIL"] == "alicia@example.org"


def test_absolute_end_is_not_put_off(new_site, clock):
    httpd, provider = new_site(KCAuthSessionMax=4 * INTERVAL)
    client = logged_in(httpd)
    for _ in range(3):
        clock.forward(INTERVAL)
        let_in(client.get(httpd.url("/protected/")))
    clock.forward(INTERVAL)
    sent_to_login(client.get(httpd.url("/protected/"), follow=False), provider)
    assert provider.count("token") == 4


def test_hint_of_a_logout_is_of_a_key_that_is_there(new_site, clock):
    """Keycloak refuses one that was signed with a key that it removed."""
    httpd, provider = new_site()
    client = logged_in(httpd)
    provider.rotate("ES256", keep_old=False)
    clock.forward(INTERVAL)
    let_in(client.get(httpd.url("/protected/")))
    assert provider.count("token") == 2
    asked = client.get(httpd.url("/oauth/logout"), follow=False).query
    assert decode(asked["id_token_hint"])[0]["kid"] == provider.key.kid


def test_session_is_told_to_keycloak_by_a_name(new_site):
    """Without client_session_state Keycloak sends no k_logout for a session."""
    httpd, provider = new_site()
    logged_in(httpd)
    assert list(provider.session_states) == list(provider.sessions)


def test_another_person_does_not_take_the_session_over(new_site, clock):
    httpd, provider = new_site()
    client = logged_in(httpd)
    clock.forward(INTERVAL)
    provider.lie(id_token={"sub": User("bob").sub, "preferred_username": "bob"})
    assert seen(client.get(httpd.url("/protected/show")))["REMOTE_USER"] == "alice"
    httpd.log.wait_for("KC0621")


def test_renew_endpoint_leads_nowhere_else(new_site):
    httpd, provider = new_site()
    for client in (Client(), logged_in(httpd)):
        for target in ("https://evil.test/", "//evil.test", "/%5Cevil.test", ""):
            answer = client.get(httpd.url("/oauth/renew?next=" + target), follow=False)
            assert answer.status in (302, 307)
            assert answer.location.startswith((httpd.url("/"), provider.origin))


# Without a refresh token

def test_navigation_goes_through_keycloak_without_a_page(new_site, clock):
    httpd, provider = new_site()
    provider.refresh_tokens = False
    client = logged_in(httpd)
    before = {cookie.value for cookie in client.jar.named(SESSION)}
    provider.users["alice"].client_roles = {"webapp": ["editor"]}
    clock.forward(INTERVAL)
    answer = let_in(client.get(httpd.url("/protected/?x=1")))
    assert answer.url == httpd.url("/protected/?x=1")
    assert silent(provider) == 1 and provider.count("token") == 2
    assert not before & {cookie.value for cookie in client.jar.named(SESSION)}
    assert roles_of(client, httpd) == "editor"


def test_login_required_ends_the_session_and_logs_in_to_the_same_page(new_site, clock):
    httpd, provider = new_site()
    provider.refresh_tokens = False
    client = logged_in(httpd)
    old = copy_of(client)
    provider.sessions.clear()
    provider.user = "bob"
    clock.forward(INTERVAL)
    answer = let_in(client.login(httpd.url("/protected/?x=1")))
    assert answer.url == httpd.url("/protected/?x=1")
    assert [call.query.get("prompt") for call in provider.calls("authorization")] == \
        [None, "none", None]
    assert seen(client.get(httpd.url("/protected/show")))["REMOTE_USER"] == "bob"
    assert old.fetch(httpd.url("/protected/")).status == 401


def test_script_is_served_for_one_more_interval(new_site, clock):
    httpd, provider = new_site()
    provider.refresh_tokens = False
    client = logged_in(httpd)
    clock.forward(INTERVAL)
    answer = client.fetch(httpd.url("/protected/"), follow=True)
    assert answer.status == 200 and MARKER in answer.text
    assert provider.count("authorization") == 1
    clock.forward(INTERVAL + 1)
    answer = client.fetch(httpd.url("/protected/"), follow=True)
    assert answer.status == 401 and MARKER not in answer.text
    assert json.loads(answer.text)["error"] == "login_required"


def test_lost_renew_cookie_is_no_refresh_token(new_httpd, new_provider, clock):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession="encrypted", clock=clock,
                      KCAuthRevalidate=INTERVAL)
    client = logged_in(httpd)
    for cookie in client.jar.named(REFRESH_TOKEN):
        del client.jar[cookie.host, cookie.path, cookie.name]
    clock.forward(INTERVAL)
    let_in(client.get(httpd.url("/protected/")))
    assert silent(provider) == 1


@table("refresh_tokens", [("with-refresh-token", True), ("without", False)])
def test_client_that_takes_no_new_cookies_is_not_led_in_circles(new_site, refresh_tokens, clock):
    httpd, provider = new_site()
    provider.refresh_tokens = refresh_tokens
    client = logged_in(httpd)
    client.jar.take = lambda _: None
    clock.forward(INTERVAL)
    for _ in range(4):
        answer = client.get(httpd.url("/protected/"))
        assert len(answer.history) <= 6
    assert provider.count("token") <= 2
    assert silent(provider) <= 1
    let_in(client.get(httpd.url("/protected/"), follow=False))


def test_httpd_restarted_while_keycloak_is_away_lets_the_session_go_on(new_httpd, new_provider,
                                                                               clock):
    """Nobody is sent to an address that is not known."""
    provider = new_provider(kinds=["ES256"])
    provider.refresh_tokens = False
    httpd = new_httpd(provider=provider, KCAuthSession="encrypted", clock=clock,
                      KCAuthRevalidate=INTERVAL, KCAuthTimeout=2)
    client = logged_in(httpd)
    provider.stop()
    httpd.halt()
    for file in (httpd.root / "kcauth").iterdir():
        if file.name not in ("session.key", "revoked"):
            file.unlink()
    httpd.start()
    clock.forward(INTERVAL)
    let_in(client.get(httpd.url("/protected/")))


# Keycloak says no

@table("trouble", [
    ("session-over", lambda provider: provider.sessions.clear()),
    ("user-disabled", lambda provider: provider.disabled.add("alice")),
    ("token-forgotten", lambda provider: provider.refreshable.clear()),
    ("not-before", lambda provider: setattr(provider, "not_before", int(time.time()) + 1)),
])
def test_refusal_ends_the_session(new_site, trouble, clock):
    httpd, provider = new_site()
    client = logged_in(httpd)
    old = copy_of(client)
    trouble(provider)
    clock.forward(INTERVAL)
    answer = client.get(httpd.url("/protected/?x=1"), follow=False)
    while answer.status == 307:
        answer = client.get(answer.location, follow=False)
    sent_to_login(answer, provider)
    assert not client.jar.named(SESSION)
    provider.tell_the_truth()
    let_pass(1)
    assert let_in(client.login(httpd.url("/protected/?x=1"))).url == httpd.url("/protected/?x=1")
    assert old.fetch(httpd.url("/protected/"), follow=True).status == 401


def test_refusal_is_told_to_a_script(new_site, clock):
    httpd, provider = new_site()
    client = logged_in(httpd)
    provider.sessions.clear()
    clock.forward(INTERVAL)
    answer = client.fetch(httpd.url("/protected/"), follow=True)
    assert answer.status == 401 and json.loads(answer.text)["error"] == "login_required"


# Many at once

@table("rotation", [("without-rotation", False), ("with-rotation", True)])
def test_thirty_requests_at_the_moment_make_one_call(new_site, rotation, clock):
    httpd, provider = new_site()
    provider.rotation = rotation
    client = logged_in(httpd)
    late = [copy_of(client) for _ in range(5)]
    provider.users["alice"].client_roles = {"webapp": ["admin", "editor"]}
    provider.lie(token_reply=lambda reply: reply.like(delay=0.3))
    clock.forward(INTERVAL)

    def look(_):
        return copy_of(client).get(httpd.url("/protected/"))

    for answer in together(30, look):
        let_in(answer)
    assert provider.count("token") == 2 and provider.count("authorization") == 1
    for other in late:
        assert roles_of(other, httpd) == "admin,editor"
    assert provider.count("token") == 2
    clock.forward(INTERVAL)
    assert roles_of(late[0], httpd) == "admin,editor"
    assert provider.count("authorization") == 1


def test_others_do_not_wait_for_the_one_that_asks(new_site, clock):
    httpd, provider = new_site(KCAuthTimeout=8)
    client = logged_in(httpd)
    provider.lie(token_reply=lambda reply: reply.like(delay=4))
    clock.forward(INTERVAL)
    begin = time.monotonic()

    def look(_):
        let_in(copy_of(client).get(httpd.url("/protected/")))
        return time.monotonic() - begin

    took = sorted(together(8, look))
    assert took[-1] >= 4 > took[-2]


# Keycloak is away

def test_session_goes_on_and_keycloak_is_left_alone(new_site, clock):
    httpd, provider = new_site()
    client = logged_in(httpd)
    provider.stop()
    clock.forward(INTERVAL)
    let_in(client.get(httpd.url("/protected/")))
    httpd.log.wait_for("alice goes on as it is")
    provider.start()
    for _ in range(3):
        let_in(client.get(httpd.url("/protected/"), follow=False))
        clock.forward(9)
    assert provider.count("token") == 1
    assert len(httpd.log.lines("goes on as it is")) == 1
    clock.forward(9)
    let_in(client.get(httpd.url("/protected/")))
    assert provider.count("token") == 2


def test_keycloak_that_hangs_is_waited_for_once(new_site, clock):
    httpd, provider = new_site(KCAuthTimeout=2)
    client = logged_in(httpd)
    provider.lie(token_reply=lambda reply: reply.like(hang=True))
    clock.forward(INTERVAL)
    begin = time.monotonic()
    let_in(client.get(httpd.url("/protected/")))
    assert 2 <= time.monotonic() - begin < 6
    begin = time.monotonic()
    let_in(client.get(httpd.url("/protected/"), follow=False))
    assert time.monotonic() - begin < 2


def test_strict_ends_the_session_at_once(new_site, clock):
    httpd, provider = new_site(KCAuthRevalidate=[INTERVAL, "strict"])
    client = logged_in(httpd)
    old = copy_of(client)
    provider.stop()
    clock.forward(INTERVAL)
    answer = client.get(httpd.url("/protected/"), follow=False)
    while answer.status == 307:
        answer = client.get(answer.location, follow=False)
    assert answer.status in (302, 503) and MARKER not in answer.text
    assert old.fetch(httpd.url("/protected/"), follow=True).status in (401, 503)


# Not-before

def test_not_before_ends_older_sessions_of_the_person(new_site):
    httpd, provider = new_site(KCAuthRevalidate=30)
    older = [logged_in(httpd) for _ in range(2)]
    provider.user = "bob"
    bob = logged_in(httpd)
    provider.user = "alice"
    let_pass(1)
    provider.not_before = int(time.time())
    newer = logged_in(httpd)
    for client in older:
        sent_to_login(client.get(httpd.url("/protected/"), follow=False), provider)
    for client in (newer, bob):
        let_in(client.get(httpd.url("/protected/"), follow=False))


def test_not_before_of_long_ago_or_ahead_ends_nothing(new_site):
    httpd, provider = new_site(KCAuthRevalidate=30)
    first = logged_in(httpd)
    for not_before in (1, int(time.time()) - 3600, int(time.time()) + 7200):
        provider.not_before = not_before
        let_in(logged_in(httpd).get(httpd.url("/protected/"), follow=False))
    let_in(first.get(httpd.url("/protected/"), follow=False))
