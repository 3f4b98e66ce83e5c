"""Error answers of the provider, and answers that cannot be believed."""

import json
import threading
import time

import pytest

from support.client import Client
from support.expect import SESSION, let_in, login_fails, refused, sent_to_login, table
from support.provider import DROP, Reply
from support.wait import until

AWAY, NONSENSE, REQUEST, PERSON = 503, 502, 400, 403


# The authorization endpoint's answers: RFC 6749 4.1.2.1, KEYCLOAK.md section 5

def error(name, description=None):
    return lambda honest: {"error": name, **({"error_description": description} if description
                           else {}), "state": honest["state"], "iss": honest["iss"]}


@table("lie, status, message", [
    ("consent-refused", error("access_denied"), PERSON, "KC0523"),
    ("action-outstanding", error("interaction_required"), PERSON, "KC0524"),
    ("scope-unknown", error("invalid_scope", "Invalid scopes: x"), NONSENSE, "KC0527"),
    ("request-wrong", error("invalid_request", "Missing parameter: x"), NONSENSE, "KC0529"),
    ("client-not-allowed", error("unauthorized_client"), NONSENSE, "KC0528"),
    ("response-type", error("unsupported_response_type"), NONSENSE, "KC0530"),
    ("server-error", error("server_error", "unexpected"), NONSENSE, "KC0526"),
    ("busy", error("temporarily_unavailable", "maintenance"), AWAY, "KC0525"),
    ("unknown-error", error("no_such_error"), NONSENSE, "KC0530"),
    ("error-with-markup", error("<b>x</b>", "<script>alert(1)</script>"), NONSENSE, "KC0530"),
    ("iss-missing", {"iss": DROP}, NONSENSE, "KC0522"),
    ("iss-of-another", {"iss": "https://evil.test/realms/LearningSoftware"}, NONSENSE, "KC0521"),
    ("iss-with-slash", lambda honest: {**honest, "iss": honest["iss"] + "/"}, NONSENSE, "KC0521"),
    ("iss-missing-in-an-error",
     lambda honest: {"error": "access_denied", "state": honest["state"]}, NONSENSE, "KC0522"),
    ("iss-of-another-in-an-error",
     lambda honest: {**error("access_denied")(honest), "iss": "https://evil.test"},
     NONSENSE, "KC0521"),
    ("code-missing", {"code": DROP}, REQUEST, "KC0531"),
    ("code-empty", {"code": ""}, REQUEST, "KC0531"),
    ("code-unknown", {"code": "no-such-code"}, REQUEST, "KC0602"),
])
def test_authorization_answer(httpd, provider, client, lie, status, message):
    provider.lie(authorization=lie)
    answer = login_fails(client, httpd, provider, status, message)
    assert "<script" not in answer.text and "<b>x" not in answer.text


def test_login_form_sent_twice_is_healed(httpd, provider, client):
    """KEYCLOAK.md 5: temporarily_unavailable, authentication_expired: asked again at once."""
    lies = [error("temporarily_unavailable", "authentication_expired")]
    provider.lie(authorization=lambda honest: lies.pop()(honest) if lies else honest)
    answer = let_in(client.login(httpd.url("/protected/?a=1")))
    assert answer.url == httpd.url("/protected/?a=1")
    assert provider.count("authorization") == 2


def test_healing_is_no_loop(httpd, provider, client):
    provider.lie(authorization=error("temporarily_unavailable", "authentication_expired"))
    login_fails(client, httpd, provider, AWAY, "KC05..")
    # The last of them is the honest one.
    assert provider.count("authorization") <= 5


def test_error_after_a_login_elsewhere_goes_on_to_the_target(httpd, provider, client):
    """Another tab logged in meanwhile: there is a session, so nothing is wrong."""
    first = client.get(httpd.url("/protected/?tab=1"), follow=False)
    let_in(client.login(httpd.url("/protected/?tab=2")))
    provider.lie(authorization=error("access_denied"))
    answer = client.get(first.location)
    let_in(answer)
    assert answer.url == httpd.url("/protected/?tab=1")


# The token endpoint's answers: RFC 6749 5.2, KEYCLOAK.md section 6

def failure(status, name, description="No"):
    body = {"error": name, "error_description": description}
    return Reply(status, json.dumps(body).encode(), {"Content-Type": "application/json"})


def body(text, status=200, kind="application/json"):
    data = text if isinstance(text, bytes) else text.encode()
    return Reply(status, data, {"Content-Type": kind} if kind else {})


