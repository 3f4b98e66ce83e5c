"""Attack: an identity that the client made up, in headers and whatever becomes the environment, on
pages of each kind and behind a proxy. The server exports headers in one Location alone."""

import re

import pytest

from support.attack import ENDPOINTS, Backend, exchange, harmless, harmless_bytes
from support.client import Client
from support.expect import logged_in, table
from support.site import MARKER, PAGES, seen

NAMES = ["USER_ID", "USER_NAME", "NAME", "EMAIL", "ROLES", "REALM_ROLES", "SID", "ACR", "AUTH_TIME",
         "EXPIRES", "ERROR_ID", "MISSING_ROLE", "ANYTHING_NEW"]
LIE = "mallory-made-it-up"


@pytest.fixture(scope="module")
def backend():
    backend = Backend().start()
    yield backend
    backend.stop()


@pytest.fixture(scope="module")
def site(lasting_httpd, lasting_provider, backend):
    proxy = f'ProxyPass "http://127.0.0.1:{backend.port}/"'
    config = PAGES + f"""
MergeTrailers On
<Location "/app">
    AuthType Keycloak
    Require valid-user
    KCAuthExport headers
    {proxy}
</Location>
<Location "/open">
    {proxy}
</Location>
<Location "/maybe">
    AuthType Keycloak
    Require all granted
    {proxy}
</Location>
ErrorDocument 404 /show
"""
    return lasting_httpd(config, provider=lasting_provider(kinds=["ES256"]),
                         options={"modules": ["proxy", "proxy_http"]})


@pytest.fixture(scope="module")
def insider(site):
    return logged_in(site)


def believed(env):
    """What an application might take for an identity."""
    return {name: value for name, value in env.items() if LIE in value and
            (name.startswith(("KC", "HTTP_KC", "REDIRECT_KC", "REMOTE_", "AUTH_")))}


SPELLINGS = [
    ("dashes", lambda name: "KC-" + name.replace("_", "-").title()),
    ("dashes-small", lambda name: "kc-" + name.replace("_", "-").lower()),
    ("dashes-capitals", lambda name: "KC-" + name.replace("_", "-")),
    ("underscores", lambda name: "KC_" + name),
    ("underscores-small", lambda name: "kc_" + name.lower()),
    ("mixed", lambda name: "Kc_" + name.replace("_", "-", 1)),
    ("mixed-the-other-way", lambda name: "kC-" + name),
    ("dots", lambda name: "KC." + name.replace("_", ".")),
    ("tildes", lambda name: "KC~" + name.replace("_", "~")),
    ("plus", lambda name: "KC+" + name.replace("_", "+")),
    ("stars", lambda name: "KC*" + name.replace("_", "*")),
    ("exclamation", lambda name: "KC!" + name.replace("_", "!")),
    ("doubled-dash", lambda name: "KC--" + name.replace("_", "--")),
]
PLACES = ["/show", "/optional/show", "/protected/show", "/missing"]
PROXIED = ["/app", "/open", "/maybe"]


@table("name", [(name, name) for name in NAMES])
@table("spelling", SPELLINGS)
def test_header(site, insider, backend, name, spelling):
    headers = {spelling(name): LIE}
    for client in (insider, Client()):
        for path in PLACES:
            answer = client.fetch(site.url(path), headers=headers)
            assert answer.status in (200, 401, 404)
            env = dict(item.split("=", 1) for item in answer.text.split("\0") if "=" in item)
            assert not believed(env), path
            if client is insider and path.startswith("/protected"):
                assert env["KC_USER_NAME"] == env["REMOTE_USER"] == "alice"
        for path in PROXIED:
            backend.heads.clear()
            answer = client.fetch(site.url(path), headers=headers)
            assert LIE not in str(backend.heads), path
            assert client is insider or path != "/app" or not backend.heads


@table("endpoint", [(name, name) for name in ENDPOINTS])
@table("method", [(name, name) for name in ("GET", "POST")])
def test_every_endpoint(site, endpoint, method):
    """Whatever a header says, nobody is somebody."""
    headers = {spelling(name): LIE for name in NAMES[:4] for _, spelling in SPELLINGS}
    headers |= {"Remote-User": LIE, "Authorization": "Basic bWFsbG9yeTp4"}
    answer = harmless(Client().request(method, site.url("/oauth" + endpoint), headers))
    assert LIE not in answer.text + str(answer.headers)
    assert answer.status != 200


