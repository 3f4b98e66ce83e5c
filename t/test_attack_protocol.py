"""Attack: HTTP itself. Methods, bodies, versions, shapes of request smuggling, spellings of paths
and hosts."""

import re

import pytest

from support.attack import ENDPOINTS, Backend, exchange, harmless_bytes, statuses
from support.client import Client
from support.expect import logged_in, table
from support.site import MARKER, PAGES

FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def backend():
    backend = Backend().start()
    yield backend
    backend.stop()


@pytest.fixture(scope="module")
def site(lasting_httpd, lasting_provider, backend):
    proxy = f'ProxyPass "http://127.0.0.1:{backend.port}/"'
    config = PAGES + f"""
<Location "/app">
    AuthType Keycloak
    Require valid-user
    KCAuthExport headers
    {proxy}
</Location>
<Location "/open">
    {proxy}
</Location>
<Directory "${{ROOT}}/htdocs">
    Options +Indexes +MultiViews
</Directory>
"""
    httpd = lasting_httpd(config, provider=lasting_provider(kinds=["ES256"]),
                          options={"modules": ["proxy", "proxy_http", "autoindex", "negotiation"]})
    httpd.write("protected/sub/page.html", MARKER)
    httpd.insider = logged_in(httpd).jar.header(httpd.url("/protected/"))
    return httpd


def request(httpd, line, headers="", body="", cookie=None):
    cookie = f"Cookie: {cookie}\r\n" if cookie else ""
    return exchange(httpd, f"{line}\r\nHost: localhost:{httpd.port}\r\nConnection: close\r\n"
                           f"{cookie}{headers}\r\n{body}")


# Methods

METHODS = ["TRACE", "OPTIONS", "PUT", "DELETE", "PATCH", "CONNECT", "PROPFIND", "PROPPATCH",
           "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK", "REPORT", "BREW", "get", "Get", "post",
           "HEAD", "PRI", "TRACK", "DEBUG", "SEARCH", "BASELINE-CONTROL", "X" * 300, "G\x00ET",
           "G%45T", "_"]


@table("method", [(ascii(method)[1:20], method) for method in METHODS])
def test_method_on_a_protected_page(site, method):
    for path in ("/protected/index.html", "/protected/show", "/admin/", "/app", "/protected/../"):
        harmless_bytes(request(site, f"{method} {path} HTTP/1.1"))


@table("method", [(ascii(method)[1:20], method) for method in METHODS])
def test_method_on_an_endpoint(site, method):
    """With a session, which no odd method ends or shows. The detour of a renewal is taken by every
    method of a page, and leads on."""
    for endpoint in ENDPOINTS:
        if (method, endpoint) == ("HEAD", "/logout"):
            continue  # what GET does
        raw = harmless_bytes(request(site, f"{method} /oauth{endpoint} HTTP/1.1",
                                     "X-Secret: 1\r\n", cookie=site.insider))
        if method not in ("HEAD", "OPTIONS"):
            assert statuses(raw)[0] >= 400 or (endpoint, statuses(raw)[0]) == ("/renew", 307)
        assert b'"username"' not in raw
        assert b"\r\nSet-Cookie:" not in raw
        assert b"kcauth=" not in raw


@table("name", [(name, name) for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method",
                                          "X-Method-Override", "_method")])
def test_method_in_a_header(site, name):
    for method in ("GET", "POST"):
        harmless_bytes(request(site, f"{method} /protected/ HTTP/1.1", f"{name}: HEAD\r\n"))
        raw = request(site, f"{method} /oauth/k_logout HTTP/1.1", f"{name}: POST\r\n")
        assert statuses(raw)[0] in (400, 405)


# Bodies

TYPES = ["", FORM, FORM.upper(), FORM + "; charset=utf-16", FORM + "x", "text/plain",
         "application/json", "multipart/form-data; boundary=x", "multipart/form-data", "x", "/",
         "application/jwt", FORM + "\t", "application/x-www-form-urlencoded;" * 50]
BODIES = [
    ("empty", ""),
    ("pair", "a=b"),
    ("tokens", "logout_token=a.b.c&code=a&state=b&next=//evil.test"),
    ("twice", "logout_token=a.b.c&logout_token=a.b.c"),
    ("json", '{"logout_token":"a.b.c"}'),
    ("deep-json", "[" * 60_000),
    ("nul", "logout_token=a\0b"),
    ("nul-escape", "logout_token=a%00b"),
    ("broken-escapes", "%=%&%z=%zz&" * 10),
    ("latin", "logout_token=\xff\xfe"),
    ("many-names", "&".join(f"a{number}=b" for number in range(5000))),
    ("no-names", "&" * 60_000),
    ("limit", "a=" + "x" * (64 * 1024 - 3)),
    ("above-the-limit", "a=" + "x" * (64 * 1024 - 1)),
    ("dots", "." * 60_000),
    ("jwt-of-nothing", "e30.e30."),
    ("jwt-huge", "logout_token=" + "e30." + "A" * 60_000 + ".AAAA"),
]