TOKEN_ANSWERS = [
    ("code-refused", failure(400, "invalid_grant", "Code not valid"), REQUEST, "KC0602"),
    ("client-unknown", failure(401, "invalid_client"), NONSENSE, "KC0603"),
    ("secret-wrong", failure(401, "unauthorized_client"), NONSENSE, "KC0604"),
    ("request-wrong", failure(400, "invalid_request"), NONSENSE, "KC0605"),
    ("scope-wrong", failure(400, "invalid_scope"), NONSENSE, "KC0605"),
    ("grant-unsupported", failure(400, "unsupported_grant_type"), NONSENSE, "KC0605"),
    ("400-without-json", body("<html>Bad</html>", 400, "text/html"), NONSENSE, "KC0605"),
    ("403", body("", 403), NONSENSE, "KC0605"),
    ("404", body("{}", 404), NONSENSE, "KC0605"),
    ("429", body("{}", 429), NONSENSE, "KC0605"),
    ("500", body('{"error":"unknown_error"}', 500), AWAY, "KC0606"),
    ("502", body("<html>Bad gateway</html>", 502, "text/html"), AWAY, "KC0606"),
    ("503", body("", 503), AWAY, "KC0606"),
    ("504", body("", 504), AWAY, "KC0606"),
    ("302", Reply(302, b"", {"Location": "/elsewhere"}), NONSENSE, "KC0607"),
    ("307", Reply(307, b"", {"Location": "/elsewhere"}), NONSENSE, "KC0607"),
    ("204", Reply(204, b"", {"Content-Length": "0"}), NONSENSE, "KC0607"),
    ("empty", body(""), NONSENSE, "KC0608"),
    ("html", body("<html>Hello</html>", 200, "text/html"), NONSENSE, "KC0608"),
    ("no-json", body("access_token=x&id_token=y"), NONSENSE, "KC0608"),
    ("list", body("[]"), NONSENSE, "KC0608"),
    ("string", body('"x"'), NONSENSE, "KC0608"),
    ("null", body("null"), NONSENSE, "KC0608"),
    ("no-members", body("{}"), NONSENSE, "KC0610"),
    ("two-objects", body("{}{}"), NONSENSE, "KC0608"),
    ("cut-json", body('{"access_token":"x'), NONSENSE, "KC0608"),
    ("twice", body('{"access_token":"x","access_token":"y"}'), NONSENSE, "KC0608"),
    ("not-utf-8", body(b'{"access_token":"\xff\xfe"}'), NONSENSE, "KC0608"),
    ("nul", body(b'{"access_token":"a\\u0000b"}'), NONSENSE, "KC0608"),
    ("deep", body("[" * 100_000), NONSENSE, "KC0608"),
    ("error-with-200", failure(200, "invalid_grant"), NONSENSE, "KC0610"),
    ("huge", body('{"x":"' + "y" * 2_000_000 + '"}'), NONSENSE, "KC0205"),
]


@table("reply, status, message", TOKEN_ANSWERS)
def test_token_answer(httpd, provider, client, reply, status, message):
    provider.lie(token_reply=reply)
    login_fails(client, httpd, provider, status, message)


def test_token_request_is_never_redirected(httpd, provider, client):
    provider.lie(token_reply=Reply(307, b"", {"Location": provider.url("userinfo")}))
    client.login(httpd.url("/protected/"))
    assert provider.count("token") == 1
    assert provider.count("userinfo") == 0


def test_code_exchange_that_is_cut_is_not_sent_again(httpd, provider, client):
    """A code used twice kills the tokens of its first use. The login starts anew, once."""
    codes = []

    def cut_once(honest):
        codes.append(provider.calls("token")[-1].form["code"])
        return honest.like(cut=True) if len(codes) == 1 else honest
    provider.lie(token_reply=cut_once)
    let_in(client.login(httpd.url("/protected/")))
    assert len(set(codes)) == len(codes) == 2


@pytest.fixture
def hasty_server(new_httpd, provider):
    """A server that waits for two seconds only."""
    return new_httpd(provider=provider, KCAuthTimeout=2, KCAuthConnectTimeout=2)


@table("carriage", [
    ("hanging", {"hang": True}),
    ("slow", {"delay": 8}),
    ("trickling", {"trickle": 0.05}),
    ("cut", {"cut": True}),
])
def test_token_answer_that_does_not_come(hasty_server, provider, client, carriage):
    hasty_server.log.mark()
    provider.lie(token_reply=lambda honest: honest.like(**carriage))
    begin = time.monotonic()
    answer = client.login(hasty_server.url("/protected/"))
    assert time.monotonic() - begin < 7
    refused(answer, hasty_server, AWAY, "KC0[26]..")
    assert not client.jar.named(SESSION)
    provider.tell_the_truth()
    let_in(client.login(hasty_server.url("/protected/")))


def test_public_pages_do_not_wait_for_the_provider(hasty_server, provider):
    provider.lie(token_reply=lambda honest: honest.like(hang=True))
    asked = provider.count("token")
    login = threading.Thread(target=Client().login, args=(hasty_server.url("/protected/"),))
    login.start()
    until(lambda: provider.count("token") > asked, "a login that waits")
    assert Client().get(hasty_server.url("/")).status == 200
    assert login.is_alive()
    login.join()


