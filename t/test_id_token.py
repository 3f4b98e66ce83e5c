"""The rules of the ID token: OpenID Connect Core 3.1.3.7."""

import time

from support.expect import let_in, logged_in, login_fails, table
from support.provider import DROP


def at(seconds):
    """A claim's value: so many seconds from when the token is made."""
    return lambda: int(time.time()) + seconds


LIES = [
    # case, claims that replace the honest ones, message
    ("iss-of-another", {"iss": "https://evil.test/realms/LearningSoftware"}, "KC0403"),
    ("iss-with-slash", {"iss": lambda honest: honest + "/"}, "KC0403"),
    ("iss-in-capitals", {"iss": lambda honest: honest.upper()}, "KC0403"),
    ("iss-shorter", {"iss": lambda honest: honest[:-1]}, "KC0403"),
    ("iss-missing", {"iss": DROP}, "KC0403"),
    ("iss-empty", {"iss": ""}, "KC0403"),
    ("iss-list", {"iss": lambda honest: [honest]}, "KC0403"),
    ("iss-null", {"iss": None}, "KC0403"),
    ("aud-of-another", {"aud": "other"}, "KC0404"),
    ("aud-shorter", {"aud": "webap"}, "KC0404"),
    ("aud-longer", {"aud": "webapp2"}, "KC0404"),
    ("aud-in-capitals", {"aud": "WEBAPP"}, "KC0404"),
    ("aud-others", {"aud": ["other", "another"]}, "KC0404"),
    ("aud-empty-list", {"aud": []}, "KC0404"),
    ("aud-nested", {"aud": [["webapp"]]}, "KC0404"),
    ("aud-object", {"aud": {"webapp": True}}, "KC0404"),
    ("aud-number", {"aud": 1}, "KC0404"),
    ("aud-missing", {"aud": DROP}, "KC0404"),
    ("azp-of-another", {"azp": "other"}, "KC0405"),
    ("azp-of-another-aud-both", {"aud": ["webapp", "other"], "azp": "other"}, "KC0405"),
    ("azp-number", {"azp": 5}, "KC0405"),
    ("exp-past", {"exp": at(-120)}, "KC0406"),
    ("exp-zero", {"exp": 0}, "KC0406"),
    ("exp-negative", {"exp": -1}, "KC0406"),
    ("exp-string", {"exp": lambda honest: str(honest)}, "KC0406"),
    ("exp-missing", {"exp": DROP}, "KC0406"),
    ("exp-null", {"exp": None}, "KC0406"),
    ("exp-list", {"exp": lambda honest: [honest]}, "KC0406"),
    ("iat-future", {"iat": at(600)}, "KC0408"),
    ("iat-missing", {"iat": DROP}, "KC0407"),
    ("iat-string", {"iat": "yesterday"}, "KC0407"),
    ("nonce-of-another", {"nonce": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}, "KC0411"),
    ("nonce-longer", {"nonce": lambda honest: honest + "A"}, "KC0411"),
    ("nonce-shorter", {"nonce": lambda honest: honest[:-1]}, "KC0411"),
    ("nonce-empty", {"nonce": ""}, "KC0411"),
    ("nonce-missing", {"nonce": DROP}, "KC0411"),
    ("nonce-number", {"nonce": 7}, "KC0411"),
    ("nonce-list", {"nonce": lambda honest: [honest]}, "KC0411"),
    ("at_hash-wrong", {"at_hash": "A" * 22}, "KC0412"),
    ("at_hash-short", {"at_hash": lambda honest: honest[:10]}, "KC0412"),
    ("at_hash-empty", {"at_hash": ""}, "KC0412"),
    ("at_hash-number", {"at_hash": 1}, "KC0412"),
    ("sub-missing", {"sub": DROP}, "KC0410"),
    ("sub-empty", {"sub": ""}, "KC0410"),
    ("sub-number", {"sub": 17}, "KC0410"),
    ("sub-null", {"sub": None}, "KC0410"),
    ("sub-of-another-than-the-access-token", {"sub": "11111111-2222-3333-4444-555555555555"},
     "KC0435"),
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


@table("changes, message", LIES)
def test_lie_is_found_out(httpd, provider, client, changes, message):
    provider.lie(id_token=claims(changes))
    login_fails(client, httpd, provider, 502, message)


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
    ("missing", DROP, "KC0610"),
    ("empty", "", "KC0609"),
    ("null", None, "KC0610"),
    ("number", 5, "KC0609"),
    ("object", {"token": 1}, "KC0609"),
    ("no-jwt", "hello", "KC0302"),
    ("dots", "..", "KC0302"),
    ("two-parts", "e30.e30", "KC0302"),
    ("five-parts-encrypted", "e30.AAAA.AAAA.AAAA.AAAA", "KC0302"),
    ("huge", "e30." + "A" * 300_000 + ".AAAA", "KC0302"),
]


@table("token, message", TOKENS)
def test_answer_without_a_usable_id_token(httpd, provider, client, token, message):
    provider.lie(token={"id_token": token})
    login_fails(client, httpd, provider, 502, message)


def test_access_token_is_no_id_token(httpd, provider, client):
    provider.lie(token=lambda honest: {**honest, "id_token": honest["access_token"]})
    login_fails(client, httpd, provider, 502, "KC0402")


def test_id_token_of_another_login(httpd, provider, client):
    """A token that was good for another person's nonce."""
    stolen = []
    provider.lie(id_raw=lambda token: stolen.append(token) or token)
    logged_in(httpd)
    provider.lie(id_raw=lambda token: stolen[0], token={"at_hash": DROP})
    login_fails(client, httpd, provider, 502, "KC0411")
