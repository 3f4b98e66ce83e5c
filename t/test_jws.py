"""Signatures: every algorithm that Keycloak offers, and every trick with a JWS."""

import json
import time

from support.client import Client
from support.expect import SESSION, let_in, login_fails, refused, table
from support.jose import ALGORITHMS, EDWARDS, Key, b64, hmac_sign, rsa_key, unb64
from support.provider import DROP


@table("kind", [(kind, kind) for kind in ALGORITHMS])
def test_honest_algorithm(httpd, provider, client, kind):
    provider.sign_with(kind)
    let_in(client.login(httpd.url("/admin/")))


@table("kind", [(kind, kind) for kind in ALGORITHMS])
def test_signature_of_another_key(httpd, provider, client, kind):
    provider.sign_with(kind)
    private = rsa_key("evil") if kind[0] in "RP" else None
    provider.lie(id_signer=Key(kind, private=private).sign)
    login_fails(client, httpd, provider, 502, "KC0308")


@table("kind", [(kind, kind) for kind in ALGORITHMS])
def test_at_hash_of_every_algorithm(httpd, provider, client, kind):
    provider.sign_with(kind)
    provider.lie(id_token=lambda honest: {**honest, "at_hash": flipped(honest["at_hash"])})
    login_fails(client, httpd, provider, 502, "KC0412")


def flipped(text):
    return ("B" if text[0] == "A" else "A") + text[1:]


# The header

HEADERS = [
    ("alg-none", {"alg": "none"}, "KC0304"),
    ("alg-none-capitals", {"alg": "NONE"}, "KC0304"),
    ("alg-missing", {"alg": DROP}, "KC0304"),
    ("alg-empty", {"alg": ""}, "KC0304"),
    ("alg-number", {"alg": 256}, "KC0304"),
    ("alg-list", {"alg": ["RS256"]}, "KC0304"),
    ("alg-unknown", {"alg": "XS256"}, "KC0304"),
    ("alg-small-letters", {"alg": "rs256"}, "KC0304"),
    ("alg-longer", {"alg": "RS256 "}, "KC0304"),
    ("alg-of-encryption", {"alg": "RSA-OAEP"}, "KC0304"),
    ("alg-of-another-hash", {"alg": "RS512"}, "KC0306"),
    ("alg-of-another-kind", {"alg": "ES256"}, "KC0306"),
    ("alg-sha1", {"alg": "RS1"}, "KC0304"),
    ("crit", {"crit": ["exp"], "exp": 1}, "KC0305"),
    ("crit-empty", {"crit": []}, "KC0305"),
    ("crit-null", {"crit": None}, "KC0305"),
    ("crit-b64", {"crit": ["b64"], "b64": False}, "KC0305"),
    ("b64-false", {"b64": False}, "KC0305"),
    ("zip", {"zip": "DEF"}, "KC0305"),
    ("cty-nested", {"cty": "JWT"}, "KC0305"),
    ("kid-unknown", {"kid": "unknown"}, "KC0306"),
    ("kid-of-encryption", {"kid": "kid-enc"}, "KC0306"),
    ("kid-of-another-alg", {"kid": "kid-ES256"}, "KC0306"),
    ("kid-empty", {"kid": ""}, "KC0303"),
    ("kid-number", {"kid": 1}, "KC0303"),
    ("kid-long", {"kid": "k" * 20000}, "KC0306"),
    ("kid-control-characters", {"kid": "a\r\nb\x1b[31m"}, "KC0306"),
]


@table("changes, message", HEADERS)
def test_header(httpd, provider, client, changes, message):
    provider.lie(id_header=changes)
    login_fails(client, httpd, provider, 502, message)


def evil():
    return Key("RS256", kid="evil", private=rsa_key("evil"))


CARRIED = [
    ("jwk", lambda provider: {"jwk": evil().jwk()}, "KC0308"),
    ("jwk-with-good-kid", lambda provider: {"jwk": evil().jwk(kid=provider.key.kid)}, "KC0308"),
    ("jku", lambda provider: {"jku": provider.origin + "/evil", "kid": "evil"}, "KC0306"),
    ("x5u", lambda provider: {"x5u": provider.origin + "/evil", "kid": "evil"}, "KC0306"),
    ("x5c", lambda provider: {"x5c": [b64(evil().public_pem())]}, "KC0308"),
]


