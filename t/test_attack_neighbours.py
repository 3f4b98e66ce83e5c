"""Attack: by way of what stands beside the module in httpd. Caches, rewriting, aliases, proxies,
includes, error documents, and configuration that would take the endpoints over."""

import time

import pytest

from support.attack import ENDPOINTS, Backend, harmless
from support.client import Client
from support.expect import let_in, logged_in, sent_to_login, table
from support.site import MARKER, PAGES


@pytest.fixture(scope="module")
def backend():
    backend = Backend().start()
    yield backend
    backend.stop()


# A cache before the module: mod_cache answers before anybody asks who it is

CACHE = """
CacheRoot "${ROOT}/cache"
CacheEnable disk /
CacheIgnoreNoLastMod On
CacheHeader On
CacheQuickHandler %s
ExpiresActive On
<Location "/protected/expires">
    ExpiresDefault "access plus 1 hour"
</Location>
"""


@pytest.fixture(scope="module", params=["On", "Off"])
def cached(request, lasting_httpd, lasting_provider):
    """Pages of every kind behind a cache, and backends that wish to be cached."""
    backend, public = (
        Backend(f"Cache-Control: {control}\r\nExpires: Tue, 01 Jan 2097 00:00:00 GMT\r\n"
                "Last-Modified: Mon, 01 Jan 2024 00:00:00 GMT\r\n").start()
        for control in ("max-age=600", "public, max-age=600"))
    config = PAGES.replace('"/protected/show"', '"/protected/script"') + CACHE % request.param
    for place, require, to in (("/app", "valid-user", backend), ("/public", "valid-user", public),
                               ("/admin/app", "kc-role admin", backend),
                               ("/optional/app", "all granted", backend)):
        config += f"""
<Location "{place}">
    AuthType Keycloak
    Require {require}
    KCAuthExport headers
    ProxyPass "http://127.0.0.1:{to.port}{place}"
</Location>
"""
    provider = lasting_provider(kinds=["ES256"])
    httpd = lasting_httpd(config, provider=provider, options={
        "modules": ["cache", "cache_disk", "proxy", "proxy_http"]})
    httpd.provider, httpd.quick = provider, request.param == "On"
    folder = httpd.root / "cache"
    folder.mkdir()
    folder.chmod(0o777)
    httpd.write("protected/expires/index.html", MARKER)
    httpd.cgi("show", "#!/bin/sh\nprintf 'Content-Type: text/plain\\r\\nCache-Control: "
                      f"max-age=600\\r\\n\\r\\n{MARKER} %s\\n' \"$KC_USER_NAME\"\n")
    yield httpd
    backend.stop()
    public.stop()


PLACES = ["/protected/index.html", "/protected/expires/index.html", "/protected/script",
          "/admin/index.html", "/app", "/app?query", "/admin/app", "/public"]


@table("path", [(path, path) for path in PLACES])
def test_cache_gives_a_protected_page_to_nobody_else(cached, path):
    httpd, provider = cached, cached.provider
    provider.user = "alice"
    alice = logged_in(httpd)
    for _ in range(3):
        assert MARKER in alice.get(httpd.url(path), follow=False).text
        time.sleep(0.05)
    provider.user = "bob"
    bob = logged_in(httpd)
    harmless(Client().get(httpd.url(path), follow=False))
    harmless(Client().fetch(httpd.url(path)))
    harmless(Client().get(httpd.url(path), {"Cookie": "kcauth=AAAA; theirs=1"}, follow=False))
    harmless(Client().get(httpd.url(path), {"Cache-Control": "only-if-cached"}, follow=False))
    harmless(Client().get(httpd.url(path), {"Range": "bytes=0-10"}, follow=False))
    seen_by_bob = bob.get(httpd.url(path), follow=False)
    assert "alice" not in seen_by_bob.text
    if path.startswith("/admin"):
        harmless(seen_by_bob)
    provider.user = "alice"


@table("path", [(path, path) for path in PLACES])
def test_cache_gives_nothing_after_a_logout(cached, path):
    """To nobody without the cookie; and to who kept it, but for a page that said `public`."""
    httpd = cached
    alice = logged_in(httpd)
    kept = {"Cookie": alice.jar.header(httpd.url(path))}
    for _ in range(2):
        assert MARKER in alice.get(httpd.url(path), follow=False).text
    alice.get(httpd.url("/oauth/logout"), {"Sec-Fetch-Site": "same-origin"}, follow=False)
    harmless(alice.get(httpd.url(path), follow=False))
    if path != "/public":
        harmless(Client().get(httpd.url(path), kept, follow=False))


def test_cache_works_at_all(cached):
    """A page that says `public` is kept, for the one browser that it was made for."""
    alice = logged_in(cached)
    answers = [alice.get(cached.url("/public"), follow=False) for _ in range(3)]
    assert [answer.headers["X-Cache"].partition(" ")[0] for answer in answers][0] == "MISS"
    assert answers[-1].headers["X-Cache"].startswith("HIT") == cached.quick