@table("headers", [
    ("remote-user", {"Remote-User": LIE, "REMOTE_USER": LIE, "X-Remote-User": LIE}),
    ("auth-type", {"Auth-Type": LIE, "AUTH_TYPE": LIE}),
    ("x-forwarded-user", {"X-Forwarded-User": LIE, "X-Forwarded-Preferred-Username": LIE}),
    ("basic", {"Authorization": "Basic bWFsbG9yeS1tYWRlLWl0LXVwOng="}),
    ("bearer", {"Authorization": "Bearer " + LIE}),
    ("proxy-authorization", {"Proxy-Authorization": "Basic bWFsbG9yeS1tYWRlLWl0LXVwOng="}),
    ("http-prefix", {"HTTP-KC-User-Id": LIE, "HTTP_KC_USER_ID": LIE}),
    ("redirect-prefix", {"Redirect-KC-User-Id": LIE, "REDIRECT_KC_USER_ID": LIE}),
    ("from", {"From": LIE}),
])
def test_headers_of_others(site, headers):
    for path in PLACES[:3]:
        env = dict(item.split("=", 1) for item in Client().fetch(
            site.url(path), headers=headers).text.split("\0") if "=" in item)
        assert not believed(env)
        assert "REMOTE_USER" not in env and "KC_USER_ID" not in env


@table("lines", [
    ("duplicated", f"KC-User-Id: {LIE}\r\nKC-User-Id: {LIE}\r\nkc_user_id: {LIE}\r\n"),
    ("fifty-of-them", f"KC-User-Id: {LIE}\r\n" * 50),
    ("between-others", f"A: 1\r\nKC-Name: {LIE}\r\nKC-Email: {LIE}\r\nB: 2\r\nKC-Sid: {LIE}\r\n"),
    ("folded-value", f"KC-User-Id: a\r\n {LIE}\r\n"),
    ("folded-into-another", f"X: 1\r\n\tKC-User-Id: {LIE}\r\n"),
    ("blank-before-colon", f"KC-User-Id : {LIE}\r\n"),
    ("tab-before-colon", f"KC-User-Id\t: {LIE}\r\n"),
    ("blank-inside", f"KC User Id: {LIE}\r\n"),
    ("blank-first", f" KC-User-Id: {LIE}\r\n"),
    ("nul-inside", f"KC-User\0-Id: {LIE}\r\n"),
    ("return-in-value", f"X: 1\rKC-User-Id: {LIE}\r\n"),
    ("line-feed-alone", f"X: 1\nKC-User-Id: {LIE}\n"),
    ("latin-byte", f"KC\xad User-Id: {LIE}\r\nKC\xa0User-Id: {LIE}\r\n"),
    ("empty-value", "KC-User-Id:\r\nKC-Roles: \r\n"),
    ("empty-name", f": {LIE}\r\n"),
    ("colons", f"KC:User:Id: {LIE}\r\n"),
    ("long-value", f"KC-User-Id: {LIE * 300}\r\n"),
    ("after-ninety", "".join(f"X-{n}: 1\r\n" for n in range(90)) + f"KC-User-Id: {LIE}\r\n"),
])
def test_header_lines(site, insider, backend, lines):
    cookie = insider.jar.header(site.url("/"))
    for path in ("/show", "/optional/show", "/protected/show", "/app", "/open"):
        backend.heads.clear()
        raw = exchange(site, f"GET {path} HTTP/1.1\r\nHost: localhost:{site.port}\r\nCookie: "
                             f"{cookie}\r\nConnection: close\r\n{lines}\r\n")
        for item in raw.decode("latin-1").split("\0"):
            name, _, value = item.partition("=")
            assert not (name.startswith(("KC_", "HTTP_KC_")) and LIE in value), path
        for head in backend.heads:
            assert not re.search(f"^KC[^:0-9A-Z].*{LIE}", head, re.IGNORECASE | re.MULTILINE)


