"""What the application sees, and what nobody may make it see."""

import itertools

import pytest

from support.client import Client
from support.expect import logged_in, let_in, table
from support.provider import User
from support.site import MARKER, PAGES, make_httpd, seen

NAMES = ["KC_USER_ID", "KC_USER_NAME", "KC_NAME", "KC_EMAIL", "KC_ROLES", "KC_REALM_ROLES",
         "KC_SID", "KC_ACR", "KC_AUTH_TIME", "KC_EXPIRES"]


def test_environment(httpd, provider, client):
    env = seen(client.login(httpd.url("/protected/show")))
    alice = provider.users["alice"]
    assert env["REMOTE_USER"] == env["KC_USER_NAME"] == "alice"
    assert env["AUTH_TYPE"] == "Keycloak"
    assert env["KC_USER_ID"] == alice.sub
    assert env["KC_NAME"] == "Alice Adams"
    assert env["KC_EMAIL"] == "alice@example.org"
    assert env["KC_ROLES"] == "admin"
    assert env["KC_SID"] in provider.sessions
    assert env["KC_ACR"] == "1"
    grant = provider.calls("token")[0]
    assert abs(int(env["KC_AUTH_TIME"]) - int(env["KC_EXPIRES"]) + 36000) < 5
    assert not any(name.startswith("HTTP_KC_") for name in env)
    assert grant.form["code"] not in str(env)


def test_optional_page_knows_who_is_there(httpd, client):
    assert "KC_USER_NAME" not in seen(client.get(httpd.url("/optional/show")))
    client.login(httpd.url("/protected/"))
    env = seen(client.get(httpd.url("/optional/show")))
    assert env["KC_USER_NAME"] == "alice"
    assert env["REMOTE_USER"] == "alice"


def test_public_page_does_not(httpd, client):
    client.login(httpd.url("/protected/"))
    env = seen(client.get(httpd.url("/show")))
    assert not any(name.startswith("KC_") for name in env)
    assert "REMOTE_USER" not in env


def test_lists_are_joined_by_commas_and_names_escaped(httpd, provider, client):
    provider.users["alice"] = User("alice", client_roles={
        "webapp": ["plain", "two words", "a,b", "100%", "größe"]})
    env = seen(client.login(httpd.url("/protected/show")))
    assert env["KC_ROLES"] == "plain,two words,a%2Cb,100%25,größe"


@table("value", [
    ("newline", "a\r\nX: y"),
    ("escape", "a\x1b[31mb"),
    ("nul-escaped", "a\\u0000b"),
    ("tab", "a\tb"),
])
def test_values_hold_no_control_characters(new_httpd, new_provider, value):
    provider = new_provider(kinds=["ES256"])
    provider.users["alice"] = User("alice", given_name=value, client_roles={"webapp": [value]})
    httpd = new_httpd(PAGES.replace("</Location>", "KCAuthExport both\n</Location>"),
                      provider=provider)
    answer = Client().login(httpd.url("/protected/show"))
    if answer.status == 200:
        for name, item in seen(answer).items():
            if name.startswith(("KC_", "HTTP_KC_")):
                assert not any(ord(character) < 32 for character in item), name


@table("export, env, headers", [
    ("env", "env", True, False),
    ("headers", "headers", False, True),
    ("both", "both", True, True),
    ("off", "off", False, False),
])
def test_export(new_httpd, new_provider, export, env, headers):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(PAGES.replace("Require valid-user", f"Require valid-user\n"
                                    f"KCAuthExport {export}"), provider=provider)
    found = seen(Client().login(httpd.url("/protected/show")))
    assert found["REMOTE_USER"] == "alice"
    assert ("KC_EMAIL" in found) == env
    assert ("HTTP_KC_EMAIL" in found) == headers
    if headers:
        assert found["HTTP_KC_USER_NAME"] == "alice"
        assert found["HTTP_KC_ROLES"] == "admin"
        assert found["HTTP_KC_USER_ID"] == provider.users["alice"].sub


# Spoofing

def spellings(name):
    """Every spelling that CGI folds into the same variable."""
    letters = [name, name.lower(), name.upper(), name.title()]
    for text, separator in itertools.product(letters, "-_"):
        yield text.replace("_", separator)
    yield name.replace("_", "-", 1)
    yield name.replace("_", ".")
    yield name.replace("_", " ").replace(" ", "\t")[:0] + name.replace("_", "~")


@pytest.fixture
def exporting(new_httpd, new_provider):
    """A server that exports headers in one place: it strips them everywhere."""
    provider = new_provider(kinds=["ES256"])
    return new_httpd(PAGES.replace("Require valid-user", "Require valid-user\nKCAuthExport both"),
                     provider=provider)


@pytest.mark.parametrize("path", ["/show", "/optional/show", "/protected/show"])
def test_spoofed_headers_are_removed(exporting, path):
    httpd = exporting
    client = Client()
    if path == "/protected/show":
        client.login(httpd.url("/protected/"))
    headers = {spelling: "mallory" for name in NAMES for spelling in spellings(name)}
    env = seen(client.fetch(httpd.url(path), headers=headers))
    assert "mallory" not in [value for name, value in env.items() if "KC" in name]


def test_other_headers_stay(exporting):
    env = seen(Client().fetch(exporting.url("/show"), headers={"KC": "1", "X-KC-Name": "2"}))
    assert env["HTTP_KC"] == "1" and env["HTTP_X_KC_NAME"] == "2"


