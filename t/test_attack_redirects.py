"""Attack: open redirects, at every place that takes a target, in every form of the request line."""

import html
import re
import urllib.parse

import pytest

from support.attack import exchange, harmless, harmless_bytes, stays_here
from support.client import Client, Cookie
from support.expect import SESSION, logged_in, table
from test_next import EVIL, named

# Besides those of test_next: what a reader of URLs somewhere on the way may take for a host.
TRICKS = [
    "/\\\\evil.test", "/\t\\evil.test", "/%5c%5cevil.test", "/%2f%5cevil.test", "/%5c%2fevil.test",
    "/.%2f/evil.test", "/%2e/%2fevil.test", "/%2e%2e/%2fevil.test", "/..;//evil.test",
    "/.;x=1//evil.test", "/;x=1/%2fevil.test", "/a/../..//evil.test", "/a/%2e%2e//evil.test",
    "/a/..%2f/evil.test", "/a/..%5c/evil.test", "/a//..//..//evil.test", "//evil.test@localhost/",
    "//localhost@evil.test/", "//localhost:80@evil.test", "//localhost.evil.test", "//evil.test%00",
    "//evil%E3%80%82test", "https:evil.test", "https:/evil.test", "https:///evil.test",
    "https:\\\\evil.test", "http://localhost@evil.test/", "//[::1]/", "//0x7f.1/",
    "/\u00a0/evil.test",
    "/\u3002/evil.test", "/\u200b/evil.test", "/\x0b/evil.test", "/\x0c/evil.test",
    "/\x1f/evil.test",
    "/%0a/evil.test", "/%0d/evil.test", "/%0b/evil.test", "/%1f//evil.test", "/%7f//evil.test",
    "vbscript:x", "JaVaScRiPt:alert(1)", "java\tscript:alert(1)", "\x01javascript:alert(1)",
    "file:///etc/passwd", "blob:x", "//%65vil.test", "/%", "/%2", "/%u002f/evil.test",
    "//\\evil.test",
    ".", "..", "./evil", "*", "//", "/\\", "\\", "%2f", "%5c%5cevil.test", "?//evil.test", "#",
]


def asked(httpd, endpoint, target):
    return httpd.url(f"/oauth{endpoint}?next={urllib.parse.quote(target, safe='')}")


@pytest.fixture(scope="module")
def insider(shared_httpd):
    return logged_in(shared_httpd)


@table("target", named(TRICKS))
def test_login_of_somebody_who_is_in(httpd, insider, target):
    answer = harmless(insider.get(asked(httpd, "/login", target), follow=False))
    assert answer.headers["Location"] in ("/", httpd.url("/"))


@table("target", named(EVIL + TRICKS))
def test_renewal(httpd, insider, target):
    for client in (Client(), insider):
        answer = harmless(client.get(asked(httpd, "/renew", target), follow=False))
        assert answer.headers["Location"] in ("/", httpd.url("/"))


@table("target", named(TRICKS))
def test_login_of_a_stranger(httpd, provider, target):
    """What stands in the sealed state was judged before."""
    client = Client()
    begun = stays_here(client.get(asked(httpd, "/login", target), follow=False), httpd, provider)
    back = client.get(begun.location, follow=False).location
    answer = harmless(client.get(back, follow=False))
    assert answer.headers["Location"] in ("/", httpd.url("/"))


@table("endpoint", [(name, name) for name in ("/login", "/renew", "/logout", "/session",
                                              "/login/callback", "/frontchannel-logout")])
@table("query", [
    ("twice", "next=/&next=//evil.test"),
    ("twice-evil-first", "next=//evil.test&next=/"),
    ("semicolon", "a=b;next=//evil.test"),
    ("array", "next[]=//evil.test&next[0]=//evil.test"),
    ("capitals", "NEXT=//evil.test&Next=//evil.test"),
    ("encoded-name", "%6e%65%78%74=//evil.test"),
    ("plus", "next=/+/evil.test"),
    ("nul-in-name", "next%00=//evil.test"),
    ("line-break", "next=/%0d%0aLocation:%20http://evil.test/%0d%0a"),
    ("other-names", "url=//evil.test&return=//evil.test&redirect_uri=//evil.test&rd=//evil.test"
                    "&post_logout_redirect_uri=//evil.test&target_link_uri=//evil.test"),
    ("empty-pairs", "&&=&next=//evil.test&="),
    ("many", "&".join(f"p{number}=1" for number in range(40)) + "&next=//evil.test"),
])
def test_other_ways_to_say_it(httpd, provider, endpoint, query):
    for client in (Client(), logged_in(httpd)):
        answer = client.get(httpd.url(f"/oauth{endpoint}?{query}"), follow=False)
        stays_here(answer, httpd, provider)
        where = urllib.parse.urlsplit(answer.location or "")
        said = dict(urllib.parse.parse_qsl(where.query))
        assert "evil.test" not in where.netloc + where.path + str(said)