def test_cache_does_not_keep_what_an_optional_page_says_to_one_person(cached):
    httpd = cached
    alice = logged_in(httpd)
    for _ in range(2):
        assert "KC-User-Name: alice" in alice.get(httpd.url("/optional/app")).text
    assert "alice" not in Client().get(httpd.url("/optional/app")).text


@table("path", [(path, path) for path in PLACES])
def test_cache_keeps_no_way_to_the_login(cached, path):
    """Else several browsers would get the same state."""
    httpd = cached
    states = {Client().get(httpd.url(path), follow=False).query["state"] for _ in range(3)}
    assert len(states) == 3


# Whoever wants to have the endpoints

@table("rules", [
    ("alias", 'Alias "/oauth" "${ROOT}/htdocs"'),
    ("alias-match", 'AliasMatch "^/oauth/(.*)" "${ROOT}/htdocs/$1"'),
    ("script-alias", 'ScriptAlias "/oauth" "${ROOT}/cgi-bin"'),
    ("redirect", 'Redirect "/oauth" "http://evil.test/"'),
    ("redirect-match", 'RedirectMatch "^/oauth/(.*)" "http://evil.test/$1"'),
    ("proxy", 'ProxyPass "/" "http://127.0.0.1:{port}/"'),
    ("proxy-of-ours", 'ProxyPass "/oauth/" "http://127.0.0.1:{port}/"'),
    ("proxy-match", 'ProxyPassMatch "^/oauth/(.*)$" "http://127.0.0.1:{port}/$1"'),
    ("proxy-servlet", 'ProxyPass "/" "http://127.0.0.1:{port}/" mapping=servlet'),
    ("proxy-location", '<Location "/oauth">\nProxyPass "http://127.0.0.1:{port}/"\n</Location>'),
    ("handler", '<Location "/oauth">\nSetHandler server-status\n</Location>'),
    ("handler-proxy", '<LocationMatch "^/oauth">\nSetHandler "proxy:http://127.0.0.1:{port}/"\n'
                      '</LocationMatch>'),
    ("rewrite", 'RewriteEngine On\nRewriteRule "^/oauth" "/index.html" [L]'),
    ("rewrite-pass", 'RewriteEngine On\nRewriteRule "^/oauth" "/index.html" [PT]'),
    ("rewrite-proxy", 'RewriteEngine On\nRewriteRule "^/(.*)$" "http://127.0.0.1:{port}/$1" [P]'),
    ("rewrite-location", '<Location "/oauth">\nRewriteEngine On\n'
                         'RewriteRule ".*" "http://127.0.0.1:{port}/" [P]\n</Location>'),
    ("fallback", 'FallbackResource "/index.html"'),
    ("denied", '<Location "/">\nRequire all denied\n</Location>'),
    ("denied-files", '<Directory "/">\nRequire all denied\n</Directory>'),
    ("other-auth", '<Location "/oauth">\nAuthType Basic\nAuthName x\nAuthUserFile /dev/null\n'
                   'Require valid-user\n</Location>'),
    ("our-own-auth", '<Location "/oauth">\nAuthType Keycloak\nRequire kc-role nobody-has-it\n'
                     '</Location>'),
    ("action", 'Action text/html "/show"\nAddHandler text/html .html'),
    ("vhost-alias", 'VirtualDocumentRoot "${ROOT}/htdocs"'),
    ("speling", "CheckSpelling On"),
    ("userdir", "UserDir public_html"),
])
def test_nobody_takes_the_endpoints_over(new_httpd, new_provider, backend, rules):
    """A code for the backend would be a login for the backend."""
    provider = new_provider(kinds=["ES256"])
    backend.heads.clear()
    httpd = new_httpd(PAGES + rules.replace("{port}", str(backend.port)), provider=provider,
                      options={"modules": ["proxy", "proxy_http", "status", "actions", "speling",
                                           "vhost_alias", "userdir"]})
    client = Client()
    answer = client.get(httpd.url("/oauth/login?next=/oauth/session"))
    assert answer.status == 200 and '"username":"alice"' in answer.text
    assert not backend.heads


# What leads to a protected page by a detour

REWRITES = """
RewriteEngine On
RewriteRule "^/pass$" "/protected/index.html" [PT]
RewriteRule "^/env$" "/protected/index.html" [PT,E=REMOTE_USER:alice,E=KC_USER_NAME:alice]
RewriteRule "^/redirect$" "/protected/index.html" [R]
RewriteRule "^/inside$" "/protected/show" [PT,H=cgi-script]
<Directory "${ROOT}/htdocs">
    AllowOverride FileInfo Indexes
    Options +Includes +FollowSymLinks +MultiViews
</Directory>
<Directory "${ROOT}/htdocs/listing">
    Options +Indexes
</Directory>
<Location "/error">
    ErrorDocument 404 /protected/index.html
    ErrorDocument 403 /protected/index.html
</Location>
<Location "/error/forbidden">
    Require all denied
</Location>
<Location "/index-of">
    DirectoryIndex /protected/index.html
</Location>
<Location "/fallback">
    FallbackResource /protected/index.html
</Location>
AddOutputFilter INCLUDES .shtml
AddHandler send-as-is .asis
Action to-protected /protected/index.html
<Location "/action">
    SetHandler to-protected
</Location>
Alias "/alias" "${ROOT}/htdocs/protected"
<Location "/alias">
    AuthType Keycloak
    Require valid-user
</Location>
ScriptAlias "/run" "${ROOT}/cgi-bin"
"""

