"""Sessions on the server: each store carries them, and one that is full, slow or gone opens nothing."""

import time

import pytest

from support.client import Client
from support.expect import SESSION, let_in, logged_in, refused, sent_to_login, table
from support.notices import logout_token, post_logout_token
from support.site import MARKER, seen
from support.wait import until
from test_renew import copy_of, let_pass
from test_parallel import together


def stored_in(store, new_httpd, provider, **directives):
    """Directives, and a clock where the test moves it."""
    directives = {"KCAuthSession": "server", "KCAuthSessionStore": store.directive, **directives}
    return new_httpd(provider=provider, options={"modules": [store.module]}, **directives)


def after_losing(lose, *where, clock):
    """(httpd, client) of somebody who is logged in, after the store is lost."""
    httpd = stored_in(*where, clock=clock)
    client = logged_in(httpd)
    lose()
    clock.forward(2)  # what the store said is remembered for a second
    return httpd, client


@pytest.fixture
def provider(new_provider):
    return new_provider(kinds=["ES256"])


def refuses_politely(answer):
    assert answer.status == 503, f"{answer.status} {answer.text}"
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store"
    assert MARKER not in answer.text


# Each store

def test_whole_flow(new_httpd, provider, store, clock):
    httpd = stored_in(store, new_httpd, provider, KCAuthRevalidate=30, clock=clock)
    client, other = logged_in(httpd), logged_in(httpd)
    provider.users["alice"].client_roles = {"webapp": ["editor"]}
    clock.forward(30)
    env = seen(client.get(httpd.url("/protected/show"), follow=False))
    assert (env["REMOTE_USER"], env["KC_ROLES"]) == ("alice", "editor")
    copy = copy_of(client)
    answer = client.get(httpd.url("/oauth/logout"), follow=False)
    assert "id_token_hint" in answer.query
    assert copy.fetch(httpd.url("/protected/")).status == 401
    let_in(other.get(httpd.url("/protected/"), follow=False))
    believed = post_logout_token(httpd, logout_token(provider, sub=provider.users["alice"].sub))
    assert believed.status == 200
    assert other.fetch(httpd.url("/protected/")).status == 401


def test_sessions_outlive_a_restart_of_httpd(new_httpd, provider, store):
    httpd = stored_in(store, new_httpd, provider)
    client = logged_in(httpd)
    httpd.graceful()
    let_in(client.get(httpd.url("/protected/"), follow=False))
    httpd.restart()
    let_in(client.get(httpd.url("/protected/"), follow=False))


def test_dbm(new_httpd, provider):
    """A store that httpd must lock."""
    httpd = new_httpd(provider=provider, KCAuthSession="server", options={"modules": [
        "socache_dbm"]}, KCAuthSessionStore="dbm:${ROOT}/reports/sessions")
    client = logged_in(httpd)
    assert all(answer.status == 200 for answer in together(
        16, lambda _: copy_of(client).get(httpd.url("/protected/"), follow=False)))
    httpd.graceful()
    let_in(client.get(httpd.url("/protected/"), follow=False))


def test_session_that_is_soon_over(new_httpd, provider, store):
    """Its last second is no lifetime that a store would take."""
    httpd = stored_in(store, new_httpd, provider, KCAuthSessionMax=1)
    client = Client()
    client.login(httpd.url("/protected/"))
    assert client.jar.named(SESSION)
    let_pass(1)
    assert client.fetch(httpd.url("/protected/")).status == 401
    assert not httpd.log.lines("KC07(09|20)")


def test_many_at_once(new_httpd, provider, store):
    """More than the store's client keeps connections for."""
    httpd = stored_in(store, new_httpd, provider)
    client = logged_in(httpd)

    def look(_):
        return [copy_of(client).get(httpd.url("/protected/"), follow=False).status
                for _ in range(10)]

    assert together(40, look) == [[200] * 10] * 40


def test_three_hundred_roles(new_httpd, provider, store):
    provider.users["alice"].client_roles = {"webapp": [f"role-{n:014}" for n in range(300)]}
    httpd = stored_in(store, new_httpd, provider)
    client = logged_in(httpd)
    assert len(seen(client.get(httpd.url("/protected/show")))["KC_ROLES"].split(",")) == 300
    assert len(client.jar.named("kcauth.*")) == 1


def test_copy_stands_for_the_store_for_a_second(new_httpd, provider, redis):
    httpd = stored_in(redis, new_httpd, provider)
    client = logged_in(httpd)
    begin, before = time.monotonic(), redis.readings()
    for _ in range(100):
        let_in(copy_of(client).get(httpd.url("/protected/"), follow=False))
    seconds = time.monotonic() - begin
    asked = redis.readings() - before
    # Each of a few children asks once a second, and for what other servers ended.
    assert asked <= 8 * (seconds + 1), f"{asked} times in {seconds} s"
    post_logout_token(httpd, logout_token(provider, sub=provider.users["alice"].sub))
    assert copy_of(client).fetch(httpd.url("/protected/")).status == 401


def test_copy_is_not_used_after_a_renewal(new_httpd, provider, redis, clock):
    httpd = stored_in(redis, new_httpd, provider, KCAuthRevalidate=30, clock=clock)
    client = logged_in(httpd)
    provider.users["alice"].client_roles = {"webapp": ["editor"]}
    clock.forward(30)
    for _ in range(5):
        env = seen(copy_of(client).get(httpd.url("/protected/show"), follow=False))
        assert env["KC_ROLES"] == "editor"
    assert len(provider.calls("token")) == 2


# Full

