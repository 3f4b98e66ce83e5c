"""Keycloak says that a session is over: in the back channel, in the front channel, and by its own
admin actions. What it did not say is not believed."""

import concurrent.futures
import functools
import time
import urllib.parse
import uuid

import pytest

from support.client import Client
from support.expect import let_in, logged_in, sent_to_login, table
from support.jose import Key, hmac_sign
from support.notices import (EVENT, admin_action, logout_token, post, post_admin_action,
                             post_logout_token)
from support.provider import DROP
from support.site import seen
from test_renew import let_pass

FORM = "application/x-www-form-urlencoded"
STRANGER = Key("ES256")


@pytest.fixture
def new_site(new_site):
    """The same, of a provider that signs by two algorithms."""
    return functools.partial(new_site, kinds=["ES256", "RS256"])


def sid_of(client, httpd):
    return seen(client.get(httpd.url("/protected/show")))["KC_SID"]


def logged_in_as(name, httpd, provider):
    provider.user = name
    return logged_in(httpd)


def is_in(client, httpd):
    return client.get(httpd.url("/protected/"), follow=False).status == 200


def believed(answer, status=200):
    assert answer.status == status, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.text == ""


def disbelieved(answer, httpd, message):
    assert answer.status == 400, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.text == '{"error":"invalid_request"}\n'
    httpd.log.wait_for(message + ": ")


# Back channel

def test_logout_token_of_one_session(new_site):
    httpd, provider = new_site()
    ended, other = (logged_in_as("alice", httpd, provider) for _ in range(2))
    bob = logged_in_as("bob", httpd, provider)
    sub = provider.users["alice"].sub
    believed(post_logout_token(httpd, logout_token(provider, sid=sid_of(ended, httpd), sub=sub)))
    sent_to_login(ended.get(httpd.url("/protected/"), follow=False), provider)
    assert ended.fetch(httpd.url("/protected/")).status == 401
    assert is_in(other, httpd) and is_in(bob, httpd)
    let_in(logged_in_as("alice", httpd, provider).get(httpd.url("/protected/"), follow=False))


def test_logout_token_with_sid_alone(new_site):
    httpd, provider = new_site()
    ended, other = (logged_in(httpd) for _ in range(2))
    believed(post_logout_token(httpd, logout_token(provider, sid=sid_of(ended, httpd))))
    assert not is_in(ended, httpd) and is_in(other, httpd)


def test_logout_token_with_sub_alone_ends_all_sessions_of_the_person(new_site):
    httpd, provider = new_site()
    ended = [logged_in_as("alice", httpd, provider) for _ in range(3)]
    bob = logged_in_as("bob", httpd, provider)
    believed(post_logout_token(httpd, logout_token(provider, sub=provider.users["alice"].sub)))
    assert not any(is_in(client, httpd) for client in ended)
    assert is_in(bob, httpd)
    assert is_in(logged_in_as("alice", httpd, provider), httpd)


def test_session_that_nobody_has_is_no_error(httpd, provider):
    believed(post_logout_token(httpd, logout_token(provider, sid="nobody", sub="nobody")))


def unsigned(_):
    return b""


def swapped(token):
    """The claims of one token with another's signature."""
    return token[:-8] + ("AAAAAAAA" if token[-8:] != "AAAAAAAA" else "BBBBBBBB")


NOW = object()  # stands for the time at which the test runs


