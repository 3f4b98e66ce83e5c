"""Beside other modules, and over each version of HTTP: the module does its own, and they do theirs.
(mod_cache: test_attack_neighbours.py; mod_include, mod_rewrite, mod_proxy: test_identity.py.)"""

import gzip
import os
import re

import pytest

from support.attack import exchange, harmless
from support.client import Client
from support.expect import let_in, logged_in, sent_to_login, table
from support.http2 import get, http2
from support.provider import User
from support.site import MARKER, PAGES, seen, settings
from support.wait import until


def test_cgi(new_httpd, new_provider):
    """mod_cgid with threads, mod_cgi with prefork: the script knows who posts, and what."""
    httpd = new_httpd('ScriptAlias "/protected/echo" "${ROOT}/cgi-bin/echo"\n' + PAGES,
                      provider=new_provider(kinds=["ES256"]))
    httpd.cgi("echo", "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\n\\r\\n'\n"
                      'echo "$REMOTE_USER $KC_ROLES $REQUEST_METHOD: $(cat)"\n')
    answer = logged_in(httpd).request("POST", httpd.url("/protected/echo"), {}, b"the body")
    assert answer.text == "alice admin POST: the body\n"


# mod_dav

DAV = """
DavLockDB "${ROOT}/dav/lock"
<Location "/dav">
    Dav On
    AuthType Keycloak
    <LimitExcept GET HEAD OPTIONS PROPFIND>
        Require kc-role admin
    </LimitExcept>
    <Limit GET HEAD OPTIONS PROPFIND>
        Require valid-user
    </Limit>
</Location>
"""


@pytest.fixture(scope="module")
def dav(lasting_httpd, lasting_provider):
    """A folder that everybody who is logged in may read, and admins may write."""
    provider = lasting_provider(kinds=["ES256"])
    httpd = lasting_httpd(PAGES + DAV, provider=provider, options={"modules": ["dav", "dav_fs"]})
    httpd.write("dav/page.txt", MARKER)
    for folder in ("dav", "htdocs/dav"):
        (httpd.root / folder).mkdir(exist_ok=True)
        (httpd.root / folder).chmod(0o777)
    httpd.provider = provider
    return httpd


METHODS = [("put", "PUT", "new.txt", {}), ("mkcol", "MKCOL", "folder", {}),
           ("delete", "DELETE", "page.txt", {}),
           ("copy", "COPY", "page.txt", {"Destination": "/dav/copy.txt"}),
           ("move", "MOVE", "page.txt", {"Destination": "/dav/moved.txt"}),
           ("proppatch", "PROPPATCH", "page.txt", {}), ("lock", "LOCK", "page.txt", {}),
           ("propfind", "PROPFIND", "", {"Depth": "1"}), ("options", "OPTIONS", "", {}),
           ("get", "GET", "page.txt", {}), ("post", "POST", "page.txt", {})]


@table("method, path, headers", METHODS)
def test_dav_method_of_a_stranger(dav, method, path, headers):
    answer = harmless(Client().fetch(dav.url("/dav/" + path), method, headers, b""))
    assert answer.status == 401
    assert (dav.root / "htdocs/dav/page.txt").exists()
    assert not (dav.root / "htdocs/dav/new.txt").exists()


@table("method, path, headers", [row for row in METHODS if row[1] not in (
    "PROPFIND", "OPTIONS", "GET", "POST")])
def test_dav_method_without_the_role(dav, method, path, headers):
    dav.provider.user = "bob"
    client = logged_in(dav)
    assert harmless(client.fetch(dav.url("/dav/" + path), method, headers, b"")).status == 401
    assert (dav.root / "htdocs/dav/page.txt").exists()


def test_dav_of_an_admin(dav):
    dav.provider.user = "alice"
    client = logged_in(dav)
    assert client.fetch(dav.url("/dav/mine.txt"), "PUT", {}, b"mine").status == 201
    assert client.fetch(dav.url("/dav/mine.txt")).text == "mine"
    headers = {"Destination": dav.url("/dav/other.txt")}
    assert client.fetch(dav.url("/dav/mine.txt"), "MOVE", headers).status == 201
    listing = client.fetch(dav.url("/dav/"), "PROPFIND", {"Depth": "1"})
    assert listing.status == 207 and "other.txt" in listing.text
    assert client.fetch(dav.url("/dav/other.txt"), "DELETE").status == 204


def test_dav_copy_does_not_read_what_is_protected_elsewhere(dav):
    """From a folder that a person may not read, into one that they may write."""
    dav.provider.users["writer"] = User("writer", client_roles={"webapp": ["writer"]})
    dav.provider.user = "writer"
    client = logged_in(dav)
    answer = client.fetch(dav.url("/admin/index.html"), "COPY",
                          {"Destination": dav.url("/dav/stolen.html")})
    assert harmless(answer).status >= 400
    assert not (dav.root / "htdocs/dav/stolen.html").exists()


