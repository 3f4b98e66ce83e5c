"""Userinfo: asked when the tokens hold no role or name, believed when its sub is theirs."""

from support.client import Client
from support.expect import let_in, login_fails, table
from support.provider import DROP, Reply
from support.site import seen


def asked(provider):
    return provider.count("userinfo")


def test_not_asked_when_the_tokens_say_it_all(httpd, provider, client):
    let_in(client.login(httpd.url("/admin/")))
    assert asked(provider) == 0


def test_roles_of_userinfo(httpd, provider, client):
    provider.roles_in = {"userinfo"}
    let_in(client.login(httpd.url("/admin/")))
    assert asked(provider) == 1
    request, = provider.calls("userinfo")
    assert request.headers["authorization"].startswith("Bearer ")
    assert request.query == {}


def test_roles_of_the_id_token_come_before(httpd, provider, client):
    provider.roles_in = {"id"}
    let_in(client.login(httpd.url("/admin/")))
    assert asked(provider) == 0


def test_access_token_comes_first(httpd, provider, client):
    """The others add nothing to it: roles are replaced, never mixed."""
    provider.user = "bob"
    provider.lie(id_token={"resource_access": {"webapp": {"roles": ["admin"]}}})
    client.login(httpd.url("/protected/"))
    assert client.get(httpd.url("/admin/")).status in (401, 403)


def test_name_of_userinfo(httpd, provider, client):
    provider.lie(id_token={"preferred_username": DROP, "name": DROP, "email": DROP},
                 access_token={"preferred_username": DROP, "name": DROP, "email": DROP})
    env = seen(client.login(httpd.url("/protected/show")))
    assert env["REMOTE_USER"] == "alice"
    assert env["KC_NAME"] == "Alice Adams"
    assert env["KC_EMAIL"] == "alice@example.org"


SUBS = [
    ("of-another", {"sub": "11111111-2222-3333-4444-555555555555"}),
    ("missing", {"sub": DROP}),
    ("empty", {"sub": ""}),
    ("number", {"sub": 1}),
]


@table("claims", SUBS)
def test_sub_must_match(httpd, provider, client, claims):
    provider.roles_in = {"userinfo"}
    provider.lie(userinfo=claims)
    login_fails(client, httpd, provider, 502, "KC04..", path="/admin/")


@table("reply, status", [
    ("500", Reply(500), 503),
    ("503", Reply(503), 503),
    ("302", Reply(302, b"", {"Location": "/elsewhere"}), 502),
    ("html", Reply(200, b"<html>", {"Content-Type": "text/html"}), 502),
    ("no-json", Reply(200, b"hello", {"Content-Type": "application/json"}), 502),
    ("list", Reply(200, b"[]", {"Content-Type": "application/json"}), 502),
    ("empty", Reply(200, b"", {"Content-Type": "application/json"}), 502),
    ("twice", Reply(200, b'{"sub":"a","sub":"b"}', {"Content-Type": "application/json"}), 502),
    ("cut", Reply(200, b'{"sub":"' + b"x" * 500, {"Content-Type": "application/json"}, cut=True),
     503),
    ("huge", Reply(200, b'{"x":"' + b"y" * 2_000_000 + b'"}',
                   {"Content-Type": "application/json"}), 502),
])
def test_answer_that_cannot_be_believed(httpd, provider, client, reply, status):
    provider.roles_in = {"userinfo"}
    provider.lie(userinfo_reply=reply)
    login_fails(client, httpd, provider, status, "KC0[24]..", path="/admin/")


@table("status", [("401", 401), ("403", 403)])
def test_refusal_means_no_roles(httpd, provider, client, status):
    """KEYCLOAK.md 14: what a lightweight access token gets is no error."""
    provider.roles_in = {"userinfo"}
    provider.lie(userinfo_reply=Reply(status, b"", {"WWW-Authenticate": "Bearer"}))
    let_in(client.login(httpd.url("/protected/")))
    assert client.get(httpd.url("/admin/")).status == 401


def test_metadata_without_userinfo(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    provider.lie(discovery={"userinfo_endpoint": DROP})
    provider.roles_in = set()
    httpd = new_httpd(provider=provider)
    let_in(Client().login(httpd.url("/protected/")))


def test_on(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthUserInfo="on")
    let_in(Client().login(httpd.url("/protected/")))
    assert asked(provider) == 1


def test_off(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    provider.roles_in = {"userinfo"}
    httpd = new_httpd(provider=provider, KCAuthUserInfo="off")
    client = Client()
    let_in(client.login(httpd.url("/protected/")))
    assert client.get(httpd.url("/admin/")).status in (401, 403)
    assert asked(provider) == 0


def test_person_without_anything(httpd, provider, client):
    """No e-mail, no preferred_username, no roles, in any token or userinfo: name is the sub."""
    provider.user = "dave"
    nothing = {"preferred_username": DROP, "email_verified": DROP}
    provider.lie(id_token=nothing, access_token=nothing, userinfo=nothing)
    env = seen(client.login(httpd.url("/protected/show")))
    assert env["REMOTE_USER"] == env["KC_USER_ID"] == provider.users["dave"].sub
    assert env.get("KC_EMAIL", "") == "" and env.get("KC_ROLES", "") == ""