@table("listed", [
    ("one", "KC-User-Id"),
    ("roles", "close, KC-Roles, KC-Realm-Roles"),
    ("small", "kc-user-id,kc-user-name,kc-roles"),
    ("capitals", "KC-USER-ID"),
    ("semicolon", "x;KC-User-Id;KC-User-Name"),
    ("no-blank", "close,KC-User-Id"),
    ("many-commas", ",,,KC-User-Id,,"),
    ("tabs", "\tKC-User-Id\t,\tKC-User-Name"),
    ("quoted-before", '"a,b", KC-User-Id'),
    ("quote-open", 'KC-User-Id, "a'),
    ("two-lines", "x\r\nConnection: KC-User-Id"),
    ("upgrade", "upgrade, KC-User-Id\r\nUpgrade: x"),
    ("proxy-connection", "close\r\nProxy-Connection: KC-User-Id"),
    ("te", "TE, KC-User-Id\r\nTE: trailers"),
    ("keep-alive", "keep-alive, KC-User-Id\r\nKeep-Alive: KC-User-Id"),
    ("five-hundred", ", ".join(["x"] * 500 + ["KC-User-Id"])),
])
def test_connection_header_takes_no_header_of_ours_away(site, insider, backend, listed):
    """A backend without KC-User-Id might serve the request as somebody without a name."""
    backend.heads.clear()
    cookie = insider.jar.header(site.url("/"))
    raw = exchange(site, f"GET /app HTTP/1.1\r\nHost: localhost:{site.port}\r\n"
                         f"Cookie: {cookie}\r\nConnection: {listed}\r\n\r\n")
    assert MARKER.encode() in raw
    head, = backend.heads
    for name in ("KC-User-Id: ", "KC-User-Name: alice", "KC-Roles: admin", "KC-Sid: "):
        assert name in head


@table("path", [(path, path) for path in ("/show", "/optional/show", "/protected/show", "/app",
                                          "/open", "/maybe")])
@table("declared", [("undeclared", ""), ("declared", "Trailer: KC-User-Id, KC-Roles\r\n"),
                    ("te", "TE: trailers\r\nTrailer: KC-User-Id\r\n")])
@table("trailer", [("dashes", "KC-User-Id"), ("underscores", "KC_USER_ID"), ("dots", "kc.user.id")])
def test_trailer(site, insider, backend, path, declared, trailer):
    """With `MergeTrailers On`, too, which makes headers of trailers."""
    backend.heads.clear()
    cookie = insider.jar.header(site.url("/"))
    raw = exchange(site, f"POST {path} HTTP/1.1\r\nHost: localhost:{site.port}\r\nCookie: {cookie}"
                         f"\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n{declared}\r\n"
                         f"3\r\na=b\r\n0\r\n{trailer}: {LIE}\r\nCookie: kcauth=A\r\n\r\n")
    assert f"_ID={LIE}".encode() not in raw
    assert LIE not in str(backend.heads)


def test_trailer_after_a_body_that_an_endpoint_reads(site):
    for endpoint in ("/backchannel-logout", "/k_logout"):
        raw = harmless_bytes(exchange(site, (
            f"POST /oauth{endpoint} HTTP/1.1\r\nHost: localhost:{site.port}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n"
            f"Connection: close\r\n\r\n3\r\na=b\r\n0\r\nKC-User-Id: {LIE}\r\n\r\n")))
        assert LIE.encode() not in raw


def test_backend_sees_no_cookie_of_ours(site, insider, backend):
    for path in PROXIED:
        backend.heads.clear()
        insider.fetch(site.url(path), headers={"Cookie": insider.jar.header(site.url("/oauth/"))
                                               + "; theirs=1; kcauth_new=2; __Host-kcauth=3"})
        assert "theirs=1" in backend.heads[0] and "kcauth" not in backend.heads[0]


def test_variables_of_a_page_are_its_own(site, insider):
    """Two persons on two pages at once, and nobody on a third: nothing is left from the others."""
    assert seen(insider.get(site.url("/protected/show")))["KC_USER_NAME"] == "alice"
    assert "KC_USER_NAME" not in seen(Client().get(site.url("/optional/show")))
    assert "KC_USER_NAME" not in seen(insider.get(site.url("/show")))