REQUEST_LINES = [
    ("two-slashes", "//evil.test/protected/"),
    ("two-slashes-then-up", "//evil.test/../protected/"),
    ("slash-backslash", "/\\evil.test/../protected/"),
    ("encoded-slash-first", "/%2fevil.test/../protected/"),
    ("encoded-backslash-first", "/%5cevil.test/../protected/"),
    ("dot-then-slash", "/.//evil.test/../protected/"),
    ("dots-then-slash", "/x/..//evil.test/../protected/"),
    ("protected-first", "/protected/..//evil.test"),
    ("protected-twice", "//protected//evil.test"),
    ("absolute", "http://evil.test/protected/"),
    ("absolute-with-user", "http://localhost@evil.test/protected/"),
    ("absolute-two-slashes", "http://evil.test//evil.test/../protected/"),
    ("absolute-https", "https://evil.test/protected/"),
    ("absolute-other-scheme", "ftp://evil.test/protected/"),
    ("absolute-no-path", "http://evil.test"),
    ("absolute-query", "http://evil.test?/protected/"),
    ("absolute-no-host", "http:///protected/"),
    ("absolute-one-slash", "http:/protected/"),
    ("path-with-scheme", "/protected/http://evil.test/"),
    ("no-slash", "protected/"),
    ("at", "@evil.test/protected/"),
    ("star", "*"),
    ("fragment", "/protected/#//evil.test"),
    ("query", "/protected/?//evil.test"),
    ("tab-escape", "/protected/%09//evil.test"),
    ("line-break-escape", "/protected/%0d%0aLocation:%20//evil.test"),
    ("raw-bytes", "/protected/\xff\xfe"),
    ("empty", ""),
]


@table("line", REQUEST_LINES)
@table("host", [("own", None), ("foreign", "evil.test"), ("own-port", "localhost:1"),
                ("user", "localhost@evil.test"), ("empty", "")])
def test_request_line(httpd, line, host):
    host = f"localhost:{httpd.port}" if host is None else host
    raw = harmless_bytes(exchange(httpd, f"GET {line} HTTP/1.1\r\nHost: {host}\r\n"
                                         "Connection: close\r\n\r\n"))
    for location in re.findall(rb"^Location: ([^\r\n]*)", raw, re.MULTILINE):
        parts = urllib.parse.urlsplit(location.decode("latin-1"))
        assert not location.startswith((b"//", b"/\\"))
        assert parts.hostname in ("localhost", "127.0.0.1", None)
        assert parts.port == httpd.port or parts.path.endswith("/auth")


@table("line", [(name, line) for name, line in REQUEST_LINES if line.startswith("/")])
def test_login_that_began_there_ends_here(httpd, line):
    """The whole way, through the sealed state, and back."""
    raw = harmless_bytes(exchange(httpd, f"GET {line} HTTP/1.1\r\nHost: localhost:{httpd.port}\r\n"
                                         "Connection: close\r\n\r\n"))
    client = Client()
    state = re.search(rb"^Set-Cookie: (kcauth_state_[^\r\n]*)", raw, re.MULTILINE)
    if state:
        cookie = Cookie(state[1].decode(), httpd.url("/"))
        client.jar[cookie.host, cookie.path, cookie.name] = cookie
        location = re.search(rb"^Location: ([^\r\n]*)", raw, re.MULTILINE)[1].decode()
        back = client.get(location, follow=False).location
        answer = harmless(client.get(back, follow=False))
        assert client.jar.named(SESSION)
        assert answer.location.startswith(httpd.url("/"))


@table("change", [
    ("code-evil", {"code": "//evil.test"}),
    ("error-evil", {"error": "//evil.test", "error_uri": "//evil.test"}),
    ("next-beside", {"next": "//evil.test", "redirect_uri": "//evil.test"}),
    ("state-evil", {"state": "//evil.test"}),
    ("iss-evil", {"iss": "//evil.test"}),
])
def test_callback_leads_nowhere_else(httpd, provider, client, change):
    begun = client.get(httpd.url("/protected/"), follow=False)
    back = urllib.parse.urlsplit(client.get(begun.location, follow=False).location)
    query = {**dict(urllib.parse.parse_qsl(back.query)), **change}
    answer = client.get(httpd.url(f"{back.path}?{urllib.parse.urlencode(query)}"), follow=False)
    stays_here(answer, httpd, provider)
    for link in re.findall('href="([^"]*)"', answer.text):
        link = html.unescape(link)
        assert link.startswith("/") and not link.startswith(("//", "/\\"))
        assert "evil.test" not in link
