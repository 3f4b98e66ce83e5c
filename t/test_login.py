"""The honest login: what is asked of the provider, what is kept, where it leads."""

import html
import re

import pytest

from support.client import Client, query_of
from support.expect import (ID_TOKEN, REFRESH_TOKEN, SESSION, STATE, let_in, refused, sent_to_login,
                            table)
from support.site import PAGES, seen


def request_of(answer):
    """The parameters of the authorization request."""
    return query_of(answer.location)


# What is asked

def test_authorization_request(httpd, provider, client):
    asked = request_of(client.get(httpd.url("/protected/"), follow=False))
    assert asked["response_type"] == "code"
    assert asked["client_id"] == "webapp"
    assert asked["redirect_uri"] == httpd.url("/oauth/login/callback")
    assert asked["scope"].split() == ["openid", "profile", "email", "roles"]
    assert asked["code_challenge_method"] == "S256"
    assert re.fullmatch(r"[\w-]{43}", asked["code_challenge"])
    assert 22 <= len(asked["state"]) <= 100
    assert 22 <= len(asked["nonce"]) <= 100
    assert "client_secret" not in asked and "prompt" not in asked
    assert asked.get("response_mode", "query") == "query"


def test_nothing_repeats_from_login_to_login(httpd, client):
    one, two = (request_of(client.get(httpd.url("/protected/"), follow=False)) for _ in "ab")
    for name in ("state", "nonce", "code_challenge"):
        assert one[name] != two[name]


def test_token_request(httpd, provider, client):
    client.login(httpd.url("/protected/"))
    request, = provider.calls("token")
    assert request.method == "POST" and request.query == {}
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.basic == ("webapp", "webapp-secret")
    form = request.form
    assert form["grant_type"] == "authorization_code"
    assert form["redirect_uri"] == httpd.url("/oauth/login/callback")
    assert re.fullmatch(r"[\w.~-]{43,128}", form["code_verifier"])
    assert "client_secret" not in form


def test_login_costs_one_call(httpd, provider, client):
    let_in(client.login(httpd.url("/protected/")))
    assert [request.endpoint for request in provider.requests] == ["authorization", "token"]


def test_nothing_is_asked_once_logged_in(httpd, provider, client):
    client.login(httpd.url("/protected/"))
    before = len(provider.asked)
    for _ in range(3):
        let_in(client.get(httpd.url("/protected/")))
        let_in(client.fetch(httpd.url("/protected/")))
    assert len(provider.asked) == before


@table("secret", [
    ("plain", "secret"),
    ("blank", "two words"),
    ("reserved", "a+b%c&d=e:f/g?h#i;j"),
    ("quotes", "it's \"quoted\" \\ so"),
    ("percent-sequence", "100%41"),
    ("unicode", "geheim-ü-密"),
    ("long", "x" * 300),
])
def test_secret_arrives_as_it_is(new_httpd, new_provider, secret):
    """RFC 6749 2.3.1: id and secret are form-encoded before base64."""
    provider = new_provider(kinds=["ES256"], secret=secret)
    httpd = new_httpd(provider=provider)
    let_in(Client().login(httpd.url("/protected/")))


@table("client_id", [
    ("dots-and-slash", "my.app/x"),
    ("url", "https://app.example.org/"),
    ("blank", "a b"),
    ("colon", "urn:app:1"),
    ("unicode", "büro"),
    ("reserved", "a&b=c+d%20"),
])
def test_client_id_is_a_key_never_a_path(new_httpd, new_provider, client_id):
    provider = new_provider(kinds=["ES256"], client_id=client_id)
    httpd = new_httpd(provider=provider)
    client = Client()
    let_in(client.login(httpd.url("/admin/")))
    assert provider.calls("token")[0].basic[0] == client_id


@table("methods, where", [
    ("both", ["client_secret_post", "client_secret_basic"], "basic"),
    ("post-only", ["client_secret_post", "private_key_jwt"], "post"),
    ("basic-only", ["client_secret_basic"], "basic"),
    ("not-said", None, "basic"),
])
def test_client_authentication_follows_the_metadata(new_httpd, new_provider, methods, where):
    provider = new_provider(kinds=["ES256"])
    provider.auth_methods = methods
    if methods is None:
        provider.lie(discovery=lambda honest: without(
            honest, "token_endpoint_auth_methods_supported"))
    httpd = new_httpd(provider=provider)
    let_in(Client().login(httpd.url("/protected/")))
    request = provider.calls("token")[0]
    assert (request.basic is None) == (where == "post")
    assert ("client_secret" in request.form) == (where == "post")


def without(members, name):
    return {key: value for key, value in members.items() if key != name}


