"""Pages of refusals: what they say, what they never show."""

import html.parser
import re

import pytest

from support.client import Client
from support.expect import reference, refused, table
from support.site import MARKER, PAGES

EVIL = "%3Cscript%3Ealert(1)%3C/script%3E%22%27%26"


def error_page(httpd, client, path="/oauth/login/callback?code=x&state=x"):
    return client.get(httpd.url(path))


def test_headers(httpd, client):
    answer = refused(error_page(httpd, client), httpd, 400, "KC05..")
    headers = answer.headers
    assert headers["Content-Type"].lower().replace(" ", "") == "text/html;charset=utf-8"
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "script-src" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


class Page(html.parser.HTMLParser):
    """What a page is made of."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.title = [], [], ""
        self._in_title = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        self._in_title = tag == "title"

    def handle_data(self, data):
        if self._in_title:
            self.title += data
            self._in_title = False


def test_page_has_no_script_or_outside_part(httpd, client):
    page = Page(error_page(httpd, client).text)
    assert {"html", "title", "main", "h1"} <= set(page.tags)
    assert not {"script", "img", "iframe", "link", "object", "embed", "form"} & set(page.tags)
    assert ("lang", "en") in page.attributes
    assert page.title.strip()
    for name, value in page.attributes:
        assert not name.startswith("on")
        if name == "href":
            assert value.startswith("/") and not value.startswith("//")


@table("path", [
    ("error", f"/oauth/login/callback?error={EVIL}&error_description={EVIL}&state=x"),
    ("code", f"/oauth/login/callback?code={EVIL}&state={EVIL}"),
    ("iss", f"/oauth/login/callback?code=x&state=x&iss={EVIL}"),
    ("name", f"/oauth/login/callback?{EVIL}={EVIL}"),
    ("next", f"/oauth/login?next={EVIL}"),
    ("logout", f"/oauth/logout?{EVIL}"),
])
@table("method", [(method, method) for method in ("GET", "POST", "PUT", "BREW")])
def test_nothing_is_reflected(httpd, client, method, path):
    answer = client.request(method, httpd.url(path), {"Accept": "text/html"})
    assert "alert(1)" not in answer.text
    assert "<script" not in str(answer.headers)


@table("path", [
    ("unknown", "/oauth/unknown"),
    ("below-login", "/oauth/login/other"),
    ("below-callback", "/oauth/login/callback/x"),
    ("slash", "/oauth/login/"),
    ("bare", "/oauth"),
    ("longer", "/oauth/logins"),
    ("capitals", "/OAUTH/LOGIN"),
])
def test_other_paths_are_none_of_our_business(httpd, client, path):
    assert client.get(httpd.url(path), follow=False).status == 404


def test_error_document(new_httpd, new_provider):
    """Ours fills its environment; the page is the admin's."""
    httpd = new_httpd(PAGES + "ErrorDocument 400 /show\n", provider=new_provider(kinds=["ES256"]))
    answer = error_page(httpd, Client())
    assert answer.status == 400
    env = dict(item.split("=", 1) for item in answer.text.split("\0") if "=" in item)
    assert re.fullmatch(r"KC05\d\d", env["REDIRECT_KC_ERROR_ID"])
    assert env["REDIRECT_KC_ERROR_REF"] in httpd.log.wait_for(env["REDIRECT_KC_ERROR_ID"])
    assert env["REDIRECT_KC_ERROR_TEXT"]
    assert env["REDIRECT_KC_RETRY_URL"].startswith("/oauth/login")


def test_error_document_of_text(new_httpd, new_provider):
    httpd = new_httpd(PAGES + 'ErrorDocument 400 "our own words"\n',
                      provider=new_provider(kinds=["ES256"]))
    answer = error_page(httpd, Client())
    assert answer.status == 400 and "our own words" in answer.text


def test_error_document_that_is_protected_itself(new_httpd, new_provider):
    httpd = new_httpd(PAGES + "ErrorDocument 400 /protected/index.html\n",
                      provider=new_provider(kinds=["ES256"]))
    answer = Client().get(httpd.url("/oauth/login/callback"), follow=False)
    assert MARKER not in answer.text and answer.status >= 300


def test_every_error_has_a_reference_of_its_own(httpd, client):
    references = {reference(error_page(httpd, client)) for _ in range(20)}
    assert len(references) == 20


def test_head_has_no_body(httpd, client):
    answer = client.request("HEAD", httpd.url("/oauth/login/callback?state=x"))
    assert answer.body == b"" and answer.status >= 400


@pytest.mark.parametrize("size", [10, 70_000, 2_000_000])
def test_body_for_an_endpoint_that_wants_none(httpd, client, size):
    for path in ("/oauth/login", "/oauth/login/callback"):
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = client.request("POST", httpd.url(path), headers, b"a=" + b"x" * size)
        assert answer.status in (400, 405, 413)


def test_control_characters_do_not_break_the_log(httpd, client):
    error_page(httpd, client, "/oauth/login/callback?state=x&error=%0d%0a[fake:error]%1b[31m")
    assert not httpd.log.lines(r"^\[fake") and "\x1b" not in httpd.log.text()