PARTS = {
    "include": '<!--#include virtual="/protected/index.html" -->',
    "include-relative": '<!--#include virtual="../protected/index.html" -->',
    "include-query": '<!--#include virtual="/protected/index.html?x=1" -->',
    "include-encoded": '<!--#include virtual="/%70rotected/index.html" -->',
    "include-folder": '<!--#include virtual="/protected/" -->',
    "include-file": '<!--#include file="../protected/index.html" -->',
    "include-twice": '<!--#include virtual="/parts/include.shtml" -->',
    "include-onerror": '<!--#include virtual="/protected/" onerror="/protected/index.html" -->',
    "exec": '<!--#exec cgi="/protected/show" -->',
    "include-admin": '<!--#include virtual="/admin/index.html" -->',
    "include-rewritten": '<!--#include virtual="/pass" -->',
}


@pytest.fixture(scope="module")
def detours(lasting_httpd, lasting_provider):
    provider = lasting_provider(kinds=["ES256"])
    httpd = lasting_httpd(PAGES + REWRITES, provider=provider,
                          options={"modules": ["actions", "asis", "autoindex", "negotiation"]})
    httpd.provider = provider
    for name, part in PARTS.items():
        httpd.write(f"parts/{name}.shtml", f"before {part} after")
    for folder in ("error/forbidden", "index-of", "listing", "htaccess"):
        httpd.write(f"{folder}/x.html", "x")
    httpd.write("htaccess/.htaccess", "RewriteEngine On\n"
                "RewriteRule ^inside$ /protected/index.html [L]\n"
                "RewriteRule ^endpoint$ /oauth/session [L]\n"
                "RewriteRule ^callback$ /oauth/login/callback?code=a&state=b [L]\n"
                "ErrorDocument 404 /protected/index.html\nDirectoryIndex ../protected/index.html\n")
    httpd.write("protected/page.html.en", MARKER)
    (httpd.root / "htdocs/listing/link.html").symlink_to("x.html")
    httpd.cgi("local", "#!/bin/sh\nprintf 'Location: /protected/index.html\\r\\n\\r\\n'\n")
    return httpd


@table("path", [(path, path) for path in (
    "/pass", "/env", "/redirect", "/inside", "/error/missing", "/error/forbidden/x.html",
    "/index-of/", "/fallback/x", "/action/x.html", "/alias/index.html", "/alias/", "/run/local",
    "/htaccess/inside", "/htaccess/endpoint", "/htaccess/callback", "/htaccess/missing",
    "/htaccess/", "/protected/page", "/protected/page.html", "/protected/index",
    *(f"/parts/{name}.shtml" for name in PARTS))])
def test_detour_is_no_way_in(detours, path):
    httpd = detours
    for client, headers in ((Client().get, {}), (Client().fetch, {}), (Client().get,
                            {"Cookie": "kcauth=AAAA", "Authorization": "Basic YWxpY2U6eA=="})):
        answer = harmless(client(httpd.url(path), headers=headers, follow=False))
        assert "alice" not in answer.text


@table("path", [(path, path) for path in ("/pass", "/error/missing", "/alias/", "/run/local",
                                          "/fallback/x", "/htaccess/inside",
                                          "/parts/include.shtml", "/parts/include-twice.shtml")])
def test_detour_is_one_for_who_is_logged_in(detours, path):
    """So the test before this one tries something."""
    assert MARKER in logged_in(detours).get(detours.url(path), follow=False).text


def test_login_by_a_detour_comes_back_to_it(detours):
    client = Client()
    sent_to_login(client.get(detours.url("/pass?x=1"), follow=False), detours.provider)
    assert let_in(client.get(detours.url("/pass?x=1"))).url == detours.url("/pass?x=1")


@table("endpoint", [(name, name) for name in ENDPOINTS])
def test_endpoint_in_an_include(detours, endpoint):
    httpd = detours
    httpd.write(f"parts/endpoint{endpoint.replace('/', '-')}.shtml",
                f'<!--#include virtual="/oauth{endpoint}?code=a&amp;state=b" -->')
    for client in (Client(), logged_in(httpd)):
        harmless(client.get(httpd.url(f"/parts/endpoint{endpoint.replace('/', '-')}.shtml"),
                            follow=False))