# Metadata and keys

METADATA = [
    ("issuer-of-another", {"issuer": "https://evil.test/realms/LearningSoftware"}, "KC0223"),
    ("issuer-missing", {"issuer": DROP}, "KC0222"),
    ("issuer-number", {"issuer": 1}, "KC0222"),
    ("token-endpoint-missing", {"token_endpoint": DROP}, "KC0225"),
    ("token-endpoint-http-elsewhere", {"token_endpoint": "http://evil.test/token"}, "KC0227"),
    ("token-endpoint-relative", {"token_endpoint": "/token"}, "KC0226"),
    ("token-endpoint-file", {"token_endpoint": "file:///etc/passwd"}, "KC0226"),
    ("token-endpoint-with-user", {"token_endpoint": "https://user:pass@127.0.0.1/token"}, "KC0226"),
    ("authorization-endpoint-missing", {"authorization_endpoint": DROP}, "KC0225"),
    ("authorization-endpoint-script", {"authorization_endpoint": "javascript:alert(1)"}, "KC0226"),
    ("authorization-endpoint-newline", {"authorization_endpoint": "https://a.test/\r\nX: y"},
     "KC0226"),
    ("jwks-uri-missing", {"jwks_uri": DROP}, "KC0225"),
    ("jwks-uri-http-elsewhere", {"jwks_uri": "http://evil.test/certs"}, "KC0227"),
    ("no-algorithm-of-ours", {"id_token_signing_alg_values_supported": ["HS256", "none"]},
     "KC0228"),
]


@table("changes, message", METADATA)
def test_metadata_that_is_not_believed(new_httpd, new_provider, changes, message):
    provider = new_provider(kinds=["ES256"])
    provider.lie(discovery=changes)
    httpd = new_httpd(provider=provider, wait=False)
    until(lambda: provider.count("discovery"), "a request for the metadata")
    httpd.log.wait_for("KC02")
    refused(Client().get(httpd.url("/protected/"), follow=False), httpd, NONSENSE, message)
    provider.tell_the_truth()
    until(lambda: Client().get(httpd.url("/protected/"), follow=False).status == 302,
          "the metadata", seconds=30)
    let_in(Client().login(httpd.url("/protected/")))


@table("reply", [
    ("500", body("{}", 500)),
    ("404", body('{"error":"Realm does not exist"}', 404)),
    ("302", Reply(302, b"", {"Location": "/elsewhere"})),
    ("html", body("<html>Hello</html>", 200, "text/html")),
    ("empty", body("")),
    ("list", body("[]")),
    ("twice", body('{"issuer":"a","issuer":"b"}')),
    ("huge", body('{"x":"' + "y" * 2_000_000 + '"}')),
    ("cut", body("{" + " " * 1000 + "}").like(cut=True)),
])
@table("endpoint", [("discovery", "discovery_reply"), ("keys", "jwks_reply")])
def test_documents_that_cannot_be_read(new_httpd, new_provider, endpoint, reply):
    provider = new_provider(kinds=["ES256"])
    provider.lie(**{endpoint: reply})
    httpd = new_httpd(provider=provider, wait=False)
    httpd.log.wait_for("KC0[23]")
    answer = Client().get(httpd.url("/protected/"))
    assert answer.status in (502, 503), answer.text
    provider.tell_the_truth()
    until(lambda: Client().login(httpd.url("/protected/")).status == 200, "a login", seconds=30,
          pause=0.2)


def test_metadata_that_hangs_holds_nobody_up(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    provider.lie(discovery_reply=lambda honest: honest.like(hang=True))
    httpd = new_httpd(provider=provider, wait=False, KCAuthTimeout=2)
    begin = time.monotonic()
    assert Client().get(httpd.url("/")).status == 200
    refused(Client().get(httpd.url("/protected/"), follow=False), httpd, AWAY, "KC0[25]..")
    assert time.monotonic() - begin < 7


def test_metadata_without_iss_parameter(new_httpd, new_provider):
    """RFC 9207: required when promised, checked when sent."""
    provider = new_provider(kinds=["ES256"])
    promise = {"authorization_response_iss_parameter_supported": DROP}
    provider.lie(discovery=promise, authorization={"iss": DROP})
    httpd = new_httpd(provider=provider)
    let_in(Client().login(httpd.url("/protected/")))
    provider.lie(authorization={"iss": "https://evil.test"})
    client = Client()
    refused(client.login(httpd.url("/protected/")), httpd, NONSENSE, "KC05..")
    assert not client.jar.named(SESSION)


def test_unknown_members_of_the_metadata_do_no_harm(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    provider.lie(discovery={"new_thing": {"a": [1, 2]}, "userinfo_endpoint": DROP,
                            "scopes_supported": "openid"})
    httpd = new_httpd(provider=provider)
    sent_to_login(Client().get(httpd.url("/protected/"), follow=False), provider)
