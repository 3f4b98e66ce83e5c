"""The access token is verified before a role is read from it; one that is no JWT is no error."""

import time

from support.expect import let_in, login_fails, table
from support.jose import Key, b64, rsa_key, unb64
from support.provider import DROP
from support.site import MARKER

LIES = [
    ("iss-of-another", {"iss": "https://evil.test/realms/LearningSoftware"}, "KC0433"),
    ("iss-missing", {"iss": DROP}, "KC0433"),
    ("iss-number", {"iss": 1}, "KC0433"),
    ("azp-of-another", {"azp": "other"}, "KC0434"),
    ("azp-missing", {"azp": DROP}, "KC0434"),
    ("azp-list", {"azp": ["webapp"]}, "KC0434"),
    ("typ-id", {"typ": "ID"}, "KC0432"),
    ("typ-refresh", {"typ": "Refresh"}, "KC0432"),
    ("typ-logout", {"typ": "Logout"}, "KC0432"),
    ("typ-missing", {"typ": DROP}, "KC0432"),
    ("typ-number", {"typ": 1}, "KC0432"),
    ("sub-of-another", {"sub": "11111111-2222-3333-4444-555555555555"}, "KC0435"),
    ("exp-zero", {"exp": 0}, "KC0436"),
    ("exp-missing", {"exp": DROP}, "KC0436"),
    ("exp-string", {"exp": "never"}, "KC0436"),
]


def without_at_hash(provider):
    """The ID token's at_hash shall not be what finds the lie out."""
    provider.lie(id_token={"at_hash": DROP})


@table("changes, message", LIES)
def test_lie_is_found_out(httpd, provider, client, changes, message):
    provider.lie(access_token=changes)
    login_fails(client, httpd, provider, 502, message, path="/admin/")


def test_expired(httpd, provider, client):
    provider.lie(access_token=lambda honest: {**honest, "exp": int(time.time()) - 120})
    login_fails(client, httpd, provider, 502, "KC0436", path="/admin/")


SIGNATURES = [
    ("other-key", {"access_signer": Key("RS256", private=rsa_key("evil")).sign}, "KC0308"),
    ("none", {"access_header": {"alg": "none"}, "access_signer": lambda data: b"x"}, "KC0304"),
    ("cut", {"access_raw": lambda token: token[:-8]}, "KC0308"),
    ("unknown-kid", {"access_header": {"kid": "unknown"}}, "KC0306"),
    ("crit", {"access_header": {"crit": ["exp"]}}, "KC0305"),
]


@table("lie, message", SIGNATURES)
def test_signature_is_verified(httpd, provider, client, lie, message):
    without_at_hash(provider)
    provider.lie(**lie)
    login_fails(client, httpd, provider, 502, message, path="/admin/")


def test_roles_changed_after_signing(httpd, provider, client):
    """bob writes himself the role that he lacks."""
    provider.user = "bob"
    without_at_hash(provider)
    honest = []
    provider.lie(access_raw=lambda token: honest.append(token) or token)
    client.login(httpd.url("/protected/"))
    header, payload, signature = honest[0].split(".")
    forged = unb64(payload).replace(b'"editor"', b'"admin"')
    assert forged != unb64(payload)
    client.jar.clear()
    provider.lie(access_raw=lambda _: ".".join((header, b64(forged), signature)))
    login_fails(client, httpd, provider, 502, "KC0308", path="/admin/")


def test_unsigned_token_counts_as_no_jwt(httpd, provider, client):
    """It is no error then, but nothing is read from it either."""
    without_at_hash(provider)
    provider.lie(access_header={"alg": "none"}, access_signer=lambda data: b"")
    let_in(client.login(httpd.url("/protected/")))
    answer = client.get(httpd.url("/admin/"))
    assert answer.status == 401 and MARKER not in answer.text


@table("token", [
    ("opaque", "an-opaque-token"),
    ("uuid", "5a1f1a4c-9d2c-4c7e-a8f4-1d4e7c2d9b11"),
    ("encrypted", "e30.AAAA.AAAA.AAAA.AAAA"),
])
def test_opaque_access_token_is_no_error(httpd, provider, client, token):
    """Roles come from the ID token then."""
    provider.roles_in = {"id"}
    provider.lie(access_raw=lambda _: token, id_token={"at_hash": DROP})
    let_in(client.login(httpd.url("/admin/")))


def test_lightweight_access_token(httpd, provider, client):
    """KEYCLOAK.md 14: without sub, roles and aud."""
    kept = ("exp", "iat", "jti", "iss", "typ", "azp", "sid", "scope")
    provider.roles_in = {"access", "id"}
    provider.lie(access_token=lambda honest: {name: honest[name] for name in kept})
    let_in(client.login(httpd.url("/admin/")))


def test_rfc_9068_header(httpd, provider, client):
    provider.lie(access_header={"typ": "at+jwt"})
    let_in(client.login(httpd.url("/admin/")))


@table("answer, message", [
    ("missing", {"access_token": DROP}, "KC0610"),
    ("empty", {"access_token": ""}, "KC0609"),
    ("number", {"access_token": 1}, "KC0609"),
    ("type-missing", {"token_type": DROP}, "KC0611"),
    ("type-mac", {"token_type": "mac"}, "KC0611"),
    ("type-number", {"token_type": 1}, "KC0611"),
])
def test_answer_without_a_usable_access_token(httpd, provider, client, answer, message):
    provider.lie(token=answer)
    login_fails(client, httpd, provider, 502, message)


def test_token_type_in_other_letters(httpd, provider, client):
    """RFC 6749 5.1: its value is case insensitive."""
    provider.lie(token={"token_type": "bearer"})
    let_in(client.login(httpd.url("/protected/")))