def test_session_that_was_pushed_out_logs_in_silently(new_httpd, provider, clock):
    httpd = new_httpd(provider=provider, KCAuthSession="server", clock=clock,
                      KCAuthSessionStore="shmcb:${ROOT}/run/sessions(65536)")
    first = logged_in(httpd)
    for _ in range(60):
        logged_in(httpd)
    clock.forward(2)  # a child remembers for a second what the store said
    answer = first.get(httpd.url("/protected/?x=1"), follow=False)
    sent_to_login(answer, provider)
    assert let_in(first.get(answer.location)).url == httpd.url("/protected/?x=1")
    assert not httpd.log.lines("KC07(09|20|24)")


# Gone

def test_store_that_is_gone_opens_nothing(new_httpd, provider, store, clock):
    httpd, client = after_losing(store.kill, store, new_httpd, provider, clock=clock)
    for _ in range(3):
        begin = time.monotonic()
        refuses_politely(client.get(httpd.url("/protected/"), follow=False))
        refuses_politely(client.fetch(httpd.url("/protected/")))
        assert client.get(httpd.url("/"), follow=False).status == 200
        assert time.monotonic() - begin < 3
    assert client.fetch(httpd.url("/oauth/session")).status == 503
    refused(Client().login(httpd.url("/protected/")), httpd, 503, "KC0709")
    sent_to_login(Client().get(httpd.url("/protected/"), follow=False), provider)
    assert client.jar.named(SESSION)
    assert len(httpd.log.lines("kcauth:error.*KC0720")) == 1
    assert len(httpd.log.lines(r"\[kcauth:(warn|error|crit)\]")) == 2  # and the login's


# Hanging

def test_store_that_hangs(new_httpd, provider, store, clock):
    """It takes every connection and answers none: nobody waits for it longer than two seconds."""
    httpd, client = after_losing(store.pause, store, new_httpd, provider, clock=clock)

    def ask(_):
        begin = time.monotonic()
        refuses_politely(copy_of(client).get(httpd.url("/protected/"), follow=False))
        return time.monotonic() - begin

    for _ in range(3):
        assert max(together(40, ask)) < 3.5
        assert Client().get(httpd.url("/")).status == 200
    refused(Client().login(httpd.url("/protected/")), httpd, 503, "KC0709")
    assert len(httpd.log.lines("kcauth:error.*KC0720")) == 1
    store.go_on()
    clock.forward(5)
    until(lambda: all(copy_of(client).get(httpd.url("/protected/"), follow=False).status == 200
                      for _ in range(20)), "the session", seconds=30)


def test_httpd_stops_while_the_store_hangs(new_httpd, provider, store, clock):
    httpd, client = after_losing(store.pause, store, new_httpd, provider, clock=clock)
    refuses_politely(client.get(httpd.url("/protected/"), follow=False))
    httpd.graceful()
    begin = time.monotonic()
    httpd.restart(gently=False)
    assert time.monotonic() - begin < 8
    store.go_on()
    clock.forward(5)
    until(lambda: copy_of(client).get(httpd.url("/protected/"), follow=False).status == 200,
          "the session", seconds=30)


def test_page_without_a_login_is_shown_without_a_person(new_httpd, provider, store, clock):
    httpd, client = after_losing(store.kill, store, new_httpd, provider, clock=clock)
    env = seen(client.get(httpd.url("/optional/show"), follow=False))
    assert "REMOTE_USER" not in env and not [name for name in env if name.startswith("KC_")]


def test_store_that_is_back(new_httpd, provider, store, clock):
    httpd, client = after_losing(store.kill, store, new_httpd, provider, clock=clock)
    refuses_politely(client.get(httpd.url("/protected/"), follow=False))
    store.start()
    clock.forward(5)  # each child finds out for itself, by a try every five seconds
    until(lambda: all(client.get(httpd.url("/protected/")).status == 200 for _ in range(20)),
          "a login", seconds=30)


@table("kind", [(kind, kind) for kind in ("signed", "encrypted")])
def test_sessions_in_cookies_do_not_notice(new_httpd, provider, store, kind, clock):
    """The store serves only to tell other servers what was ended."""
    httpd = stored_in(store, new_httpd, provider, KCAuthSession=kind, KCAuthRevalidate=30,
                      clock=clock)
    client = logged_in(httpd)
    store.kill()
    begin = time.monotonic()
    let_in(client.get(httpd.url("/protected/"), follow=False))
    let_in(Client().login(httpd.url("/protected/")))
    clock.forward(30)
    let_in(client.get(httpd.url("/protected/")))
    copy = copy_of(client)
    assert client.get(httpd.url("/oauth/logout"), follow=False).status == 302
    assert copy.fetch(httpd.url("/protected/")).status == 401
    assert time.monotonic() - begin < 4
    assert len(httpd.log.lines("kcauth:(warn|error).*KC07")) <= 1


def test_start_while_the_store_is_gone(new_httpd, provider, store):
    store.kill()
    httpd = stored_in(store, new_httpd, provider)
    assert Client().get(httpd.url("/")).status == 200
    refused(Client().login(httpd.url("/protected/")), httpd, 503, "KC0709")
    store.start()
    until(lambda: Client().login(httpd.url("/protected/")).status == 200, "a login", seconds=20)


# Configuration

@table("value, words", [
    ("unknown", "nosuch:x", "no store of this kind is loaded"),
    ("shmcb-without-a-size", "shmcb:/x(y)", "KC0135|Invalid|invalid"),
])
def test_store_that_cannot_be(new_httpd, provider, value, words):
    from support.httpd import HttpdError
    with pytest.raises(HttpdError, match=words):
        new_httpd(provider=provider, KCAuthSessionStore=value)