# mod_deflate

def test_deflate(new_httpd, new_provider):
    """Pages are compressed, our refusals are what they are, and posted forms may be compressed."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(PAGES + "SetOutputFilter DEFLATE\nSetInputFilter DEFLATE\n",
                      provider=provider, options={"modules": ["deflate"]})
    httpd.write("protected/long.html", MARKER * 100)
    packed = {"Accept-Encoding": "gzip"}
    client = logged_in(httpd)
    answer = client.get(httpd.url("/protected/long.html"), packed)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert MARKER in gzip.decompress(answer.body).decode()
    vary = answer.headers["Vary"].lower()
    assert "cookie" in vary and "accept-encoding" in vary
    assert "private" in answer.headers["Cache-Control"]
    refusal = Client().fetch(httpd.url("/protected/"), headers=packed)
    assert refusal.status == 401 and refusal.headers["Content-Type"] == "application/json"
    body = gzip.compress(b"logout_token=" + b"A" * 10_000_000)
    bomb = Client().request("POST", httpd.url("/oauth/backchannel-logout"), {
        "Content-Type": "application/x-www-form-urlencoded", "Content-Encoding": "gzip"}, body)
    assert harmless(bomb).status in (400, 413)


# HTTP/2. With prefork, to which mod_http2 says no, its requests come one by one

prefork = os.environ.get("KCAUTH_MPM") == "prefork"


def send(httpd, requests, authority=None, name="localhost"):
    """Requests of (URL, Cookie header), over one connection of HTTP/2, all at once."""
    if prefork:
        client = Client(authority and authority.ca_file)
        return [client.get(url, {"Cookie": cookie}, follow=False) for url, cookie in requests]
    return http2(httpd.url(), [get(url, *(cookie or "").split("; ")) for url, cookie in requests],
                 authority and authority.ca_file, name)


@pytest.fixture(scope="module")
def h2c(lasting_httpd, lasting_provider):
    config = PAGES.replace("Require valid-user", "Require valid-user\nKCAuthExport both")
    return lasting_httpd("Protocols h2c http/1.1\n" + config, options={"modules": ["http2"]},
                         provider=lasting_provider(kinds=["ES256"]))


def test_h2c(kind, new_httpd, new_provider):
    """Streams of one connection are at work at the same time: each is its own cookie's."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd("Protocols h2c http/1.1\n" + PAGES, provider=provider, KCAuthSession=kind,
                      options={"modules": ["http2"]})
    cookies = {None: None}
    for name in ("alice", "bob", "carol"):
        provider.user = name
        cookies[name] = logged_in(httpd).jar.header(httpd.url("/protected/"))
    names = ["alice", "bob", None, "carol", "alice", None, "bob"] * 10
    answers = send(httpd, [(httpd.url("/protected/show"), cookies[name]) for name in names])
    for name, answer in zip(names, answers):
        if name is None:
            assert answer.status == 302 and "KC_USER_NAME" not in answer.text
        else:
            assert seen(answer)["KC_USER_NAME"] == name


@table("header", [(ascii(name), (name, value)) for name, value in (
    ("kc-user-id", "mallory"), ("kc_user_id", "mallory"), ("KC-User-Id", "mallory"),
    ("kc.user.id", "mallory"), ("x\r\nkc-user-id", "mallory"), ("x", "1\r\nkc-user-id: mallory"),
    ("x", "1\nkc-user-id: mallory"), ("x: 1\r\nkc-user-id", "mallory"),
    ("kc-user-id ", "mallory"),
    ("x", "1\0kc-user-id: mallory"), (":kc-user-id", "mallory"), ("connection", "kc-user-id"),
    ("transfer-encoding", "chunked"), ("te", "kc-user-id"), ("cookie", "kcauth=AAAA"),
    ("host", "evil.test"), (":path", "/protected/index.html"), (":authority", "evil.test"),
    (":scheme", "https://evil.test/"), (":method", "POST"),
    ("cookie", "x\r\nkc-user-id: mallory"))])
def test_header_of_h2(h2c, header):
    """What HTTP/1.1 could not carry: no line is made of it, and nobody is let in."""
    for path in ("/protected/index.html", "/protected/show", "/show", "/optional/show",
                 "/oauth/login", "/oauth/session"):
        if prefork:
            said = exchange(h2c, f"GET {path} HTTP/1.1\r\nHost: localhost:{h2c.port}\r\n"
                                 f"{header[0]}: {header[1]}\r\n\r\n").decode("latin-1")
        else:
            answer, = http2(h2c.url(), [get(h2c.url(path)) + [header]])
            said = f"{answer.headers}\n{harmless(answer).text}"
        assert MARKER not in said
        assert "mallory" not in re.sub(r"HTTP_(?!KC)\w+=[^\0]*", "", said)
        assert not re.search(r"location\W+http://evil.test", said, re.IGNORECASE)