@table("header, message", CARRIED)
def test_key_that_the_token_carries_is_not_looked_at(httpd, provider, client, header, message):
    provider.lie(id_header=header(provider), id_signer=evil().sign)
    login_fails(client, httpd, provider, 502, message)
    assert not provider.calls("unknown")


def test_key_that_the_honest_token_carries_does_no_harm(httpd, provider, client):
    provider.lie(id_header={"x5t": "AAAA", "typ": "jwt"})
    let_in(client.login(httpd.url("/protected/")))


@table("secret", [
    ("public-key-pem", lambda provider: provider.key.public_pem()),
    ("public-key-pem-stripped", lambda provider: provider.key.public_pem().strip()),
    ("public-key-n", lambda provider: unb64(provider.key.jwk()["n"])),
    ("client-secret", lambda provider: provider.secret.encode()),
    ("empty", lambda provider: b""),
])
@table("alg", [(alg, alg) for alg in ("HS256", "HS384", "HS512")])
def test_hmac_is_never_accepted(httpd, provider, client, alg, secret):
    provider.lie(id_header={"alg": alg}, id_signer=hmac_sign(secret(provider), alg))
    login_fails(client, httpd, provider, 502, "KC0304")


@table("case", [
    ("header-alg", ('"alg":"RS256",', '"alg":"RS256","alg":"RS256",')),
    ("header-kid", ('"kid":', '"kid":"x","kid":')),
])
def test_duplicate_member_in_the_header(httpd, provider, client, case):
    old, new = case
    provider.lie(id_text=lambda pair: (compact_json(pair[0]).replace(old, new), pair[1]))
    login_fails(client, httpd, provider, 502, "KC0303")


@table("member", [(name, name) for name in ("iss", "aud", "sub", "nonce", "exp", "typ", "acr")])
def test_duplicate_member_in_the_payload(httpd, provider, client, member):
    def twice(pair):
        header, claims = pair
        return header, compact_json(claims)[:-1] + f',"{member}":{json.dumps(claims[member])}}}'
    provider.lie(id_text=twice)
    login_fails(client, httpd, provider, 502, "KC0303")


def test_duplicate_member_in_the_depth(httpd, provider, client):
    provider.lie(id_text=lambda pair: (
        pair[0], compact_json(pair[1])[:-1] + ',"x":{"a":1,"a":2}}'))
    login_fails(client, httpd, provider, 502, "KC0303")


def compact_json(value):
    return json.dumps(value, separators=(",", ":"))


PAYLOADS = [
    ("list", "[]", "KC0303"),
    ("string", '"x"', "KC0303"),
    ("number", "1", "KC0303"),
    ("null", "null", "KC0303"),
    ("empty", "", "KC0302"),
    ("no-json", "{iss:1}", "KC0303"),
    ("cut", '{"iss":"', "KC0303"),
    ("trailing", "{} {}", "KC0303"),
    ("deep", '{"a":' + "[" * 5000 + "]" * 5000 + "}", "KC0303"),
    ("nul", '{"iss":"a\\u0000b"}', "KC0303"),
]


@table("payload, message", PAYLOADS)
def test_payload_that_is_no_object(httpd, provider, client, payload, message):
    provider.lie(id_text=lambda pair: (pair[0], payload))
    login_fails(client, httpd, provider, 502, message)


# The compact form

def parts(change):
    """A lie that changes the three parts of a token."""
    return lambda token: ".".join(change(*token.split(".")))


