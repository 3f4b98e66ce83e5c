"""What was ended stays ended: by logout, by Keycloak, over restarts; and nobody else can end it."""

import os
import urllib.parse

import pytest

from support.client import Client
from support.expect import REFRESH_TOKEN, SESSION, let_in, logged_in, refused, sent_to_login, table
from support.notices import admin_action, logout_token, post_admin_action, post_logout_token
from support.provider import DROP
from support.site import seen
from test_renew import copy_of


@pytest.fixture
def new_site_without_end_session(new_httpd, new_provider, kind):
    def make(**lies):
        provider = new_provider(kinds=["ES256"])
        provider.lie(discovery={"end_session_endpoint": DROP}, **lies)
        return new_httpd(provider=provider, KCAuthSession=kind), provider

    return make


def is_over(client, httpd):
    """For a script too, which starts no login."""
    return client.fetch(httpd.url("/protected/")).status == 401


# Logout

@table("method", [("get", "GET"), ("post", "POST")])
def test_cookie_is_worthless_after_logout(new_site, method):
    httpd, provider = new_site()
    client, other = logged_in(httpd), logged_in(httpd)
    copy = copy_of(client)
    answer = client.request(method, httpd.url("/oauth/logout"), body=b"" if method == "POST" else
                            None)
    assert answer.status == (303 if method == "POST" else 302)
    assert answer.location.startswith(provider.url("logout") + "?")
    assert not client.jar.named(SESSION)
    assert is_over(copy, httpd)
    sent_to_login(copy.get(httpd.url("/protected/"), follow=False), provider)
    assert not is_over(other, httpd)


def test_logout_of_one_does_not_end_what_begins_after_it(new_site):
    """Also in the same session at Keycloak, as when the provider knows no logout."""
    httpd, provider = new_site()
    provider.lie(logout_reply=lambda reply: reply.like(status=302, body=b""))
    client = logged_in(httpd)
    client.get(httpd.url("/oauth/logout"), follow=False)
    let_in(client.get(httpd.url("/protected/")))
    let_in(client.get(httpd.url("/protected/"), follow=False))
    assert len(provider.sessions) == 1


@table("way", [(way, way) for way in ("logout", "sid", "sub", "everybody")])
def test_what_was_ended_stays_ended_over_restarts(new_site, way):
    httpd, provider = new_site()
    client = logged_in(httpd)
    sid = seen(client.get(httpd.url("/protected/show")))["KC_SID"]
    copy = copy_of(client)
    if way == "logout":
        client.get(httpd.url("/oauth/logout"), follow=False)
    elif way == "sid":
        post_logout_token(httpd, logout_token(provider, sid=sid))
    elif way == "sub":
        post_logout_token(httpd, logout_token(provider, sub=provider.users["alice"].sub))
    else:
        post_admin_action(httpd, "k_logout", admin_action(provider, "LOGOUT"))
    assert is_over(copy, httpd)
    newer = logged_in(httpd)
    httpd.graceful()
    assert is_over(copy, httpd) and not is_over(newer, httpd)
    httpd.restart()
    assert is_over(copy, httpd)


def test_sessions_outlive_restarts(new_site, kind):
    """httpd's own store ends with httpd; the other two kinds need none."""
    httpd, _ = new_site()
    client = logged_in(httpd)
    httpd.graceful()
    assert not is_over(client, httpd)
    httpd.restart()
    assert is_over(client, httpd) == (kind == "server")
    let_in(client.get(httpd.url("/protected/")))