@table("message, header, claims", [
    ("typ-of-header", "KC0913", {"typ": "at+jwt"}, {}),
    ("typ-of-payload", "KC0914", {}, {"typ": "ID"}),
    ("typ-of-access-token", "KC0914", {}, {"typ": "Bearer"}),
    ("nonce", "KC0915", {}, {"nonce": "n"}),
    ("nonce-empty", "KC0915", {}, {"nonce": ""}),
    ("no-events", "KC0916", {}, {"events": DROP}),
    ("events-empty", "KC0916", {}, {"events": {}}),
    ("events-of-another-kind", "KC0916", {}, {"events": {"http://example.org/event": {}}}),
    ("event-no-object", "KC0916", {}, {"events": {EVENT: True}}),
    ("events-a-list", "KC0916", {}, {"events": [EVENT]}),
    ("no-issuer", "KC0917", {}, {"iss": DROP}),
    ("other-issuer", "KC0917", {}, {"iss": "https://evil.test/realms/x"}),
    ("no-audience", "KC0918", {}, {"aud": DROP}),
    ("other-audience", "KC0918", {}, {"aud": "another"}),
    ("audience-in-parts", "KC0918", {}, {"aud": ["web", "app"]}),
    ("no-iat", "KC0919", {}, {"iat": DROP}),
    ("iat-ahead", "KC0919", {}, {"iat": (NOW, 300)}),
    ("iat-a-string", "KC0919", {}, {"iat": "1"}),
    ("no-exp", "KC0920", {}, {"exp": DROP}),
    ("expired", "KC0920", {}, {"exp": (NOW, -90), "iat": (NOW, -210)}),
    ("exp-far-ahead", "KC0921", {}, {"exp": (NOW, 10 ** 7)}),
    ("sid-no-string", "KC0922", {}, {"sid": 7}),
    ("sid-empty", "KC0922", {}, {"sid": ""}),
    ("sub-no-string", "KC0922", {}, {"sub": ["a"]}),
    ("sid-long", "KC0922", {}, {"sid": "s" * 256}),
    ("no-jti", "KC0923", {}, {"jti": DROP}),
    ("neither-sid-nor-sub", "KC0924", {}, {"sid": DROP, "sub": DROP}),
    ("no-algorithm", "KC0911", {"alg": "none"}, {}),
    ("algorithm-of-a-secret", "KC0911", {"alg": "HS256"}, {}),
    ("algorithm-of-another-key", "KC0911", {"alg": "RS256"}, {}),
    ("unknown-key", "KC0911", {"kid": "unknown"}, {}),
    ("critical-header", "KC0911", {"crit": ["exp"], "exp": 1}, {}),
])
def test_lie_of_a_logout_token(httpd, provider, message, header, claims):
    provider.sign_with("ES256")
    client = logged_in(httpd)
    claims = {name: int(time.time()) + value[1] if isinstance(value, tuple) else value
              for name, value in claims.items()}
    whose = {"sid": sid_of(client, httpd), "sub": provider.users["alice"].sub}
    token = logout_token(provider, header, **{**whose, **claims})
    disbelieved(post_logout_token(httpd, token), httpd, message)
    assert is_in(client, httpd)


@table("signer", [
    ("nobody", unsigned),
    ("a-stranger", STRANGER.sign),
    ("the-client-secret", hmac_sign(b"webapp-secret")),
])
def test_logout_token_signed_by(httpd, provider, signer):
    provider.sign_with("ES256")
    client = logged_in(httpd)
    token = logout_token(provider, signer=signer, sid=sid_of(client, httpd))
    disbelieved(post_logout_token(httpd, token), httpd, "KC0911")
    assert is_in(client, httpd)


def test_signature_of_another_token(httpd, provider):
    client = logged_in(httpd)
    token = swapped(logout_token(provider, sid=sid_of(client, httpd)))
    disbelieved(post_logout_token(httpd, token), httpd, "KC0911")
    assert is_in(client, httpd)


def test_tokens_of_a_login_are_no_logout_tokens(httpd, provider):
    client = logged_in(httpd)
    for token in [secret for secret in provider.secrets if secret and secret.count(".") == 2
                  and secret.startswith("eyJ")]:
        assert post_logout_token(httpd, token).status == 400
    assert is_in(client, httpd)


