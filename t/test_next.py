"""login?next= leads to local paths only: what a browser might take for another origin becomes /."""

import urllib.parse

from support.client import Client
from support.expect import let_in, logged_in, table

LOCAL = [
    "/protected/",
    "/protected/?a=b&c=d",
    "/protected/?u=https://example.org/",
    "/protected/?u=//example.org/",
    "/protected/%C3%BC",
    "/protected/a:b@c",
    "/protected/;x=1",
    "/protected/a//b",
    "/admin/~x/-._!$'()*+,",
]

EVIL = [
    "",
    "https://evil.test/",
    "http:evil.test",
    "HTTPS://evil.test",
    "//evil.test",
    "//evil.test/protected/",
    "///evil.test",
    "////evil.test",
    "/\\evil.test",
    "\\/evil.test",
    "\\\\evil.test",
    "/\\/evil.test",
    "/%5cevil.test",
    "/%5Cevil.test",
    "/%2fevil.test",
    "/%2Fevil.test",
    "%2f%2fevil.test",
    "/%09/evil.test",
    "/\t/evil.test",
    "/\n/evil.test",
    "/\r/evil.test",
    "/\r\nLocation: //evil.test",
    "/%0d%0aLocation:%20//evil.test",
    "/%00/evil.test",
    "/\0/evil.test",
    "\t//evil.test",
    " //evil.test",
    "\n/protected/",
    "/ /evil.test",
    "/.//evil.test",
    "/..//evil.test",
    "/./%2fevil.test",
    "/%2e%2e//evil.test",
    "/x/..//evil.test",
    "/;//evil.test",
    "javascript:alert(1)",
    "data:text/html,x",
    "evil.test",
    "protected/",
    "?next=/",
    "#//evil.test",
    "@evil.test",
    ":80",
    "/\x7f/evil.test",
    "/\u2028/evil.test",
    "/\uff0fevil.test",
    "/" + "a" * 5000,
    "/%zz",
    "/%",
]


def login_url(httpd, target):
    return httpd.url("/oauth/login?next=" + urllib.parse.quote(target, safe=""))


def named(targets):
    return [(f"{number}-{ascii(target)[1:30]}", target) for number, target in enumerate(targets)]


@table("target", named(LOCAL))
def test_local_target_of_a_person_who_is_logged_in(httpd, target):
    answer = logged_in(httpd).get(login_url(httpd, target), follow=False)
    assert answer.location == httpd.url(target)


@table("target", named(EVIL))
def test_evil_target_of_a_person_who_is_logged_in(httpd, target):
    answer = logged_in(httpd).get(login_url(httpd, target), follow=False)
    assert answer.status in (302, 303)
    assert answer.headers["Location"] in ("/", httpd.url("/"))


@table("target", named(LOCAL[:4]))
def test_local_target_after_a_login(httpd, client, target):
    assert client.get(login_url(httpd, target)).url == httpd.url(target)


@table("target", named(EVIL))
def test_evil_target_after_a_login(httpd, provider, client, target):
    answer = client.get(login_url(httpd, target))
    assert answer.url == httpd.url("/")
    for step in answer.history:
        assert "evil.test" not in step.location.split("?")[0]


def test_bare_protected_path_that_looks_like_another_origin(httpd, client):
    """A request for //evil.test/... that httpd maps into the protected place."""
    answer = client.get(httpd.url("//protected//"), follow=False)
    if answer.status == 302:
        end = client.get(answer.location)
        assert end.url.startswith(httpd.url("/"))


@table("query", [
    ("twice", "?next=/protected/&next=//evil.test"),
    ("twice-other-order", "?next=//evil.test&next=/protected/"),
    ("other-names", "?redirect=//evil.test&url=//evil.test&target=//evil.test&rd=//evil.test"),
    ("bare", "?//evil.test"),
    ("array", "?next[]=//evil.test"),
    ("fragment", "?next=/%23//evil.test"),
])
def test_other_ways_to_give_a_target(httpd, query):
    answer = logged_in(httpd).get(httpd.url("/oauth/login" + query), follow=False)
    assert answer.status in (302, 303, 400)
    if answer.location:
        assert urllib.parse.urlsplit(answer.location).netloc == f"localhost:{httpd.port}"


def test_target_needs_its_own_rights(httpd, provider, client):
    """A login for a page is not the right to see it."""
    provider.user = "bob"
    answer = client.get(login_url(httpd, "/admin/"))
    assert answer.status == 401
    let_in(client.get(httpd.url("/protected/")))


def test_login_without_next_goes_home(httpd):
    answer = Client().get(httpd.url("/oauth/login"))
    assert answer.url == httpd.url("/")