@table("damage", [
    ("junk", lambda file: file.write_bytes(os.urandom(file.stat().st_size))),
    ("cut-short", lambda file: os.truncate(file, 1000)),
    ("zeroed-behind-its-head", lambda file: _overwrite(file, 0, b"\xff" * 8)),
])
def test_broken_table_ends_what_began_before(new_httpd, new_provider, damage):
    """Nobody knows any more what was ended, so all of it is."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider)
    client, ended = logged_in(httpd), logged_in(httpd)
    copy = copy_of(ended)
    ended.get(httpd.url("/oauth/logout"), follow=False)
    httpd.halt()
    damage(httpd.root / "kcauth" / "revoked")
    httpd.start()
    assert is_over(copy, httpd)
    let_in(client.login(httpd.url("/protected/")))
    assert not is_over(client, httpd)


def _overwrite(file, at, data):
    with file.open("r+b") as stream:
        stream.seek(at)
        stream.write(data)


def test_table_is_for_its_owner_only(httpd):
    file = httpd.root / "kcauth" / "revoked"
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.stat().st_uid == os.geteuid()


# Whose logout it is

@table("site", [(site, site) for site in ("cross-site", "same-site")])
def test_link_on_a_foreign_page_asks_first(new_site, site):
    httpd, provider = new_site()
    client = logged_in(httpd)
    answer = client.get(httpd.url("/oauth/logout"), {"Sec-Fetch-Site": site}, follow=False)
    assert answer.status == 302
    assert answer.location.startswith(provider.url("logout") + "?")
    assert "id_token_hint" not in answer.query
    assert not answer.set_cookies
    assert not is_over(client, httpd)
    httpd.log.wait_for("KC0903")


@table("site", [(site, site) for site in ("same-origin", "none")])
def test_own_link_and_address_bar_log_out(new_site, site):
    httpd, provider = new_site()
    client = logged_in(httpd)
    answer = client.get(httpd.url("/oauth/logout"), {"Sec-Fetch-Site": site}, follow=False)
    assert "id_token_hint" in answer.query
    assert is_over(client, httpd)


@table("headers", [
    ("by-its-site", {"Sec-Fetch-Site": "cross-site"}),
    ("by-its-origin", {"Origin": "https://evil.test"}),
    ("by-its-opaque-origin", {"Origin": "null"}),
])
@table("with_cookies", [("with-cookies", True), ("as-browsers-send-it", False)])
def test_form_of_a_foreign_page_logs_nobody_out(new_site, headers, with_cookies):
    httpd, provider = new_site()
    client = logged_in(httpd)
    answer = client.request("POST", httpd.url("/oauth/logout"), headers, b"",
                            cookies=with_cookies)
    assert answer.status == 303
    assert not answer.set_cookies
    assert not is_over(client, httpd)


def test_own_form_logs_out(new_site):
    httpd, _ = new_site()
    client = logged_in(httpd)
    client.request("POST", httpd.url("/oauth/logout"), {"Origin": httpd.url("")}, b"")
    assert not client.jar.named(SESSION)
    assert is_over(client, httpd)


def test_foreign_link_revokes_no_token(new_site_without_end_session):
    httpd, provider = new_site_without_end_session()
    client = logged_in(httpd)
    client.get(httpd.url("/oauth/logout"), {"Sec-Fetch-Site": "cross-site"}, follow=False)
    assert provider.count("revocation") == 0
    assert not is_over(client, httpd)


# Without an end_session_endpoint

def test_tokens_are_revoked_by_name(new_site_without_end_session):
    httpd, provider = new_site_without_end_session()
    client = logged_in(httpd)
    answer = client.get(httpd.url("/oauth/logout"), follow=False)
    assert answer.location == httpd.url("/")
    call, = provider.calls("revocation")
    assert call.form["token"] in provider.refreshable
    assert call.form["token_type_hint"] == "refresh_token"
    assert call.basic == (provider.client_id, provider.secret)
    assert provider.sessions == {}
    assert not client.jar.named(SESSION)


@pytest.mark.in_cookies("the refresh token lies in the store")
def test_refresh_token_s_cookie_is_encrypted_and_sent_to_no_page(httpd):
    client = logged_in(httpd)
    cookie, = client.jar.named(REFRESH_TOKEN)
    assert "eyJhbGci" not in cookie.value
    for page in ("/", "/protected/", "/oauthx", "/oauth2/renew"):
        assert cookie.name not in client.jar.header(httpd.url(page))
    for endpoint in ("/oauth/renew", "/oauth/logout"):
        assert cookie.name in client.jar.header(httpd.url(endpoint))


def test_revocation_that_fails_does_not_hinder_a_logout(new_site_without_end_session):
    httpd, provider = new_site_without_end_session(
        revocation_reply=lambda reply: reply.like(status=500, body=b"no"))
    client = logged_in(httpd)
    copy = copy_of(client)
    assert client.get(httpd.url("/oauth/logout"), follow=False).status == 302
    httpd.log.wait_for("KC0631")
    assert is_over(copy, httpd)


def test_logout_with_an_end_session_endpoint_revokes_no_token(new_site):
    """At Keycloak that would end the session before its own logout, and other clients not hear."""
    httpd, provider = new_site()
    logged_in(httpd).get(httpd.url("/oauth/logout"))
    assert provider.count("revocation") == 0 and provider.sessions == {}


# Errors end nothing

def test_denial_and_unknown_page_end_nothing(new_site):
    httpd, provider = new_site()
    provider.user = "bob"
    client = logged_in(httpd)
    refused(client.get(httpd.url("/admin/")), httpd, 401, "KC08..")
    assert client.get(httpd.url("/protected/nowhere")).status == 404
    assert not is_over(client, httpd)


def test_callback_of_a_stranger_ends_nothing(new_site):
    httpd, provider = new_site()
    client = logged_in(httpd)
    query = urllib.parse.urlencode({"state": "0" + "x" * 22, "error": "login_required",
                                    "iss": provider.issuer})
    client.get(httpd.url("/oauth/login/callback?" + query), follow=False)
    assert not is_over(client, httpd)
    assert is_over(Client(), httpd)