@table("body, content_type", [
    ("empty", "", FORM),
    ("without-token", "x=1", FORM),
    ("token-empty", "logout_token=", FORM),
    ("token-twice", "logout_token=a&logout_token=b", FORM),
    ("junk", "logout_token=junk", FORM),
    ("three-dots", "logout_token=a.b.c", FORM),
    ("as-json", '{"logout_token":"a.b.c"}', "application/json"),
    ("no-type", "logout_token=a.b.c", "text/plain"),
    ("huge", "logout_token=" + "A" * 70000, FORM),
    ("broken-escape", "logout_token=%zz", FORM),
])
def test_junk_in_the_back_channel(httpd, provider, body, content_type):
    answer = post(httpd, "/oauth/backchannel-logout", body, content_type)
    disbelieved(answer, httpd, "KC09(10|11|63)")


def test_logout_token_is_used_once(new_site):
    httpd, provider = new_site()
    token = logout_token(provider, sub=provider.users["alice"].sub)
    believed(post_logout_token(httpd, token))
    client = logged_in(httpd)
    disbelieved(post_logout_token(httpd, token), httpd, "KC0961")
    assert is_in(client, httpd)


def test_logout_token_for_several_audiences(httpd, provider):
    client = logged_in(httpd)
    token = logout_token(provider, sid=sid_of(client, httpd), aud=["other", provider.client_id])
    believed(post_logout_token(httpd, token))
    assert not is_in(client, httpd)


def test_key_that_is_not_known_yet_is_asked_for(new_site, clock):
    httpd, provider = new_site()
    client = logged_in(httpd)
    sid = sid_of(client, httpd)
    clock.forward(10)  # keys are asked for again at most every ten seconds
    provider.rotate("ES256", keep_old=False)
    believed(post_logout_token(httpd, logout_token(provider, sid=sid)))
    assert not is_in(client, httpd)


def test_lies_fill_the_log_but_no_secret_does(httpd, provider):
    token = logout_token(provider, sid="x", iss="https://evil.test/\n[kcauth:emerg] forged")
    disbelieved(post_logout_token(httpd, token), httpd, "KC0917")
    assert not httpd.log.lines(r"^\[kcauth:emerg")
    assert token not in httpd.log.text()


# Front channel

def front(httpd, **parameters):
    return Client().get(httpd.url("/oauth/frontchannel-logout?" +
                                  urllib.parse.urlencode(parameters)),
                        {"Sec-Fetch-Dest": "iframe", "Sec-Fetch-Site": "cross-site"}, follow=False)