def test_public_client_has_pkce_alone(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"], secret=None)
    httpd = new_httpd(provider=provider)
    let_in(Client().login(httpd.url("/protected/")))
    request = provider.calls("token")[0]
    assert request.basic is None
    assert "client_secret" not in request.form
    assert request.form["client_id"] == "webapp"


# Where it leads

@table("target", [
    ("page", "/protected/"),
    ("query", "/protected/?a=b&c=d"),
    ("encoded", "/protected/?next=%2F%2Fevil.test&x=%20+%26"),
    ("encoded-path", "/protected/%C3%BC?%C3%BC"),
    ("long", "/protected/?" + "x" * 1000),
])
def test_login_ends_where_it_began(httpd, client, target):
    answer = client.login(httpd.url(target))
    assert answer.url == httpd.url(target)
    assert client.get(httpd.url("/protected/")).status == 200


def test_very_long_target_still_logs_in(httpd, client):
    client.login(httpd.url("/protected/?" + "x" * 6000))
    let_in(client.get(httpd.url("/protected/")))


def test_login_endpoint_leads_to_keycloak_and_home(httpd, provider, client):
    sent_to_login(client.get(httpd.url("/oauth/login"), follow=False), provider)
    answer = client.get(httpd.url("/oauth/login"))
    assert answer.url == httpd.url("/")


def test_login_endpoint_when_logged_in_goes_straight_to_the_target(httpd, provider, client):
    client.login(httpd.url("/protected/"))
    before = len(provider.asked)
    answer = client.get(httpd.url("/oauth/login?next=/admin/"), follow=False)
    assert answer.status in (302, 303)
    assert answer.location == httpd.url("/admin/")
    assert len(provider.asked) == before


# What is kept

@pytest.mark.in_cookies("the tokens lie in the store")
def test_cookies_on_http(httpd, client):
    answer = client.login(httpd.url("/protected/"))
    callback = next(step for step in answer.history if "/callback" in step.url)
    lines = {line.split("=")[0]: line for line in callback.set_cookies}
    assert attributes(lines["kcauth"]) == {"path=/", "httponly", "samesite=lax"}
    assert attributes(lines["kcauth_id"]) == {"path=/oauth/logout", "httponly", "samesite=lax"}
    state = next(step for step in answer.history if "/protected/" in step.url).set_cookies[0]
    assert re.match(STATE + "=", state)
    assert attributes(state) >= {"path=/oauth/login/callback", "httponly", "samesite=lax"}


def attributes(line):
    return {part.strip().lower() for part in line.split(";")[1:]}


@pytest.mark.in_cookies("the tokens lie in the store")
def test_state_is_gone_after_login(httpd, client):
    client.login(httpd.url("/protected/"))
    assert not client.jar.named(STATE)
    assert len(client.jar.named(SESSION)) == 1
    assert len(client.jar.named(ID_TOKEN)) == 1


def test_state_lives_35_minutes_at_most(httpd, client):
    line, = client.get(httpd.url("/protected/"), follow=False).set_cookies
    age = re.search("max-age=([0-9]+)", line, re.IGNORECASE)
    assert 1800 < int(age[1]) <= 2100


def test_session_of_alice_is_at_most_600_bytes(httpd, client):
    client.login(httpd.url("/protected/"))
    cookie, = client.jar.named(SESSION)
    assert len(cookie.name) + 1 + len(cookie.value) <= 600


def test_protected_page_is_not_for_shared_caches(httpd, client):
    answer = let_in(client.login(httpd.url("/protected/")))
    assert "private" in answer.headers["Cache-Control"]
    assert "cookie" in answer.headers["Vary"].lower()


def test_page_that_says_more_about_caching_keeps_its_words(new_httpd, new_provider):
    httpd = new_httpd(PAGES + '<Location "/protected">\nHeader set Cache-Control "no-store"\n'
                      '</Location>\n', provider=new_provider(kinds=["ES256"]))
    answer = let_in(Client().login(httpd.url("/protected/")))
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.in_cookies("the tokens lie in the store")
def test_https_has_prefixed_secure_cookies(new_tls_site):
    httpd, client = new_tls_site()
    answer = let_in(client.login(httpd.url("/protected/", scheme="https")))
    lines = {line.split("=")[0]: line for step in answer.history
             if step.url.startswith("https:") for line in step.set_cookies}
    assert attributes(lines["__Host-kcauth"]) == {"path=/", "httponly", "secure", "samesite=lax"}
    assert attributes(lines["__Secure-kcauth_id"]) >= {"path=/oauth/logout", "httponly", "secure"}
    for name in lines:
        assert re.fullmatch("|".join((SESSION, STATE, ID_TOKEN, REFRESH_TOKEN)), name)
        assert name.startswith(("__Host-", "__Secure-"))


def test_form_post(new_tls_site):
    httpd, client = new_tls_site(KCAuthResponseMode="form_post")
    url = httpd.url("/protected/?a=b", scheme="https")
    first = client.get(url, follow=False)
    assert request_of(first)["response_mode"] == "form_post"
    assert "samesite=none" in first.set_cookies[0].lower()
    answer = let_in(client.login(url))
    assert answer.url == url


def test_form_post_takes_no_query(new_tls_site):
    """The response mode that was asked for, and no other."""
    httpd, client = new_tls_site(KCAuthResponseMode="form_post")
    first = client.get(httpd.url("/protected/", scheme="https"), follow=False)
    page = client.get(first.location)
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    query = "&".join(f"{name}={value}" for name, value in fields.items())
    answer = client.get(httpd.url("/oauth/login/callback?" + query, scheme="https"), follow=False)
    assert answer.status in (400, 405)
    assert not client.jar.named(SESSION)


def test_https_site_behind_one_port(new_tls_site):
    httpd, client = new_tls_site()
    first = client.get(httpd.url("/protected/", scheme="https"), follow=False)
    assert request_of(first)["redirect_uri"] == httpd.url("/oauth/login/callback", scheme="https")


# Directives that change the login

def test_realm_url_is_as_good_as_the_discovery_url(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthDiscoveryURL=provider.issuer)
    let_in(Client().login(httpd.url("/protected/")))


def test_issuer_that_ends_in_a_slash(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"], issuer_tail="/")
    httpd = new_httpd(provider=provider)
    let_in(Client().login(httpd.url("/protected/")))


def test_base_url(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthBaseURL="https://app.example.org")
    answer = Client().get(httpd.url("/protected/"), {"Host": "app.example.org"}, follow=False)
    sent_to_login(answer, provider)
    wanted = "https://app.example.org/oauth/login/callback"
    assert request_of(answer)["redirect_uri"] == wanted
    assert all(line.startswith("__") and "secure" in line.lower() for line in answer.set_cookies)


def test_path(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthPath="/sso/here")
    client = Client()
    answer = let_in(client.login(httpd.url("/protected/")))
    assert any("/sso/here/login/callback?" in step.url for step in answer.history)
    assert client.get(httpd.url("/oauth/login")).status == 404


def test_cookie_name_and_same_site(new_httpd, new_provider):
    httpd = new_httpd(provider=new_provider(kinds=["ES256"]), KCAuthCookieName="who",
                      KCAuthCookieSameSite="Strict")
    client = Client()
    page = client.login(httpd.url("/protected/?a=1&b"))
    # A redirect from the provider would not carry the new cookie: a page of ours leads on.
    assert page.status == 200 and "/callback?" in page.url
    target, = re.findall(r'href="([^"]+)"', page.text)
    assert html.unescape(target) == "/protected/?a=1&b"
    let_in(client.get(httpd.url("/protected/")))
    cookie, = client.jar.named("who")
    assert cookie.same_site == "strict"
    assert not client.jar.named("kcauth.*")


def test_scope_of_the_server_and_of_a_place(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(PAGES + '<Location "/admin">\nKCAuthScope "openid phone"\n</Location>\n',
                      provider=provider, KCAuthScope="openid email")
    for path, scope in (("/protected/", "openid email"), ("/admin/", "openid phone")):
        asked = request_of(Client().get(httpd.url(path), follow=False))
        assert asked["scope"] == scope


@table("claim, user", [
    ("email", "email", "alice@example.org"),
    ("sub", "sub", None),
    ("absent", "no_such_claim", None),
])
def test_user_claim(new_httpd, new_provider, claim, user):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthUserClaim=claim)
    client = Client()
    env = seen(client.login(httpd.url("/protected/show")))
    assert env["REMOTE_USER"] == (user or provider.users["alice"].sub)


# Addresses of the provider

def test_provider_with_a_private_authority(new_httpd, new_provider, authority):
    provider = new_provider(kinds=["ES256"], tls=authority.server_context("127.0.0.1"))
    httpd = new_httpd(provider=provider, KCAuthCAFile=authority.ca_file)
    let_in(Client(authority.ca_file).login(httpd.url("/protected/")))


def test_provider_with_an_unknown_authority_is_not_trusted(new_httpd, new_provider, authority):
    provider = new_provider(kinds=["ES256"], tls=authority.server_context("127.0.0.1"))
    httpd = new_httpd(provider=provider, wait=False, KCAuthConnectTimeout=9)
    refused(Client().get(httpd.url("/protected/"), follow=False), httpd, 502, "KC02..")
    assert provider.requests == []


def test_provider_with_a_certificate_for_another_name(new_httpd, new_provider, authority):
    provider = new_provider(kinds=["ES256"], tls=authority.server_context("other.test"))
    httpd = new_httpd(provider=provider, wait=False, KCAuthCAFile=authority.ca_file)
    refused(Client().get(httpd.url("/protected/"), follow=False), httpd, 502, "KC02..")
    assert provider.requests == []


def test_internal_url(new_httpd, new_provider):
    """The public name does not resolve where httpd runs."""
    provider = new_provider(kinds=["ES256"], host="sso.example.test")
    httpd = new_httpd(provider=provider, KCAuthInsecureHTTP="on",
                      KCAuthInternalURL=f"http://127.0.0.1:{provider.port}")
    provider.roles_in = {"userinfo"}
    client = Client()
    let_in(client.login(httpd.url("/admin/")))
    for call in ("token", "userinfo"):
        assert provider.calls(call)[0].headers["host"] == f"127.0.0.1:{provider.port}"
    first = Client().get(httpd.url("/protected/"), follow=False)
    assert first.location.startswith(f"http://sso.example.test:{provider.port}/")
