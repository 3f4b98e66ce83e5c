"""Logout: here, then at Keycloak, without a question."""

import pytest

from support.client import Client
from support.expect import ID_TOKEN, SESSION, logged_in, sent_to_login, table
from support.jose import decode
from support.provider import DROP


def test_logout_ends_both_sessions(httpd, provider):
    client = logged_in(httpd)
    answer = client.get(httpd.url("/oauth/logout"))
    assert answer.url == httpd.url("/") and answer.status == 200
    assert not client.jar.named(SESSION) and not client.jar.named(ID_TOKEN)
    assert provider.sessions == {}
    sent_to_login(client.get(httpd.url("/protected/"), follow=False), provider)


def test_logout_request(httpd, provider):
    client = logged_in(httpd)
    answer = client.get(httpd.url("/oauth/logout"), follow=False)
    assert answer.status == 302
    assert answer.location.startswith(provider.url("logout") + "?")
    asked = answer.query
    assert asked["client_id"] == "webapp"
    assert asked["post_logout_redirect_uri"] == httpd.url("/")
    assert decode(asked["id_token_hint"])[1]["sub"] == provider.users["alice"].sub
    assert answer.headers["Cache-Control"] == "no-store"


def test_logout_without_a_session_goes_home(httpd, provider, client):
    answer = client.get(httpd.url("/oauth/logout"), follow=False)
    assert answer.status == 302 and answer.location == httpd.url("/")
    assert provider.asked == []


@pytest.mark.in_cookies("the ID token lies in the store")
def test_logout_after_the_id_token_cookie_was_lost(httpd, provider):
    """Keycloak asks for a confirmation then; here the session is over."""
    client = logged_in(httpd)
    for cookie in client.jar.named(ID_TOKEN):
        cookie.value = "AAAA"
    answer = client.get(httpd.url("/oauth/logout"), follow=False)
    assert "id_token_hint" not in answer.query
    assert answer.query["client_id"] == "webapp"
    assert not client.jar.named(SESSION)


@pytest.mark.in_cookies("the ID token lies in the store")
def test_id_token_cookie_is_encrypted_and_sent_to_logout_alone(httpd, provider):
    client = logged_in(httpd)
    cookie, = client.jar.named(ID_TOKEN)
    assert "eyJhbGci" not in cookie.value
    assert cookie.name not in client.jar.header(httpd.url("/protected/"))
    assert cookie.name in client.jar.header(httpd.url("/oauth/logout"))


def test_metadata_without_end_session_endpoint(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    provider.lie(discovery={"end_session_endpoint": DROP})
    httpd = new_httpd(provider=provider)
    client = logged_in(httpd)
    answer = client.get(httpd.url("/oauth/logout"), follow=False)
    assert answer.location == httpd.url("/")
    assert not client.jar.named(SESSION)
    httpd.log.wait_for("KC0902.*end_session_endpoint")


def test_provider_that_is_away_does_not_hinder_logout(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider)
    client = logged_in(httpd)
    provider.stop()
    answer = client.get(httpd.url("/oauth/logout"), follow=False)
    assert answer.status == 302
    assert not client.jar.named(SESSION)


@table("value, wanted", [
    ("path", "/goodbye?x=1", "/goodbye?x=1"),
    ("url", "https://www.example.org/bye", "https://www.example.org/bye"),
])
def test_post_logout_url(new_httpd, new_provider, value, wanted):
    httpd = new_httpd(provider=new_provider(kinds=["ES256"]), KCAuthPostLogoutURL=value)
    client = logged_in(httpd)
    answer = client.get(httpd.url("/oauth/logout"), follow=False)
    wanted = httpd.url(wanted) if wanted.startswith("/") else wanted
    assert answer.query["post_logout_redirect_uri"] == wanted
    assert Client().get(httpd.url("/oauth/logout"), follow=False).location == wanted


def test_parameters_of_a_logout_link_lead_nowhere(httpd, provider):
    query = "&".join(f"{name}=https://evil.test" for name in
                     ("post_logout_redirect_uri", "next", "redirect", "client_id"))
    for client in (logged_in(httpd), Client()):
        answer = client.get(httpd.url("/oauth/logout?" + query), follow=False)
        assert "evil.test" not in answer.location


@table("method", [(method, method) for method in ("PUT", "DELETE", "PATCH")])
def test_other_methods_do_not_log_out(httpd, method):
    client = logged_in(httpd)
    assert client.request(method, httpd.url("/oauth/logout")).status == 405
    assert client.jar.named(SESSION)