# Virtual hosts by name, on TLS, with realms and clients of their own

NAMED = """
<VirtualHost 127.0.0.1:${PORT}>
    ServerName %s
    DocumentRoot "${ROOT}/htdocs"
    SSLEngine on
    SSLCertificateFile "${%s_CERT}"
    SSLCertificateKeyFile "${%s_KEY}"
    %s
</VirtualHost>
"""


@pytest.fixture(scope="module")
def named(lasting_httpd, lasting_provider, authority):
    """Two sites of one server, of two realms, under one key and one cookie name."""
    providers, define, config = {}, {}, "Protocols h2 http/1.1\n"
    for name, word in (("one.test", "ONE"), ("two.test", "TWO")):
        certificate, key = authority.certificate(name)
        define |= {word + "_CERT": certificate, word + "_KEY": key}
        providers[name] = lasting_provider(client_id=word, kinds=["ES256"])
        config += NAMED % (name, word, word,
                           settings(providers[name], KCAuthSessionKey="k" * 40) + PAGES)
    httpd = lasting_httpd(config, wait=False,
                          options={"modules": ["ssl", "http2"], "define": define})
    httpd.cookies = {}
    for name, provider in providers.items():
        client = Client(authority.ca_file)
        page = httpd.url("/protected/", scheme="https", host=name)
        until(lambda: Client(authority.ca_file).get(page, follow=False).status == 302,
              "the metadata")
        sent_to_login(Client(authority.ca_file).get(page, follow=False), provider)
        let_in(client.login(page))
        httpd.cookies[name] = client.jar.header(page)
    httpd.providers = providers
    return httpd


def test_virtual_hosts_by_name_on_tls(named, authority):
    """Each host led to its own realm, and a session of one is nothing at the other."""
    for name, other in (("one.test", "two.test"), ("two.test", "one.test")):
        page = named.url("/protected/", scheme="https", host=other)
        answer = Client(authority.ca_file).get(page, {"Cookie": named.cookies[name]}, follow=False)
        sent_to_login(answer, named.providers[other])


def test_host_that_is_not_the_one_of_the_handshake(named, authority):
    """The connection is for one name, the request for another."""
    page = named.url("/protected/", scheme="https", host="one.test")
    for name, cookie in named.cookies.items():
        answer = Client(authority.ca_file).get(page, {"Host": f"two.test:{named.port}",
                                                      "Cookie": cookie}, follow=False)
        assert answer.status in (302, 421) if name == "one.test" else (200, 421)
        assert name == "two.test" or MARKER not in answer.text


def test_h2_over_tls(named, authority):
    page = named.url("/protected/show", scheme="https", host="one.test")
    assert "__Host-kcauth=" in named.cookies["one.test"]
    requests = [(page, (named.cookies["one.test"], None, named.cookies["two.test"])[number % 3])
                for number in range(30)]
    for (_, cookie), answer in zip(requests, send(named, requests, authority, "one.test")):
        if cookie == named.cookies["one.test"]:
            assert seen(answer)["KC_USER_NAME"] == "alice"
        else:
            assert answer.status == 302 and "KC_USER_NAME" not in answer.text


def test_connection_of_h2_for_two_hosts(named, authority):
    """Browsers put requests for two names on one connection, where a certificate has both."""
    requests = [(named.url("/protected/show", scheme="https", host=host), named.cookies[cookie])
                for host in named.cookies for cookie in named.cookies for _ in range(5)]
    for (url, cookie), answer in zip(requests, send(named, requests, authority, "one.test")):
        if "one.test" in url and cookie == named.cookies["one.test"]:
            assert seen(answer)["KC_USER_NAME"] == "alice"
        elif "two.test" in url and cookie == named.cookies["two.test"]:
            assert answer.status in (200, 421)
        else:
            assert answer.status in (302, 421)


# A Keycloak whose public name does not resolve from here

def test_public_name_that_does_not_resolve(new_httpd, new_provider, clock):
    """All the way round: login, renewal, notices, logout. Browsers are led to the public name."""
    provider = new_provider(kinds=["ES256"], host="sso.example.test")
    httpd = new_httpd(provider=provider, KCAuthInsecureHTTP="on", KCAuthRevalidate=30,
                      clock=clock, KCAuthInternalURL=f"http://127.0.0.1:{provider.port}")
    client = logged_in(httpd)
    public = f"http://sso.example.test:{provider.port}/"
    assert provider.calls("authorization")[0].headers["host"] == public.split("/")[2]
    clock.forward(30)
    let_in(client.get(httpd.url("/protected/")))
    assert provider.count("token") == 2
    for call in ("discovery", "jwks", "token"):
        for request in provider.calls(call):
            assert request.headers["host"] == f"127.0.0.1:{provider.port}", call
    answer = client.get(httpd.url("/oauth/logout"), {"Sec-Fetch-Site": "same-origin"},
                        follow=False)
    assert answer.location.startswith(public)
