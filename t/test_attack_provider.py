"""Attack: a provider that is hostile, or tokens that are real, but of another realm, client or
kind. (Lies about single claims: test_id_token.py, test_access_token.py, test_jws.py,
test_notices.py.)"""

import json

import pytest

from support.attack import harmless, login_at
from support.client import Client
from support.expect import SESSION, let_in, logged_in, no_secrets, table
from support.jose import Key, rsa_key
from support.notices import (admin_action, logout_token, post_admin_action, post_logout_token)
from support.provider import Provider
from support.site import PAGES, settings
from support.wire import Reply

# Real tokens of others

OTHERS = {
    "realm": {"issuer_tail": "-other"},
    "client": {"client_id": "another", "secret": "another-secret"},
}


def accomplice_of(provider, other, same_key=False):
    """A second, honest provider, whose tokens an attacker has. A client of the same realm has its
    issuer and keys; another realm has the key at most."""
    accomplice = Provider(kinds=["ES256"], **OTHERS[other])
    accomplice.key = provider.key if same_key or other == "client" else Key(
        "ES256", kid=provider.key.kid)
    if other == "client":
        accomplice.issuer = provider.issuer
    return accomplice


def grant_of(provider):
    """What the provider knows of its next login."""
    return next(iter(provider.codes.values()))


@table("other", [("realm", "realm"), ("client", "client")])
@table("same_key", [("own-key", False), ("same-key", True)])
@table("which", [("both", ("id_token", "access_token")), ("id-token", ("id_token",)),
                 ("access-token", ("access_token",))])
def test_token_of_another(httpd, provider, client, other, same_key, which):
    """With nonce, subject and time as they should be."""
    provider.sign_with("ES256")
    accomplice = accomplice_of(provider, other, same_key)
    begun = client.get(httpd.url("/protected/"), follow=False)
    back = client.get(begun.location, follow=False).location
    foreign = accomplice.token_answer(grant_of(provider))
    provider.lie(token={name: foreign[name] for name in which})
    answer = harmless(client.get(back))
    assert answer.status == 502
    assert not client.jar.named(SESSION)
    no_secrets(httpd.log.text(), accomplice.secrets)


KINDS = ["id_token", "access_token", "refresh_token"]


@table("one", [(name, name) for name in KINDS])
@table("place", [(name, name) for name in KINDS[:2]])
def test_token_in_the_place_of_another(httpd, provider, client, one, place):
    provider.lie(token=lambda honest: {**honest, place: honest[one]})
    answer = client.login(httpd.url("/protected/"))
    if one == place:
        let_in(answer)
    else:
        assert harmless(answer).status == 502
        assert not client.jar.named(SESSION)


@table("make", [
    ("logout-token", lambda p: logout_token(p, sub=p.users["alice"].sub)),
    ("admin-action", lambda p: admin_action(p, "LOGOUT")),
])
@table("place", [(name, name) for name in KINDS[:2]])
def test_notice_in_the_place_of_a_token(httpd, provider, client, make, place):
    provider.lie(token=lambda honest: {**honest, place: make(provider)})
    assert harmless(client.login(httpd.url("/protected/"))).status == 502
    assert not client.jar.named(SESSION)


@table("other", [("realm", "realm"), ("client", "client")])
@table("send", [
    ("logout-token", lambda httpd, p, sub: post_logout_token(httpd, logout_token(p, sub=sub))),
    ("k-logout", lambda httpd, p, sub: post_admin_action(httpd, "k_logout",
                                                         admin_action(p, "LOGOUT"))),
    ("push", lambda httpd, p, sub: post_admin_action(httpd, "k_push_not_before", admin_action(
        p, "PUSH_NOT_BEFORE", notBefore=4_000_000_000))),
])
def test_notice_of_another(httpd, provider, other, send):
    """A notice for another client of the realm, or of another realm, ends nothing."""
    provider.sign_with("ES256")
    client = logged_in(httpd)
    accomplice = accomplice_of(provider, other)
    answer = harmless(send(httpd, accomplice, provider.users["alice"].sub))
    assert answer.status == 400
    let_in(client.get(httpd.url("/protected/"), follow=False))


@table("kind", [("logout-token", "backchannel-logout"), ("k-logout", "k_logout")])
def test_tokens_of_a_login_are_no_notices(httpd, provider, kind):
    client = logged_in(httpd)
    for token in provider.secrets:
        if token and token.count(".") == 2 and token.startswith("ey"):
            answer = post_logout_token(httpd, token) if kind[0] == "b" else \
                post_admin_action(httpd, kind, token)
            assert harmless(answer).status == 400
    let_in(client.get(httpd.url("/protected/"), follow=False))


# A provider that is hostile, or was taken over. A site for each, all in one server