FORMS = [
    ("no-signature", parts(lambda h, p, s: (h, p, "")), "KC0302"),
    ("signature-gone", parts(lambda h, p, s: (h, p)), "KC0302"),
    ("signature-cut", parts(lambda h, p, s: (h, p, s[:-4])), "KC0308"),
    ("signature-one-bit", parts(lambda h, p, s: (h, p, b64(flip(unb64(s))))), "KC0308"),
    ("signature-longer", parts(lambda h, p, s: (h, p, b64(unb64(s) + b"\0"))), "KC0308"),
    ("signature-zeros", parts(lambda h, p, s: (h, p, b64(bytes(256)))), "KC0308"),
    ("payload-one-bit", parts(lambda h, p, s: (h, b64(flip(unb64(p))), s)), "KC0308"),
    ("header-one-bit", parts(lambda h, p, s: (b64(flip(unb64(h))), p, s)), "KC0304"),
    ("header-empty", parts(lambda h, p, s: ("", p, s)), "KC0302"),
    ("payload-empty", parts(lambda h, p, s: (h, "", s)), "KC0302"),
    ("fourth-part", lambda token: token + ".AAAA", "KC0302"),
    ("dot-at-the-end", lambda token: token + ".", "KC0302"),
    ("blank-at-the-end", lambda token: token + " ", "KC0609"),
    ("newline-at-the-end", lambda token: token + "\n", "KC0609"),
    ("padding", lambda token: token + "==", "KC0302"),
    ("junk-at-the-end", lambda token: token + "!", "KC0302"),
    ("newline-inside", lambda token: token[:20] + "\n" + token[20:], "KC0609"),
    ("standard-base64", parts(lambda h, p, s: (h, p, "+/" + s[2:])), "KC0302"),
    ("stray-bits", parts(lambda h, p, s: (h, p, s[:-1] + stray(s[-1]))), "KC0308"),
    ("not-ascii", lambda token: token[:-1] + "é", "KC0609"),
    ("nul", lambda token: token[:30] + "\0" + token[30:], "KC0608"),
]


def flip(data):
    return data[:10] + bytes([data[10] ^ 1]) + data[11:]