@table("body", BODIES)
@table("endpoint", [(name, name) for name in ENDPOINTS])
def test_body(site, endpoint, body):
    for kind in TYPES[:2]:
        headers = f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n"
        raw = harmless_bytes(request(site, f"POST /oauth{endpoint} HTTP/1.1", headers, body))
        assert statuses(raw)[0] in (302, 303, 307, 400, 401, 405, 413)
        assert b"evil.test" not in raw


@table("kind", [(f"{number}-{kind[:20]}", kind) for number, kind in enumerate(TYPES)])
def test_content_type(site, kind):
    for endpoint in ENDPOINTS:
        raw = harmless_bytes(request(site, f"POST /oauth{endpoint} HTTP/1.1",
                                     f"Content-Type: {kind}\r\nContent-Length: 3\r\n", "a=b"))
        assert statuses(raw)[0] in (302, 303, 307, 400, 401, 405)


FRAMES = [
    ("expect", "Expect: 100-continue\r\nContent-Length: 3\r\n", "a=b"),
    ("expect-other", "Expect: magic\r\nContent-Length: 3\r\n", "a=b"),
    ("expect-no-body", "Expect: 100-continue\r\nContent-Length: 100\r\n", ""),
    ("chunked", "Transfer-Encoding: chunked\r\n", "3\r\na=b\r\n0\r\n\r\n"),
    ("chunked-huge", "Transfer-Encoding: chunked\r\n",
     "4000\r\n" + "x" * 0x4000 + "\r\n" + ("4000\r\n" + "x" * 0x4000 + "\r\n") * 8 + "0\r\n\r\n"),
    ("chunks-of-one", "Transfer-Encoding: chunked\r\n", "1\r\nx\r\n" * 3000 + "0\r\n\r\n"),
    ("chunk-extension", "Transfer-Encoding: chunked\r\n", "3;a=b\r\na=b\r\n0\r\n\r\n"),
    ("chunk-negative", "Transfer-Encoding: chunked\r\n", "-1\r\na=b\r\n0\r\n\r\n"),
    ("chunk-overflow", "Transfer-Encoding: chunked\r\n", "FFFFFFFFFFFFFFFF1\r\na\r\n0\r\n\r\n"),
    ("chunk-hex-prefix", "Transfer-Encoding: chunked\r\n", "0x3\r\na=b\r\n0\r\n\r\n"),
    ("chunk-cut", "Transfer-Encoding: chunked\r\n", "ff\r\na=b"),
    ("chunk-without-end", "Transfer-Encoding: chunked\r\n", "3\r\na=b\r\n"),
    ("length-cut", "Content-Length: 1000\r\n", "a=b"),
    ("length-zero-with-body", "Content-Length: 0\r\n", "a=b"),
    ("length-negative", "Content-Length: -1\r\n", "a=b"),
    ("length-plus", "Content-Length: +3\r\n", "a=b"),
    ("length-hex", "Content-Length: 0x3\r\n", "a=b"),
    ("length-huge", "Content-Length: 99999999999999999999\r\n", "a=b"),
    ("length-large", "Content-Length: 4000000000\r\n", "a=b"),
    ("length-twice", "Content-Length: 3\r\nContent-Length: 3\r\n", "a=b"),
    ("length-two", "Content-Length: 3\r\nContent-Length: 4\r\n", "a=bX"),
    ("length-list", "Content-Length: 3, 3\r\n", "a=b"),
    ("no-length", "", "a=b"),
]


@table("headers, body", FRAMES)
@table("path", [(path, path) for path in ("/protected/", "/app", "/oauth/k_logout", "/oauth/login",
                                          "/oauth/backchannel-logout", "/oauth/login/callback")])
def test_framing(site, path, headers, body):
    for method in ("POST", "GET"):
        harmless_bytes(request(site, f"{method} {path} HTTP/1.1",
                               f"Content-Type: {FORM}\r\n{headers}", body))


def inner(site):
    """What an attacker wants to have read as a request of its own, behind the front."""
    return (f"GET /admin-of-the-backend HTTP/1.1\r\nHost: localhost:{site.port}\r\n"
            "KC-User-Id: x\r\n\r\n")