def test_environment_cannot_be_spoofed_by_headers(httpd, client):
    """Without any header exported: they are HTTP_KC_..., never KC_..."""
    headers = {"KC_USER_NAME": "mallory", "KC-User-Name": "mallory", "REMOTE_USER": "mallory",
               "Remote-User": "mallory", "Authorization": "Basic bWFsbG9yeTp4"}
    env = seen(client.fetch(httpd.url("/optional/show"), headers=headers))
    for name in ("KC_USER_NAME", "REMOTE_USER", *NAMES):
        assert name not in env


def test_authorization_header_is_nobody(httpd, provider, client):
    for value in ("Basic YWxpY2U6eA==", "Bearer x", "Keycloak alice"):
        answer = client.fetch(httpd.url("/protected/"), headers={"Authorization": value})
        assert answer.status == 401
        assert MARKER not in answer.text


# Pages made of several requests

def test_server_side_includes(new_httpd, new_provider):
    config = PAGES + """
AddOutputFilter INCLUDES .shtml
<Directory "${ROOT}/htdocs">
    Options +Includes
</Directory>
"""
    httpd = new_httpd(config, provider=new_provider(kinds=["ES256"]))
    httpd.write("optional/page.shtml",
                'Hi, <!--#echo var="KC_NAME" -->! '
                '<!--#if expr="-n reqenv(\'KC_USER_ID\')" -->in<!--#else -->out<!--#endif --> '
                '<!--#include virtual="part.shtml" -->')
    httpd.write("optional/part.shtml", 'part of <!--#echo var="KC_USER_NAME" -->')
    client = Client()
    page = httpd.url("/optional/page.shtml")
    assert "out" in client.get(page).text
    client.login(httpd.url("/protected/"))
    text = client.get(page).text
    assert "Hi, Alice Adams! in part of alice" in text


def test_included_protected_page_stays_closed(new_httpd, new_provider):
    config = PAGES + """
AddOutputFilter INCLUDES .shtml
<Directory "${ROOT}/htdocs">
    Options +Includes
</Directory>
"""
    httpd = new_httpd(config, provider=new_provider(kinds=["ES256"]))
    httpd.write("outside.shtml", 'before <!--#include virtual="/protected/index.html" --> after')
    answer = Client().get(httpd.url("/outside.shtml"))
    assert answer.status == 200 and MARKER not in answer.text
    client = logged_in(httpd)
    let_in(client.get(httpd.url("/outside.shtml")))


def test_rewrite_sees_the_environment(new_httpd, new_provider):
    config = PAGES + """
<Location "/protected">
    RewriteEngine On
    RewriteCond %{ENV:KC_ROLES} admin
    RewriteRule rewritten$ /protected/show [PT]
</Location>
<Location "/protected/header">
    Header set X-Who "%{KC_USER_NAME}e"
</Location>
"""
    httpd = new_httpd(config, provider=new_provider(kinds=["ES256"]))
    httpd.write("protected/header/index.html", MARKER)
    client = logged_in(httpd)
    assert client.get(httpd.url("/protected/header/")).headers["X-Who"] == "alice"
    assert seen(client.get(httpd.url("/protected/rewritten")))["KC_USER_NAME"] == "alice"


# Backends

@pytest.fixture
def backend():
    """An httpd without the module, which shows what it was sent."""
    httpd = make_httpd('ScriptAlias "/show" "${ROOT}/cgi-bin/show"\n'
                       '<Directory "${ROOT}">\nRequire all granted\n</Directory>\n',
                       module=None, log_level="info").start()
    yield httpd
    httpd.stop()


@pytest.fixture
def proxied(new_httpd, new_provider, backend):
    """Makes a server whose /app is the backend's page."""
    def make(more=""):
        config = PAGES + f"""
<Location "/app">
    AuthType Keycloak
    Require valid-user
    KCAuthExport headers
    ProxyPass "{backend.url("/show", host="127.0.0.1")}"
    {more}
</Location>
"""
        return new_httpd(config, provider=new_provider(kinds=["ES256"]),
                         options={"modules": ["proxy", "proxy_http"]})

    return make


def test_backend_gets_headers_and_no_cookie_of_ours(proxied):
    httpd = proxied()
    client = logged_in(httpd)
    header = client.jar.header(httpd.url("/app")) + "; theirs=1; kcauthor=2"
    env = seen(client.get(httpd.url("/app"), {"Cookie": header, "KC-User-Name": "mallory"}))
    assert env["HTTP_KC_USER_NAME"] == "alice"
    assert env["HTTP_COOKIE"] == "theirs=1; kcauthor=2"


def test_backend_gets_the_cookie_when_told(proxied):
    httpd = proxied("KCAuthPassCookie on")
    client = logged_in(httpd)
    assert "kcauth=" in seen(client.get(httpd.url("/app")))["HTTP_COOKIE"]


def test_proxied_page_is_not_for_shared_caches(proxied):
    httpd = proxied()
    answer = logged_in(httpd).get(httpd.url("/app"))
    assert "private" in answer.headers["Cache-Control"]
    assert "cookie" in answer.headers["Vary"].lower()


@table("headers", [("whole", {}), ("unchanged", {"If-None-Match": "*"}),
                   ("part", {"Range": "bytes=0-3"})])
@table("path", [("protected", "/protected/index.html"), ("folder", "/protected/"),
                ("optional", "/optional/index.html")])
@table("method", [("get", "GET"), ("head", "HEAD")])
def test_page_is_not_for_shared_caches(new_httpd, new_provider, headers, path, method):
    httpd = new_httpd(provider=new_provider(kinds=["ES256"]))
    httpd.write("optional/index.html", "a page")
    answer = logged_in(httpd).fetch(httpd.url(path), method, headers)
    assert answer.status in (200, 206, 304)
    assert answer.headers["Cache-Control"] == "private"
    assert answer.headers["Vary"] == "Cookie"