def text(body, **headers):
    return Reply(200, body.encode() if isinstance(body, str) else body,
                 {"Content-Type": "application/json", **headers})


def key_with(**changes):
    """The key set, with the signing key changed."""
    return lambda honest: {"keys": [{**key, **changes} if key["use"] == "sig" else key
                                    for key in honest["keys"]]}


EC = Key("ES256", kid="kid-ES256")
SMALL = Key("RS256", kid="kid-ES256", private=rsa_key("small", 1024))

HOSTILE = [
    # case, lies, whether a login may succeed all the same
    ("keys-deep", {"jwks_reply": text("[" * 200_000)}, False),
    ("keys-deep-members", {"jwks_reply": text('{"keys":' * 50_000)}, False),
    ("keys-no-list", {"jwks": {"keys": {"a": 1}}}, False),
    ("keys-string", {"jwks": {"keys": "x"}}, False),
    ("keys-null", {"jwks": {"keys": None}}, False),
    ("keys-of-nothing", {"jwks": {"keys": [None, 1, "x", [], {}]}}, False),
    ("keys-empty", {"jwks": {"keys": []}}, False),
    ("keys-thousands", {"jwks": lambda honest: {"keys": [
        *({"kid": f"k{n}", "kty": "EC"} for n in range(5000)), *honest["keys"]]}}, True),
    ("keys-thousands-after", {"jwks": lambda honest: {"keys": [
        *honest["keys"], *({"kid": f"k{n}", "kty": "RSA"} for n in range(5000))]}}, True),
    ("keys-all-of-one-kid", {"jwks": lambda honest: {"keys": [EC.jwk(kid="kid-ES256")
                                                              for _ in range(3000)]}}, False),
    ("keys-of-someone-else", {"jwks": {"keys": [EC.jwk(kid="kid-ES256")]}}, False),
    ("keys-too-many-bytes", {"jwks": {"keys": [], "x": "y" * 2_000_000}}, False),
    ("keys-twice", {"jwks_reply": text('{"keys":[],"keys":[]}')}, False),
    ("keys-redirect", {"jwks_reply": Reply(302, b"", {"Location": "/realms/x"})}, False),
    ("keys-redirect-to-file", {"jwks_reply": Reply(301, b"", {"Location": "file:///etc/passwd"})},
     False),
    ("keys-gzip", {"jwks_reply": text(b"\x1f\x8b\x08" + b"\0" * 100,
                                      **{"Content-Encoding": "gzip"})}, False),
    ("keys-length-lies", {"jwks_reply": lambda honest: honest.like(
        headers={**honest.headers, "Content-Length": "999999999"}, cut=True)}, False),
    ("keys-headers-huge", {"jwks_reply": lambda honest: honest.like(
        headers={**honest.headers, **{f"X-{n}": "y" * 4000 for n in range(90)}})}, False),
    ("kid-number", {"jwks": key_with(kid=1)}, False),
    ("kid-list", {"jwks": key_with(kid=["kid-ES256"])}, False),
    ("kid-huge", {"jwks": key_with(kid="k" * 100_000)}, False),
    ("kty-wrong", {"jwks": key_with(kty="oct", k="AAAA")}, False),
    ("kty-number", {"jwks": key_with(kty=2)}, False),
    ("alg-wrong", {"jwks": key_with(alg="HS256")}, False),
    ("alg-number", {"jwks": key_with(alg=256)}, False),
    ("use-enc", {"jwks": key_with(use="enc")}, False),
    ("use-number", {"jwks": key_with(use=7)}, False),
    ("key-ops-encrypt", {"jwks": key_with(key_ops=["encrypt"])}, False),
    ("curve-other", {"jwks": key_with(crv="P-521")}, False),
    ("curve-unknown", {"jwks": key_with(crv="secp256k1")}, False),
    ("curve-list", {"jwks": key_with(crv=["P-256"])}, False),
    ("point-off-the-curve", {"jwks": key_with(y=EC.jwk()["x"])}, False),
    ("point-at-zero", {"jwks": key_with(x="A" * 43, y="A" * 43)}, False),
    ("point-short", {"jwks": key_with(x="AA")}, False),
    ("point-long", {"jwks": key_with(x="A" * 50_000)}, False),
    ("point-number", {"jwks": key_with(x=1, y=2)}, False),
    ("point-no-base64", {"jwks": key_with(x="!" * 43)}, False),
    ("rsa-small", {"jwks": {"keys": [SMALL.jwk()]}, "id_header": {"alg": "RS256"},
                   "access_header": {"alg": "RS256"}, "id_signer": SMALL.sign,
                   "access_signer": SMALL.sign}, False),
    ("rsa-huge", {"jwks": {"keys": [{"kty": "RSA", "kid": "kid-ES256", "alg": "RS256", "use": "sig",
                                     "n": "_" * 100_000, "e": "AQAB"}]},
                  "id_header": {"alg": "RS256"}}, False),
    ("rsa-exponent-one", {"jwks": {"keys": [{"kty": "RSA", "kid": "kid-ES256", "alg": "RS256",
                                             "use": "sig", "n": "_" * 342, "e": "AQ"}]},
                          "id_header": {"alg": "RS256"}}, False),
    ("rsa-exponent-huge", {"jwks": {"keys": [{"kty": "RSA", "kid": "kid-ES256", "alg": "RS256",
                                              "use": "sig", "n": "_" * 342, "e": "_" * 342}]},
                           "id_header": {"alg": "RS256"}}, False),
    ("metadata-deep", {"discovery_reply": text('{"a":' * 200_000)}, False),
    ("metadata-thousands", {"discovery": {f"m{n}": n for n in range(20_000)}}, True),
    ("metadata-too-many-bytes", {"discovery": {"x": "y" * 2_000_000}}, False),
    ("metadata-redirect", {"discovery_reply": Reply(302, b"", {"Location": "http://a.test/"})},
     False),
    ("metadata-number", {"discovery_reply": text("1e999999")}, False),
    ("metadata-nul", {"discovery_reply": text("\0" * 1000)}, False),
    ("metadata-latin", {"discovery_reply": text(b'{"issuer":"\xff\xfe"}')}, False),
    ("metadata-twice", {"discovery_reply": lambda honest: honest.like(
        body=honest.body[:-1] + b',"issuer":"https://evil.test"}')}, False),
    ("endpoints-list", {"discovery": lambda honest: {
        **honest, "token_endpoint": [honest["token_endpoint"]]}}, False),
    ("endpoints-object", {"discovery": {"authorization_endpoint": {"url": "https://evil.test"}}},
     False),
    ("endpoint-line-break", {"discovery": {"authorization_endpoint": "https://a.test/\nX: y"}},
     False),
    ("endpoint-backslash", {"discovery": {"authorization_endpoint": "https:\\\\evil.test\\"}},
     False),
    ("endpoint-blank", {"discovery": {"authorization_endpoint": "https://a b.test/"}}, False),
    ("endpoint-long", {"discovery": {"authorization_endpoint": "https://a.test/" + "x" * 9000}},
     False),
    ("algorithms-number", {"discovery": {"id_token_signing_alg_values_supported": 5}}, False),
    ("algorithms-nested", {"discovery": {"id_token_signing_alg_values_supported": [["ES256"]]}},
     False),
    ("methods-number", {"discovery": {"token_endpoint_auth_methods_supported": [1, None, {}]}},
     True),
    ("scopes-object", {"discovery": {"scopes_supported": {"roles": 1}}}, True),
    ("token-deep", {"token_reply": text('{"a":[' * 100_000)}, False),
    ("token-roles-no-strings", {"access_token": {"resource_access": {"webapp": {"roles": [
        1, None, [], {}, "x"]}}}}, True),
    ("token-roles-deep", {"access_token": {"resource_access": {"webapp": {"roles": json.loads(
        "[" * 200 + "]" * 200)}}}}, True),
    ("token-name-huge", {"id_token": {"name": "n" * 200_000}}, False),
    ("token-name-of-controls", {"id_token": {"name": "a\r\nX: y\x1b[31m",
                                             "preferred_username": "a\r\nb"}}, True),
    ("token-name-empty", {"id_token": {"preferred_username": ""}}, True),
    ("token-sub-huge", {"id_token": {"sub": "s" * 100_000}}, False),
    ("token-sid-of-controls", {"id_token": {"sid": "a\r\n\x1b"}}, True),
]


@pytest.fixture(scope="module")
def hostile(lasting_httpd, lasting_provider):
    config = ""
    for name, lies, _ in HOSTILE:
        provider = lasting_provider(kinds=["ES256"])
        provider.lie(**lies)
        config += (f"<VirtualHost 127.0.0.1:${{PORT}}>\nServerName {name}.test\n"
                   + settings(provider, KCAuthBaseURL="http://localhost:${PORT}", KCAuthTimeout=3)
                   + PAGES + "</VirtualHost>\n")
    return lasting_httpd(config, wait=False)


@table("name, may_succeed", [(name, name, may) for name, _, may in HOSTILE])
def test_hostile_provider(hostile, name, may_succeed):
    httpd = hostile
    client, answer = login_at(httpd, name + ".test")
    harmless(answer)
    assert "passwd" not in answer.text and "evil.test" not in str(answer.headers)
    if not may_succeed:
        assert answer.status in (502, 503, 413), answer.text
        assert not client.jar.named(SESSION)
    else:
        assert answer.status in (303, 502)
    assert Client().get(httpd.url("/"), {"Host": name + ".test"}).status == 200
    assert not httpd.log.lines(r"^(?!\[)")