SMUGGLES = [
    ("length-and-chunked", "Content-Length: {n}\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n{i}"),
    ("chunked-and-length", "Transfer-Encoding: chunked\r\nContent-Length: {n}\r\n", "0\r\n\r\n{i}"),
    ("chunked-twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
     "0\r\n\r\n{i}"),
    ("chunked-chunked", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n{i}"),
    ("identity-chunked", "Transfer-Encoding: identity, chunked\r\n", "0\r\n\r\n{i}"),
    ("chunked-identity", "Transfer-Encoding: chunked, identity\r\nContent-Length: {n}\r\n",
     "0\r\n\r\n{i}"),
    ("chunked-capitals", "Transfer-Encoding: CHUNKED\r\nContent-Length: {n}\r\n", "0\r\n\r\n{i}"),
    ("chunked-x", "Transfer-Encoding: xchunked\r\nContent-Length: {n}\r\n", "0\r\n\r\n{i}"),
    ("chunked-quoted", 'Transfer-Encoding: "chunked"\r\nContent-Length: {n}\r\n', "0\r\n\r\n{i}"),
    ("chunked-tab", "Transfer-Encoding:\tchunked\r\nContent-Length: {n}\r\n", "0\r\n\r\n{i}"),
    ("chunked-vertical-tab", "Transfer-Encoding:\x0bchunked\r\nContent-Length: {n}\r\n",
     "0\r\n\r\n{i}"),
    ("chunked-folded", "Transfer-Encoding:\r\n chunked\r\nContent-Length: {n}\r\n", "0\r\n\r\n{i}"),
    ("blank-before-colon", "Transfer-Encoding : chunked\r\nContent-Length: {n}\r\n",
     "0\r\n\r\n{i}"),
    ("line-feeds", "X: 1\nTransfer-Encoding: chunked\r\nContent-Length: {n}\r\n", "0\r\n\r\n{i}"),
    ("return-alone", "X: 1\rTransfer-Encoding: chunked\r\nContent-Length: {n}\r\n",
     "0\r\n\r\n{i}"),
    ("chunk-line-feeds", "Transfer-Encoding: chunked\r\n", "0\n\n{i}"),
    ("chunk-extension-line", "Transfer-Encoding: chunked\r\n", "0;\n\r\n\r\n{i}"),
    ("trailer", "Transfer-Encoding: chunked\r\n", "0\r\nX: 1\r\n\r\n{i}"),
    ("length-two-values", "Content-Length: 0\r\nContent-Length: {n}\r\n", "{i}"),
    ("length-list", "Content-Length: 0, {n}\r\n", "{i}"),
    ("get-with-a-body", "Content-Length: 0\r\n", "{i}"),
    ("length-underscore", "Content_Length: {n}\r\n", "{i}"),
    ("upgrade", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n",
     "{i}"),
    ("upgrade-h2c", "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n"
                    "HTTP2-Settings: AAAA\r\n", "{i}"),
    ("expect", "Expect: 100-continue\r\nContent-Length: 0\r\n", "{i}"),
]


@table("headers, body", SMUGGLES)
@table("method", [("get", "GET"), ("post", "POST")])
@table("place", [("protected", "/app"), ("open", "/open")])
def test_smuggling(site, backend, place, method, headers, body):
    """What the backend gets has passed the check, and holds no identity but ours."""
    hidden = inner(site)
    headers, body = (text.replace("{n}", str(len(hidden) + 5)).replace("{i}", hidden)
                     for text in (headers, body))
    for cookie in (None, site.insider):
        backend.heads.clear()
        exchange(site, f"{method} {place} HTTP/1.1\r\nHost: localhost:{site.port}\r\n"
                       + (f"Cookie: {cookie}\r\n" if cookie else "") + f"{headers}\r\n{body}")
        for head in backend.heads:
            assert "admin-of-the-backend" not in head
            assert "KC-User-Id: x" not in head
            assert "kcauth=" not in head
        assert cookie or place == "/open" or not backend.heads


@table("target", [
    ("line-break", "/app%0d%0aKC-User-Id:%20x"),
    ("line-break-in-query", "/open?%0d%0aKC-User-Id:%20x"),
    ("blank", "/open%20HTTP/1.1%0d%0aKC-User-Id:%20x%0d%0a%0d%0a"),
    ("up", "/app/../../admin"),
    ("encoded-up", "/app/%2e%2e/%2e%2e/admin"),
    ("encoded-slash", "/open/..%2f..%2fapp"),
    ("nul", "/open/%00"),
    ("fragment", "/open/#x"),
    ("question-marks", "/open??????"),
    ("absolute", "http://127.0.0.1:1/app"),
])
def test_target_through_the_proxy(site, backend, target):
    backend.heads.clear()
    harmless = request(site, f"GET {target} HTTP/1.1")
    assert target.startswith("/open") or MARKER.encode() not in harmless
    assert not [head for head in backend.heads if "\nKC-User-Id" in head]


# Paths

PATHS = [
    "//protected/", "///protected///", "/./protected/", "/protected/./", "/protected/.",
    "/x/../protected/", "/protected/../protected/", "/protected/sub/../", "/../protected/",
    "/%70rotected/", "/protecte%64/", "/%2570rotected/", "/protected%2f",
    "/protected%2findex.html", "/protected%5cindex.html", "/protected\\index.html",
    "\\protected\\", "/.%2fprotected/", "/%2e/protected/", "/%2e%2e/protected/", "/%2fprotected/",
    "//%2e//protected/", "/%2f/protected/", "/protected;x=1/", "/protected/;x=1", "/;/protected/",
    "/protected/index.html;x", "/x;/../protected/", "/protected/index.html/",
    "/protected/index.html/x", "/protected/index.html%00", "/protected/index.html%00.png",
    "/protected/index.html%20", "/protected/index.html.", "/protected/index",
    "/protected/INDEX.HTML", "/PROTECTED/", "/Protected/index.html", "/protected.",
    "/protected./index.html", "/protected%20/index.html", "/protected/index.html?",
    "/protected?/", "/protected#/", "/protected//index.html", "/protected/sub//page.html",
    "/protected/%2e/index.html", "/protected/%c0%ae/index.html", "/%c0%afprotected/",
    "/%u0070rotected/", "/\xefprotected/", "/protected/*", "/protected/~", "/protected/%",
    "/protected/%2", "/protected/index.html%", "/protected%0a/", "/protected%0d%0a/",
    "/protected\t/", "/protected%09/", "/plain/../protected/", "/oauth/../protected/",
    "/oauth/login/../../protected/index.html", "/oauth/session/../../protected/",
    "/oauth/login;/../../protected/", "/oauth/%2e%2e/protected/",
    "/optional/../protected/index.html", "/show/../protected/show", "/cgi-bin/../protected/show",
    "/protected/show/../index.html", "/protected/show/x/../../index.html",
    "/" + "./" * 500 + "protected/", "/" + "/" * 3000 + "protected/",
]


@table("path", [(f"{number}-{ascii(path)[1:36]}", path) for number, path in enumerate(PATHS)])
@table("form", [("origin", "{path}"), ("absolute", "http://localhost{path}"),
                ("absolute-foreign", "http://evil.test{path}")])
@table("version", [("1.1", "HTTP/1.1"), ("1.0", "HTTP/1.0")])
def test_path(site, path, form, version):
    target = form.format(path=path)
    for method in ("GET", "POST", "HEAD"):
        raw = harmless_bytes(request(site, f"{method} {target} {version}"))
        assert b"KC_USER" not in raw


@table("path", [
    (name, name) for name in (
        "/oauth//session", "/oauth/./session", "/x/../oauth/session", "/oauth/session/",
        "/oauth/session/x", "/oauth/%73ession", "/oauth%2fsession", "/OAUTH/session",
        "/oauth/session;x", "/oauth/session.", "/oauth/session%00", "/oauth/session%20",
        "/oauth/session?x", "/oauth\\session", "/oauth/session/..", "/oauth/login/../session",
        "/oauth/login/callback/../../session", "http://evil.test/oauth/session", "/oauth/",
        "/oauth/k_logout/", "/oauth/K_LOGOUT", "/oauth/login/callback/", "/oauth/sessionx")])
def test_path_of_an_endpoint(site, path):
    """Who has no session is told nothing, whatever the spelling; who has one, of their own."""
    raw = harmless_bytes(request(site, f"GET {path} HTTP/1.1"))
    assert b'"username"' not in raw
    own = harmless_bytes(request(site, f"GET {path} HTTP/1.1", cookie=site.insider))
    assert statuses(own)[0] in (200, 302, 400, 401, 404, 405)
    if statuses(own)[0] == 200 and b'"username"' in own:
        assert b"Cache-Control: no-store" in own


# Versions and hosts

@table("line", [
    ("0.9", "GET /protected/index.html\r\n"),
    ("0.9-session", "GET /oauth/session\r\n"),
    ("1.0", "GET /protected/index.html HTTP/1.0\r\n\r\n"),
    ("1.0-keep-alive", "GET /protected/index.html HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"),
    ("1.0-host", "GET /protected/ HTTP/1.0\r\nHost: evil.test\r\n\r\n"),
    ("1.1-without-host", "GET /protected/ HTTP/1.1\r\n\r\n"),
    ("1.1-two-hosts", "GET /protected/ HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n"),
    ("1.2", "GET /protected/ HTTP/1.2\r\nHost: localhost\r\n\r\n"),
    ("2.0", "GET /protected/ HTTP/2.0\r\nHost: localhost\r\n\r\n"),
    ("3", "GET /protected/ HTTP/3\r\nHost: localhost\r\n\r\n"),
    ("small", "GET /protected/ http/1.1\r\nHost: localhost\r\n\r\n"),
    ("long", "GET /protected/ HTTP/1.10000\r\nHost: localhost\r\n\r\n"),
    ("none", "GET /protected/ \r\nHost: localhost\r\n\r\n"),
    ("blanks", "GET   /protected/   HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("tabs", "GET\t/protected/\tHTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("line-feeds", "GET /protected/ HTTP/1.1\nHost: localhost\n\n"),
    ("empty-lines-first", "\r\n\r\n\r\nGET /protected/ HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("no-end", "GET /protected/ HTTP/1.1\r\nHost: localhost\r\n"),
    ("binary", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
    ("h2-preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("star", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("star-get", "GET * HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("authority", "CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("authority-page", "CONNECT /protected/index.html HTTP/1.1\r\nHost: localhost\r\n\r\n"),
    ("authority-get", "GET localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
])
def test_request_line(site, line):
    harmless_bytes(exchange(site, line))


FORWARDED = [
    ("x-forwarded-host", "X-Forwarded-Host: evil.test"),
    ("x-forwarded-server", "X-Forwarded-Server: evil.test"),
    ("x-forwarded-proto", "X-Forwarded-Proto: https"),
    ("x-forwarded-port", "X-Forwarded-Port: 1"),
    ("x-forwarded-prefix", "X-Forwarded-Prefix: //evil.test"),
    ("x-forwarded-for", "X-Forwarded-For: 127.0.0.1, evil.test"),
    ("forwarded", "Forwarded: for=127.0.0.1;host=evil.test;proto=https"),
    ("x-original-url", "X-Original-URL: /index.html"),
    ("x-original-url-protected", "X-Original-URL: //evil.test/"),
    ("x-rewrite-url", "X-Rewrite-URL: /index.html"),
    ("x-original-uri", "X-Original-URI: //evil.test/"),
    ("x-real-ip", "X-Real-IP: 127.0.0.1"),
    ("x-host", "X-Host: evil.test"),
    ("referer", "Referer: http://evil.test/"),
    ("origin", "Origin: http://evil.test"),
    ("destination", "Destination: http://evil.test/protected/"),
    ("front-end-https", "Front-End-Https: on"),
    ("x-sendfile", "X-Sendfile: /protected/index.html"),
    ("accept-nonsense", "Accept: " + "," * 2000),
    ("range", "Range: bytes=0-10,0-20,5-,-5"),
    ("if-none-match", 'If-None-Match: *'),
    ("if-modified-since", "If-Modified-Since: Tue, 01 Jan 2097 00:00:00 GMT"),
    ("if-unmodified-since", "If-Unmodified-Since: Mon, 01 Jan 1990 00:00:00 GMT"),
    ("sec-fetch", "Sec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin"),
    ("upgrade-insecure", "Upgrade: TLS/1.0\r\nConnection: Upgrade"),
    ("host-two", "Host: evil.test"),
    ("host-space", "Host : evil.test"),
]


@table("header", FORWARDED)
@table("path", [(path, path) for path in ("/protected/index.html", "/protected/show", "/app",
                                          "/oauth/login", "/oauth/session", "/oauth/logout")])
def test_header_that_proxies_believe(site, path, header):
    raw = harmless_bytes(request(site, f"GET {path} HTTP/1.1", f"{header}\r\n"))
    assert b"evil.test" not in raw
    for location in re.findall(rb"^Location: ([^\r\n]*)", raw, re.MULTILINE):
        assert location.startswith((b"http://localhost:", b"http://127.0.0.1:", b"/"))
    assert b"https://localhost" not in raw


def test_nothing_of_all_this_hurt_anybody(site):
    """The session of before is good still."""
    answer = Client().get(site.url("/protected/"), {"Cookie": site.insider}, follow=False)
    assert answer.status == 200 and MARKER in answer.text
