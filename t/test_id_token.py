"""The rules of the ID token: OpenID Connect Core 3.1.3.7."""

import time

from support.expect import let_in, logged_in, login_fails, table
from support.provider import DROP

PROVIDER = "KC0[34].."


def at(seconds):
    """A claim's value: so many seconds from when the token is made."""
    return lambda: int(time.time()) + seconds


LIES = [
    # case, claims that replace the honest ones
    ("iss-of-another", {"iss": "https://evil.test/realms/LearningSoftware"}),
    ("iss-with-slash", {"iss": lambda honest: honest + "/"}),
    ("iss-in-capitals", {"iss": lambda honest: honest.upper()}),
    ("iss-shorter", {"iss": lambda honest: honest[:-1]}),
    ("iss-missing", {"iss": DROP}),
    ("iss-empty", {"iss": ""}),
    ("iss-list", {"iss": lambda honest: [honest]}),
    ("iss-null", {"iss": None}),
    ("aud-of-another", {"aud": "other"}),
    ("aud-shorter", {"aud": "webap"}),
    ("aud-longer", {"aud": "webapp2"}),
    ("aud-in-capitals", {"aud": "WEBAPP"}),
    ("aud-others", {"aud": ["other", "another"]}),
    ("aud-empty-list", {"aud": []}),
    ("aud-nested", {"aud": [["webapp"]]}),
    ("aud-object", {"aud": {"webapp": True}}),
    ("aud-number", {"aud": 1}),
    ("aud-missing", {"aud": DROP}),
    ("azp-of-another", {"azp": "other"}),
    ("azp-of-another-aud-both", {"aud": ["webapp", "other"], "azp": "other"}),
    ("azp-number", {"azp": 5}),
    ("exp-past", {"exp": at(-120)}),
    ("exp-zero", {"exp": 0}),
    ("exp-negative", {"exp": -1}),
    ("exp-string", {"exp": lambda honest: str(honest)}),
    ("exp-missing", {"exp": DROP}),
    ("exp-null", {"exp": None}),
    ("exp-list", {"exp": lambda honest: [honest]}),
    ("iat-future", {"iat": at(600)}),
    ("iat-missing", {"iat": DROP}),
    ("iat-string", {"iat": "yesterday"}),
    ("nonce-of-another", {"nonce": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}),
    ("nonce-longer", {"nonce": lambda honest: honest + "A"}),
    ("nonce-shorter", {"nonce": lambda honest: honest[:-1]}),
    ("nonce-empty", {"nonce": ""}),
    ("nonce-missing", {"nonce": DROP}),
    ("nonce-number", {"nonce": 7}),
    ("nonce-list", {"nonce": lambda honest: [honest]}),
    ("at_hash-wrong", {"at_hash": "A" * 22}),
    ("at_hash-short", {"at_hash": lambda honest: honest[:10]}),
    ("at_hash-empty", {"at_hash": ""}),
    ("at_hash-number", {"at_hash": 1}),
    ("sub-missing", {"sub": DROP}),
    ("sub-empty", {"sub": ""}),
    ("sub-number", {"sub": 17}),
    ("sub-null", {"sub": None}),
    ("sub-of-another-than-the-access-token", {"sub": "11111111-2222-3333-4444-555555555555"}),
]


def claims(changes):
    """The lie: a change may be a function, of the honest value or of nothing (a time)."""
    def lie(honest):
        changed = dict(honest)
        for name, value in changes.items():
            if value is DROP:
                del changed[name]
            elif not callable(value):
                changed[name] = value
            elif value.__code__.co_argcount:
                changed[name] = value(honest[name])
            else:
                changed[name] = value()
        return changed
    return lie


@table("changes", LIES)
def test_lie_is_found_out(httpd, provider, client, changes):
    provider.lie(id_token=claims(changes))
    login_fails(client, httpd, provider, 502, PROVIDER)


@table("changes", [
    ("aud-list", {"aud": ["webapp"]}),
    ("aud-with-another", {"aud": ["other", "webapp"]}),
    ("exp-within-clock-difference", {"exp": at(-20)}),
    ("iat-within-clock-difference", {"iat": at(20)}),
    ("at_hash-missing", {"at_hash": DROP}),
    ("azp-missing", {"azp": DROP}),
    ("auth_time-missing", {"auth_time": DROP}),
    ("acr-and-sid-missing", {"acr": DROP, "sid": DROP}),
    ("typ-missing", {"typ": DROP}),
    ("unknown-claims", {"colour": "green", "deep": {"a": [1, {"b": None}]}}),
    ("exp-far", {"exp": at(10 ** 9)}),
])
def test_unusual_truth_is_believed(httpd, provider, client, changes):
    provider.lie(id_token=claims(changes))
    let_in(client.login(httpd.url("/protected/")))


TOKENS = [
    # case, what stands in the answer instead of the ID token
    ("missing", DROP),
    ("empty", ""),
    ("null", None),
    ("number", 5),
    ("object", {"token": 1}),
    ("no-jwt", "hello"),
    ("dots", ".."),
    ("two-parts", "e30.e30"),
    ("five-parts-encrypted", "e30.AAAA.AAAA.AAAA.AAAA"),
    ("huge", "e30." + "A" * 300_000 + ".AAAA"),
]


@table("token", TOKENS)
def test_answer_without_a_usable_id_token(httpd, provider, client, token):
    provider.lie(token={"id_token": token})
    login_fails(client, httpd, provider, 502, "KC0[346]..")


def test_access_token_is_no_id_token(httpd, provider, client):
    provider.lie(token=lambda honest: {**honest, "id_token": honest["access_token"]})
    login_fails(client, httpd, provider, 502, PROVIDER)


def test_id_token_of_another_login(httpd, provider, client):
    """A token that was good for another person's nonce."""
    stolen = []
    provider.lie(id_raw=lambda token: stolen.append(token) or token)
    logged_in(httpd)
    provider.lie(id_raw=lambda token: stolen[0], token={"at_hash": DROP})
    login_fails(client, httpd, provider, 502, PROVIDER)
