"""What a request without a session gets: a redirect for a navigation, 401 for a script."""

import json
import re

from support.client import Client
from support.expect import STATE, let_in, sent_to_login, table
from support.site import MARKER, PAGES

CHROME = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8"

NAVIGATIONS = [
    # case, method, headers
    ("chrome", "GET", {"Sec-Fetch-Mode": "navigate", "Accept": CHROME}),
    ("chrome-head", "HEAD", {"Sec-Fetch-Mode": "navigate", "Accept": CHROME}),
    ("curl", "GET", {"Accept": "*/*", "User-Agent": "curl/7.88.1"}),
    ("curl-head", "HEAD", {"Accept": "*/*"}),
    ("no-accept", "GET", {}),
    ("old-browser", "GET", {"Accept": "text/html"}),
    ("html-second", "GET", {"Accept": "application/xhtml+xml, text/html;q=0.5"}),
    ("html-upper-case", "GET", {"Accept": "TEXT/HTML"}),
    ("anything-last", "GET", {"Accept": "application/json, text/plain, */*"}),
    ("mode-decides", "GET", {"Sec-Fetch-Mode": "navigate", "Accept": "application/json"}),
]

SCRIPTS = [
    ("fetch", "GET", {"Sec-Fetch-Mode": "cors", "Accept": "*/*"}),
    ("fetch-html", "GET", {"Sec-Fetch-Mode": "cors", "Accept": "text/html"}),
    ("fetch-head", "HEAD", {"Sec-Fetch-Mode": "same-origin", "Accept": "*/*"}),
    ("image", "GET", {"Sec-Fetch-Mode": "no-cors", "Accept": "image/*"}),
    ("websocket", "GET", {"Sec-Fetch-Mode": "websocket"}),
    ("unknown-mode", "GET", {"Sec-Fetch-Mode": "bogus", "Accept": CHROME}),
    ("jquery", "GET", {"X-Requested-With": "XMLHttpRequest", "Accept": "*/*"}),
    ("jquery-html", "GET", {"X-Requested-With": "XMLHttpRequest", "Accept": "text/html"}),
    ("json", "GET", {"Accept": "application/json"}),
    ("picture", "GET", {"Accept": "image/png,image/*"}),
    ("html-unwanted", "GET", {"Accept": "text/html;q=0, application/json"}),
    ("html-is-a-prefix", "GET", {"Accept": "text/html5"}),
    ("post", "POST", {"Sec-Fetch-Mode": "navigate", "Accept": CHROME}),
    ("put", "PUT", {"Accept": "*/*"}),
    ("delete", "DELETE", {"Accept": "*/*"}),
    ("patch", "PATCH", {}),
    ("options", "OPTIONS", {"Accept": "*/*"}),
    ("unknown-method", "BREW", {"Accept": CHROME}),
]


@table("method, headers", NAVIGATIONS)
def test_navigation_goes_to_keycloak(httpd, provider, client, method, headers):
    answer = client.request(method, httpd.url("/protected/"), headers)
    sent_to_login(answer, provider)
    assert len(client.jar.named(STATE)) == len(client.jar) == 1
    assert "no-store" in answer.headers["Cache-Control"]


@table("method, headers", SCRIPTS)
def test_script_gets_401(httpd, provider, client, method, headers):
    answer = client.request(method, httpd.url("/protected/"), headers)
    assert answer.status == 401
    assert answer.headers["Content-Type"] == "application/json"
    assert "no-store" in answer.headers["Cache-Control"]
    assert not answer.set_cookies
    assert provider.asked == []
    challenge = re.fullmatch('Keycloak login="([^"]+)"', answer.headers["WWW-Authenticate"])
    login = challenge[1]
    assert login.startswith(httpd.url("/oauth/login"))
    if method == "HEAD":
        assert answer.body == b""
    else:
        assert json.loads(answer.body) == {"error": "login_required", "login": login}


def test_login_url_of_a_challenge_works(httpd, client):
    challenge = json.loads(client.fetch(httpd.url("/protected/?a=1")).body)
    client.get(challenge["login"])
    let_in(client.fetch(httpd.url("/protected/?a=1")))


def test_body_of_a_refused_post_goes_nowhere(httpd, client):
    body = b"x" * 300_000
    answer = client.request("POST", httpd.url("/protected/show"), {}, body)
    assert answer.status == 401
    assert MARKER not in answer.text and "xxx" not in answer.text


@table("cookie", [
    ("empty", "kcauth="),
    ("short", "kcauth=A"),
    ("text", "kcauth=hello world"),
    ("base64", "kcauth=" + "A" * 400),
    ("long", "kcauth=" + "A" * 7000),
    ("binary", "kcauth=\udcff\udcfe"),
    ("many", "; ".join(f"kcauth_{n}=AAAA" for n in range(2, 100))),
    ("other-names", "kcauth2=A; xkcauth=B; KCAUTH=C; kcauth_x=D"),
    ("no-equals", "kcauth"),
    ("only-separators", "; ; ;;,"),
    ("twice", "kcauth=AAAA; kcauth=BBBB"),
])
def test_cookie_that_is_no_session(httpd, provider, client, cookie):
    sent_to_login(client.get(httpd.url("/protected/"), {"Cookie": cookie}, follow=False), provider)
    assert client.fetch(httpd.url("/protected/"), headers={"Cookie": cookie}).status == 401


@table("path", [
    ("page", "/protected/index.html"),
    ("directory", "/protected"),
    ("missing", "/protected/missing"),
    ("script", "/protected/show"),
    ("double-slash", "//protected//index.html"),
    ("dots", "/x/../protected/index.html"),
    ("encoded", "/%70rotected/index.html"),
])
def test_every_spelling_of_the_path_is_protected(httpd, client, path):
    answer = client.get(httpd.url(path), follow=False)
    assert answer.status in (302, 401)
    assert MARKER not in answer.text


def test_public_page_needs_nothing(httpd, provider, client):
    answer = client.get(httpd.url("/"))
    assert answer.status == 200 and "public" in answer.text
    assert not answer.set_cookies
    assert provider.asked == []


def test_optional_page_needs_no_login(httpd, provider, client):
    let_in(client.get(httpd.url("/optional/")))
    assert provider.asked == []


def test_navigation_under_another_name_goes_to_the_canonical_one_first(httpd, client):
    answer = client.get(httpd.url("/protected/?a=%2F&b", host="127.0.0.1"), follow=False)
    assert answer.status in (302, 307, 308)
    assert answer.location == httpd.url("/protected/?a=%2F&b")
    assert not answer.set_cookies
    let_in(client.login(httpd.url("/protected/", host="127.0.0.1")))


def test_forged_host_leads_nowhere_else(httpd, client):
    for path in ("/protected/", "/oauth/login", "/oauth/logout", "/oauth/login/callback"):
        answer = client.get(httpd.url(path), {"Host": "evil.test"}, follow=False)
        assert "evil.test" not in str(answer.headers) + answer.text


def test_twenty_logins_leave_sixteen_states_at_most(httpd, client):
    for number in range(20):
        client.get(httpd.url(f"/protected/?{number}"), follow=False)
    states = client.jar.named(STATE)
    assert len(states) == len(client.jar) <= 16
    sent = client.jar.header(httpd.url("/oauth/login/callback"))
    assert len(sent) < 8190


def test_error_document_does_not_take_the_challenge_over(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(PAGES + "ErrorDocument 401 /index.html\n", provider=provider)
    client = Client()
    sent_to_login(client.get(httpd.url("/protected/"), follow=False), provider)
    let_in(client.login(httpd.url("/protected/")))
