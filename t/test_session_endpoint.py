"""What a single-page application is told about its session."""

import json
import time

from support.client import Client
from support.expect import logged_in, table
from support.site import seen


def ask(client, httpd):
    answer = client.fetch(httpd.url("/oauth/session"))
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    return json.loads(answer.text)


def test_session(new_site):
    httpd, provider = new_site(KCAuthSessionIdle=100, KCAuthKeepRoles="realm:staff")
    alice = provider.users["alice"]
    begin = int(time.time())
    told = ask(logged_in(httpd), httpd)
    assert begin <= told.pop("roles_read") <= time.time()
    assert 90 < told.pop("seconds_left") <= 100
    assert told == {"sub": alice.sub, "username": "alice", "name": "Alice Adams",
                    "email": "alice@example.org", "roles": ["admin"], "realm_roles": ["staff"]}


def test_time_that_is_left_is_of_the_nearer_end(new_site):
    httpd, _ = new_site(KCAuthSessionIdle=1000, KCAuthSessionMax=50)
    client = logged_in(httpd)
    assert 40 < ask(client, httpd)["seconds_left"] <= 50


def test_asking_is_no_use_of_the_session(new_site, clock):
    """An application that asks in the background keeps nobody logged in."""
    httpd, _ = new_site(KCAuthSessionIdle=60)
    client = logged_in(httpd)
    for _ in range(2):
        clock.forward(20)
        ask(client, httpd)
    clock.forward(21)
    assert client.fetch(httpd.url("/oauth/session")).status == 401


def test_roles_after_a_renewal(new_site, clock):
    httpd, provider = new_site(KCAuthRevalidate=30)
    client = logged_in(httpd)
    before = ask(client, httpd)
    provider.users["alice"].client_roles = {"webapp": ["editor", "büro", 'a "b"']}
    clock.forward(30)
    seen(client.get(httpd.url("/protected/show")))
    after = ask(client, httpd)
    assert after["roles"] == ["editor", "büro", 'a "b"']
    assert after["roles_read"] > before["roles_read"]


def test_person_of_whom_little_is_known(new_site):
    httpd, provider = new_site()
    provider.user = "dave"
    told = ask(logged_in(httpd), httpd)
    assert (told["username"], told["name"], told["email"], told["roles"]) == ("dave", "", "", [])


def test_without_a_session(new_site):
    httpd, provider = new_site()
    answer = Client().fetch(httpd.url("/oauth/session"))
    assert answer.status == 401
    assert json.loads(answer.text) == {"error": "login_required",
                                       "login": httpd.url("/oauth/login")}
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert not answer.set_cookies
    assert answer.headers["WWW-Authenticate"].startswith("Keycloak login=")


def test_after_logout(new_site):
    httpd, _ = new_site()
    client = logged_in(httpd)
    client.get(httpd.url("/oauth/logout"), follow=False)
    assert client.fetch(httpd.url("/oauth/session")).status == 401


def test_navigation_is_answered_the_same_way(new_site):
    """Nobody is led to a login page by it."""
    httpd, _ = new_site()
    assert Client().get(httpd.url("/oauth/session"), follow=False).status == 401
    assert logged_in(httpd).get(httpd.url("/oauth/session"), follow=False).status == 200


@table("method", [(method, method) for method in ("POST", "PUT", "DELETE")])
def test_other_methods(httpd, method):
    assert logged_in(httpd).request(method, httpd.url("/oauth/session")).status == 405


def test_no_token_and_no_other_origin(httpd, provider):
    client = logged_in(httpd)
    answer = client.fetch(httpd.url("/oauth/session"), headers={"Origin": "https://evil.test"})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not [secret for secret in provider.secrets if secret and secret in answer.text]