def stray(character):
    """The same value with a bit set that carries nothing: 256 bytes leave four such bits."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(character) | 1]


@table("change, message", FORMS)
def test_form(httpd, provider, client, change, message):
    provider.lie(id_raw=change)
    login_fails(client, httpd, provider, 502, message)


@table("change", [
    ("cut", lambda raw: raw[:-1]),
    ("longer", lambda raw: raw + b"\0"),
    ("zeros", lambda raw: bytes(64)),
    ("ones", lambda raw: b"\xff" * 64),
    ("r-zero", lambda raw: bytes(32) + raw[32:]),
    ("s-zero", lambda raw: raw[:32] + bytes(32)),
    ("half", lambda raw: raw[:32]),
    ("der", lambda raw: der(raw)),
    ("swapped", lambda raw: raw[32:] + raw[:32]),
])
def test_ecdsa_signature(httpd, provider, client, change):
    provider.sign_with("ES256")
    provider.lie(id_signer=lambda data: change(provider.key.sign(data)))
    login_fails(client, httpd, provider, 502, "KC0308")


def der(raw):
    from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
    return encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))


@table("kind, other", [
    ("rs-as-ps", "PS256", "RS256"),
    ("ps-as-rs", "RS256", "PS256"),
    ("rs256-as-rs512", "RS512", "RS256"),
])
def test_algorithm_that_is_not_the_key_s(httpd, provider, client, kind, other):
    """The header says `other`, and is signed so, by a key whose alg is `kind`."""
    provider.sign_with(kind)
    provider.lie(id_header={"alg": other}, id_signer=lambda data: provider.key.sign(data, other))
    login_fails(client, httpd, provider, 502, "KC0306")


@table("kind", [(kind, kind) for kind in EDWARDS])
def test_edwards_signature_cut(httpd, provider, client, kind):
    provider.sign_with(kind)
    provider.lie(id_signer=lambda data: provider.key.sign(data)[:-1])
    login_fails(client, httpd, provider, 502, "KC0308")


# Key sets

def key_set(*keys):
    return lambda honest: {"keys": list(keys)}


def spoiled(provider):
    """Keys that nobody can use, before a good one."""
    good = provider.keys[0].jwk()
    return [
        {"kty": "oct", "k": "AAAA", "kid": "a"},
        {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA", "kid": "b", "use": "sig"},
        {"kty": "EC", "crv": "secp256k1", "x": "AAAA", "y": "AAAA", "kid": "c"},
        {"kty": "EC", "crv": "P-256", "x": b64(bytes(32)), "y": b64(bytes(32)), "kid": "d"},
        {"kty": "OKP", "crv": "X25519", "x": b64(bytes(32)), "kid": "e"},
        {"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "f"},
        {"kty": "RSA", "kid": "g"},
        {"kid": "h"},
        {},
        {**good, "kid": 5},
        good,
    ]


def test_keys_of_unknown_kind_are_passed_over(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    provider.lie(jwks={"keys": spoiled(provider)})
    httpd = new_httpd(provider=provider)
    let_in(Client().login(httpd.url("/protected/")))


@table("kind, change", [
    ("use-enc", "RS256", {"use": "enc"}),
    ("use-unknown", "RS256", {"use": "other"}),
    ("alg-of-another", "RS256", {"alg": "PS256"}),
    ("alg-of-encryption", "RS256", {"alg": "RSA-OAEP"}),
    ("key-ops-encrypt", "RS256", {"use": None, "key_ops": ["encrypt"]}),
    ("kty-wrong", "RS256", {"kty": "EC"}),
    ("crv-wrong", "ES256", {"crv": "P-384"}),
    ("exponent-one", "RS256", {"e": "AQ"}),
])
def test_key_that_may_not_verify(new_httpd, new_provider, kind, change):
    provider = new_provider(kinds=[kind])
    good = Key("ES256", kid="good")
    provider.lie(jwks=key_set(provider.key.jwk(**change), good.jwk()))
    httpd = new_httpd(provider=provider)
    client = Client()
    refused(client.login(httpd.url("/protected/")), httpd, 502, "KC0306")
    assert not client.jar.named(SESSION)


def test_small_rsa_key_is_not_used(new_httpd, new_provider):
    provider = new_provider(kinds=["RS256"])
    provider.key = Key("RS256", kid="small", private=rsa_key("small", 1024))
    provider.keys = [*provider.keys, provider.key]
    httpd = new_httpd(provider=provider)
    refused(Client().login(httpd.url("/protected/")), httpd, 502, "KC0306")


def test_set_without_a_usable_key(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    provider.lie(jwks=key_set(provider.key.jwk(use="enc")))
    httpd = new_httpd(provider=provider, wait=False)
    refused(Client().login(httpd.url("/protected/")), httpd, 502, "KC0244")


@table("change", [
    ("use-absent", {"use": None}),
    ("alg-absent", {"alg": None}),
    ("both-absent", {"alg": None, "use": None}),
    ("key-ops", {"use": None, "key_ops": ["verify"]}),
    ("with-certificate", {"x5c": ["AAAA"], "x5t": "AAAA"}),
])
def test_key_that_says_less(new_httpd, new_provider, change):
    provider = new_provider(kinds=["RS256"])
    provider.lie(jwks=key_set(provider.key.jwk(**change)))
    httpd = new_httpd(provider=provider)
    let_in(Client().login(httpd.url("/protected/")))


def test_no_kid_with_one_key(new_httpd, new_provider):
    """OpenID Connect Core 10.1; the encryption key beside it does not count."""
    provider = new_provider(kinds=["RS256"])
    provider.lie(id_header={"kid": DROP}, access_header={"kid": DROP})
    httpd = new_httpd(provider=provider)
    let_in(Client().login(httpd.url("/admin/")))


def test_no_kid_with_several_keys(new_httpd, new_provider):
    provider = new_provider(kinds=["RS256"])
    provider.keys = [*provider.keys, Key("RS256", kid="another", private=rsa_key("another"))]
    provider.lie(id_header={"kid": DROP})
    httpd = new_httpd(provider=provider)
    refused(Client().login(httpd.url("/protected/")), httpd, 502, "KC0307")


def test_keys_changed_just_before_signing(new_httpd, new_provider):
    """An unknown kid brings the keys anew, once."""
    provider = new_provider(kinds=["RS256"])
    httpd = new_httpd(provider=provider)
    let_in(Client().login(httpd.url("/protected/")))
    provider.rotate()
    before = provider.count("jwks")
    let_in(Client().login(httpd.url("/admin/")))
    assert provider.count("jwks") == before + 1


def test_unknown_kids_do_not_flood_the_provider(new_httpd, new_provider):
    """At most one refresh in ten seconds."""
    provider = new_provider(kinds=["RS256"])
    httpd = new_httpd(provider=provider)
    provider.lie(id_header={"kid": "unknown"})
    before, begin = provider.count("jwks"), time.monotonic()
    for _ in range(8):
        assert Client().login(httpd.url("/protected/")).status == 502
    assert time.monotonic() - begin < 9
    assert provider.count("jwks") <= before + 1


def test_algorithm_that_the_metadata_does_not_list(new_httpd, new_provider):
    provider = new_provider(kinds=["RS256", "ES256"])
    provider.lie(discovery={"id_token_signing_alg_values_supported": ["ES256", "HS256", "none"]})
    httpd = new_httpd(provider=provider)
    assert Client().login(httpd.url("/protected/")).status == 502
    provider.sign_with("ES256")
    let_in(Client().login(httpd.url("/protected/")))