def test_front_channel_needs_no_cookie(new_site):
    httpd, provider = new_site()
    ended, other = (logged_in(httpd) for _ in range(2))
    answer = front(httpd, sid=sid_of(ended, httpd), iss=provider.issuer)
    assert answer.status == 200 and answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "X-Frame-Options" not in answer.headers
    policy = dict(part.strip().split(" ", 1)
                  for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy == {"default-src": "'none'", "frame-ancestors": provider.origin}
    assert not is_in(ended, httpd) and is_in(other, httpd)


@table("change", [
    ("no-sid", {"sid": None}),
    ("empty-sid", {"sid": ""}),
    ("long-sid", {"sid": "s" * 256}),
    ("no-issuer", {"iss": None}),
    ("other-issuer", {"iss": "https://evil.test/realms/LearningSoftware"}),
    ("issuer-and-more", {"iss": "/more"}),
])
def test_lie_in_the_front_channel(httpd, provider, change):
    client = logged_in(httpd)
    if change.get("iss") == "/more":
        change = {"iss": provider.issuer + "/more"}
    said = {"sid": sid_of(client, httpd), "iss": provider.issuer, **change}
    answer = front(httpd, **{name: value for name, value in said.items() if value is not None})
    disbelieved(answer, httpd, "KC0965")
    assert is_in(client, httpd)


# Admin actions

def test_k_logout_of_some_sessions(new_site):
    httpd, provider = new_site()
    ended = [logged_in(httpd) for _ in range(2)]
    other = logged_in(httpd)
    action = admin_action(provider, "LOGOUT", adapterSessionIds=["a", "b"], notBefore=0,
                          keycloakSessionIds=[sid_of(client, httpd) for client in ended])
    believed(post_admin_action(httpd, "k_logout", action), 204)
    assert not any(is_in(client, httpd) for client in ended)
    assert is_in(other, httpd)


def test_k_logout_of_everybody(new_site):
    httpd, provider = new_site()
    ended = [logged_in_as(name, httpd, provider) for name in ("alice", "bob", "carol")]
    action = admin_action(provider, "LOGOUT", notBefore=int(time.time()))
    believed(post_admin_action(httpd, "k_logout", action), 204)
    assert not any(is_in(client, httpd) for client in ended)
    let_in(logged_in_as("alice", httpd, provider).get(httpd.url("/protected/"), follow=False))


def test_push_of_not_before(new_site):
    httpd, provider = new_site()
    older = logged_in(httpd)
    let_pass(1)
    not_before = int(time.time())
    newer = logged_in(httpd)
    action = admin_action(provider, "PUSH_NOT_BEFORE", notBefore=not_before)
    believed(post_admin_action(httpd, "k_push_not_before", action), 204)
    assert not is_in(older, httpd) and is_in(newer, httpd)


def test_availability(httpd, provider):
    client = logged_in(httpd)
    action = admin_action(provider, "TEST_AVAILABILITY")
    believed(post_admin_action(httpd, "k_test_available", action), 204)
    assert is_in(client, httpd)


@table("endpoint, action, message, header, claims", [
    ("another-action", "k_logout", "TEST_AVAILABILITY", "KC0945", {}, {}),
    ("push-as-logout", "k_logout", "PUSH_NOT_BEFORE", "KC0945", {}, {}),
    ("logout-as-push", "k_push_not_before", "LOGOUT", "KC0945", {}, {}),
    ("no-action", "k_logout", "LOGOUT", "KC0945", {}, {"action": DROP}),
    ("other-resource", "k_logout", "LOGOUT", "KC0946", {}, {"resource": "other"}),
    ("no-resource", "k_logout", "LOGOUT", "KC0946", {}, {"resource": DROP}),
    ("expired", "k_logout", "LOGOUT", "KC0947", {}, {"expiration": (NOW, -90)}),
    ("no-expiration", "k_logout", "LOGOUT", "KC0947", {}, {"expiration": DROP}),
    ("lives-for-long", "k_logout", "LOGOUT", "KC0948", {}, {"expiration": (NOW, 7200)}),
    ("no-id", "k_logout", "LOGOUT", "KC0949", {}, {"id": DROP}),
    ("ids-no-list", "k_logout", "LOGOUT", "KC0950", {}, {"keycloakSessionIds": "x"}),
    ("ids-no-strings", "k_logout", "LOGOUT", "KC0950", {}, {"keycloakSessionIds": [1]}),
    ("not-before-no-number", "k_logout", "LOGOUT", "KC0951", {}, {"notBefore": "x"}),
    ("not-before-negative", "k_logout", "LOGOUT", "KC0951", {}, {"notBefore": -1}),
    ("push-of-nothing", "k_push_not_before", "PUSH_NOT_BEFORE", "KC0952", {}, {}),
    ("header-of-a-logout-token", "k_logout", "LOGOUT", "KC0943", {"typ": "logout+jwt"}, {}),
    ("issuer", "k_logout", "LOGOUT", "KC0944", {}, {"iss": "x"}),
    ("audience", "k_logout", "LOGOUT", "KC0944", {}, {"aud": "webapp"}),
    ("unknown-key", "k_logout", "LOGOUT", "KC0941", {"kid": "unknown"}, {}),
    ("no-algorithm", "k_logout", "LOGOUT", "KC0941", {"alg": "none"}, {}),
])
def test_lie_of_an_admin_action(httpd, provider, endpoint, action, message, header, claims):
    client = logged_in(httpd)
    claims = {name: int(time.time()) + value[1] if isinstance(value, tuple) else value
              for name, value in claims.items()}
    token = admin_action(provider, action, header, **claims)
    disbelieved(post_admin_action(httpd, endpoint, token), httpd, message)
    assert is_in(client, httpd)


@table("body", [("empty", ""), ("junk", "junk"), ("dots", "a.b.c"), ("nul", "a\0b"),
                ("huge", "A" * 70000)])
def test_junk_as_an_admin_action(httpd, provider, body):
    disbelieved(post_admin_action(httpd, "k_logout", body), httpd, "KC09(40|41|66)")


def test_action_of_a_stranger(httpd, provider):
    client = logged_in(httpd)
    token = admin_action(provider, "LOGOUT", signer=STRANGER.sign)
    disbelieved(post_admin_action(httpd, "k_logout", token), httpd, "KC0941")
    assert is_in(client, httpd)


def test_admin_action_is_used_once(new_site):
    httpd, provider = new_site()
    token = admin_action(provider, "LOGOUT")
    believed(post_admin_action(httpd, "k_logout", token), 204)
    client = logged_in(httpd)
    disbelieved(post_admin_action(httpd, "k_logout", token), httpd, "KC0961")
    assert is_in(client, httpd)


# What they have in common

@table("endpoint, method", [(f"{endpoint}-{method}", endpoint, method) for endpoint, method in (
    ("backchannel-logout", "GET"), ("backchannel-logout", "PUT"), ("k_logout", "GET"),
    ("k_push_not_before", "GET"), ("k_test_available", "GET"), ("frontchannel-logout", "POST"))])
def test_other_methods(httpd, provider, endpoint, method):
    client = logged_in(httpd)
    answer = client.request(method, httpd.url("/oauth/" + endpoint))
    assert answer.status == 405
    assert answer.headers["Allow"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert is_in(client, httpd)


def test_keycloak_away_is_not_needed(new_site):
    httpd, provider = new_site()
    client = logged_in(httpd)
    token = logout_token(provider, sid=sid_of(client, httpd))
    provider.stop()
    believed(post_logout_token(httpd, token))
    assert client.fetch(httpd.url("/protected/")).status == 401


# Under way at that moment

def under_way(provider, work, meanwhile):
    """The provider's answer to `work` is late; `meanwhile` happens before it comes."""
    provider.lie(token_reply=lambda reply: reply.like(delay=1.5))
    asked = provider.count("token")
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        working = pool.submit(work)
        while provider.count("token") == asked:
            time.sleep(0.01)
        meanwhile()
        return working.result()


def test_renewal_under_way_does_not_bring_a_session_back(new_site, clock):
    httpd, provider = new_site(KCAuthRevalidate=30)
    client = logged_in(httpd)
    sid = sid_of(client, httpd)
    clock.forward(30)
    before = provider.count("token")
    under_way(provider, lambda: client.fetch(httpd.url("/protected/"), follow=True),
              lambda: believed(post_logout_token(httpd, logout_token(provider, sid=sid))))
    assert provider.count("token") == before + 1
    assert not is_in(client, httpd)


def test_login_under_way_is_over_when_it_arrives(new_site):
    httpd, provider = new_site()
    client = Client()

    def end():
        sid, = provider.sessions
        believed(post_logout_token(httpd, logout_token(provider, sid=sid)))

    answer = under_way(provider, lambda: client.login(httpd.url("/protected/")), end)
    assert answer.status == 403 and "KC0710" in answer.text
    assert not is_in(client, httpd)


def test_touch_does_not_bring_a_session_back(new_site, clock):
    """The idle time is put off by a request that was let in just before."""
    httpd, provider = new_site(KCAuthSessionIdle=100)
    client = logged_in(httpd)
    sid = sid_of(client, httpd)
    clock.forward(70)
    kept = Client()
    kept.jar.update(client.jar)
    let_in(kept.get(httpd.url("/protected/")))
    believed(post_logout_token(httpd, logout_token(provider, sid=sid)))
    assert not is_in(kept, httpd) and not is_in(client, httpd)


def test_id_of_a_session_is_not_guessed_from_another(new_site):
    httpd, provider = new_site()
    client = logged_in(httpd)
    sid = sid_of(client, httpd)
    for other in (sid[:-1], sid + "x", sid.swapcase(), str(uuid.uuid4())):
        believed(post_logout_token(httpd, logout_token(provider, sid=other)))
    assert is_in(client, httpd)
