"""Attack: many requests on one connection. What was verified for one of them is nothing for
another: each is who its own cookie says, on its own virtual host, now."""

import http.client
import itertools
import time

import pytest

from support.attack import exchange, harmless_bytes, login_at, statuses
from support.client import Client
from support.expect import logged_in, table
from support.notices import logout_token, post_logout_token
from support.provider import User
from support.site import MARKER, PAGES, settings

PEOPLE = ["alice", "bob", "carol", "mallory"]


class Connection:
    """One connection that is kept, on which each request is written by hand. It was used before: of
    its first request nothing is remembered."""

    def __init__(self, port):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self._connection.connect()
        self._sock = self._connection.sock
        self.get("/")

    def get(self, path, cookie=None, host=None, method="GET"):
        """(status, text); it has to be the same connection still. httpd ends one with a 400."""
        self._connection.putrequest(method, path, skip_host=True)
        self._connection.putheader("Host", host or f"localhost:{self._connection.port}")
        if cookie:
            self._connection.putheader("Cookie", cookie)
        self._connection.endheaders()
        answer = self._connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        assert self._connection.sock is self._sock or answer.status in (400, 500, 503)
        return answer.status, text

    def who(self, cookie=None, path="/optional/show", host=None):
        """Whom the page takes the request for; None is nobody."""
        status, text = self.get(path, cookie, host)
        if status != 200:
            assert status in (302, 401), text
            return None
        env = dict(item.split("=", 1) for item in text.split("\0") if "=" in item)
        return env.get("KC_USER_NAME")

    def close(self):
        self._connection.close()


@pytest.fixture(scope="module")
def site(kind, lasting_httpd, lasting_provider):
    """A server, and the Cookie header of each person."""
    provider = lasting_provider(kinds=["ES256"])
    provider.users["mallory"] = User("mallory", client_roles={"webapp": ["nothing"]})
    config = PAGES + "MaxKeepAliveRequests 0\nKeepAliveTimeout 15\n"
    httpd = lasting_httpd(config, provider=provider, KCAuthSession=kind)
    httpd.provider = provider
    httpd.cookies = {name: cookie_of(httpd, name) for name in PEOPLE}
    httpd.cookies[None] = None
    return httpd


def cookie_of(httpd, name):
    httpd.provider.user = name
    return logged_in(httpd).jar.header(httpd.url("/protected/"))


@pytest.fixture
def connection(site):
    connection = Connection(site.port)
    yield connection
    connection.close()


SEQUENCES = [
    ("turns", ["alice", "bob"] * 10),
    ("nobody-after-somebody", ["alice", None, "alice", None, None]),
    ("somebody-after-nobody", [None, "alice", None, "bob"]),
    ("all-pairs", [name for pair in itertools.permutations(PEOPLE, 2) for name in pair]),
    ("rounds", PEOPLE * 4),
    ("long-then-other", ["alice"] * 20 + ["bob"] + ["alice"] + [None]),
]


@table("names", SEQUENCES)
@table("path", [("optional", "/optional/show"), ("protected", "/protected/show")])
def test_each_request_is_its_own_cookie_s(site, connection, names, path):
    for name in names:
        assert connection.who(site.cookies[name], path) == name


def joined(site, *names):
    return "; ".join(site.cookies[name] for name in names)


@table("change", [
    ("last-character", lambda text: text[:-1] + ("A" if text[-1] != "A" else "B")),
    ("first-character", lambda text: text.replace("kcauth=", "kcauth=_", 1)),
    ("longer", lambda text: text + "A"),
    ("shorter", lambda text: text[:-1]),
    ("empty", lambda text: "kcauth="),
    ("other-name", lambda text: text.replace("kcauth", "kcauth_2")),
    ("other-case", lambda text: text.replace("kcauth", "KCauth")),
    ("same-length", lambda text: "kcauth=" + "A" * (len(text) - 7)),
    ("with-a-counter", lambda text: text.replace("kcauth=", "kcauth=2.") + "; kcauth_2=A"),
    ("gone", lambda text: None),
])
def test_good_cookie_lends_nothing_to_a_bad_one(site, connection, change):
    good = site.cookies["alice"]
    for _ in range(3):
        assert connection.who(good) == "alice"
        assert connection.who(change(good)) is None
        status, text = connection.get("/protected/", change(good))
        assert status == 302 and MARKER not in text
    assert connection.who(good) == "alice"


def test_roles_are_those_of_each_request(site, connection):
    for _ in range(5):
        assert connection.get("/admin/", site.cookies["alice"])[0] == 200
        status, text = connection.get("/admin/", site.cookies["mallory"])
        assert status in (401, 403) and MARKER not in text
        assert connection.get("/admin/")[0] == 302


def test_two_persons_in_one_header(site, connection):
    """The first counts, whoever was seen before."""
    for first, second in itertools.permutations(PEOPLE[:3], 2):
        assert connection.who(site.cookies[second]) == second
        assert connection.who(joined(site, first, second)) == first


@table("between", [
    ("public", ("/", "GET", None)),
    ("missing", ("/missing", "GET", None)),
    ("refused", ("/protected/", "POST", None)),
    ("login", ("/oauth/login", "GET", None)),
    ("session", ("/oauth/session", "GET", "bob")),
    ("head", ("/protected/", "HEAD", "bob")),
    ("options", ("/protected/", "OPTIONS", "bob")),
    ("folder", ("/protected", "GET", "bob")),
    ("denied", ("/admin/", "GET", "mallory")),
])
def test_request_between(site, connection, between):
    path, method, name = between
    for _ in range(3):
        assert connection.who(site.cookies["alice"]) == "alice"
        connection.get(path, site.cookies[name], method=method)
        assert connection.who() is None
        connection.get(path, site.cookies[name], method=method)
        assert connection.who(site.cookies["carol"]) == "carol"


def pipelined(site, names, path="/protected/show"):
    requests = ""
    for number, name in enumerate(names):
        cookie = f"Cookie: {site.cookies[name]}\r\n" if name else ""
        last = "Connection: close\r\n" if number == len(names) - 1 else ""
        requests += f"GET {path} HTTP/1.1\r\nHost: localhost:{site.port}\r\n{cookie}{last}\r\n"
    return exchange(site, requests)


@table("names", SEQUENCES)
def test_pipelined(site, names):
    """All written before the first answer is read: answers come in order."""
    raw = pipelined(site, names)
    answers = raw.split(b"HTTP/1.1 ")[1:]
    assert len(answers) == len(names)
    for name, answer in zip(names, answers):
        if name is None:
            assert answer.startswith(b"302 ") and b"KC_USER_NAME" not in answer
        else:
            assert f"KC_USER_NAME={name}\0".encode() in answer


def test_body_that_looks_like_a_request(site):
    """Of a request that is refused: what follows is not read as the next one."""
    inner = (f"GET /protected/ HTTP/1.1\r\nHost: localhost:{site.port}\r\n"
             f"Cookie: {site.cookies['alice']}\r\n\r\n")
    for path in ("/protected/", "/oauth/login", "/oauth/session", "/oauth/renew", "/oauth/logout",
                 "/oauth/k_logout", "/oauth/login/callback", "/missing"):
        raw = harmless_bytes(exchange(site, (
            f"POST {path} HTTP/1.1\r\nHost: localhost:{site.port}\r\nContent-Length: {len(inner)}"
            f"\r\n\r\n{inner}GET / HTTP/1.1\r\nHost: localhost:{site.port}\r\n"
            "Connection: close\r\n\r\n")))
        assert len(statuses(raw)) in (1, 2), path


def test_session_that_is_logged_out_between_two_requests(site, connection):
    cookie = cookie_of(site, "alice")
    assert connection.who(cookie) == "alice"
    other = Client()
    other.fetch(site.url("/oauth/logout"), "POST", {"Cookie": cookie})
    assert connection.who(cookie) is None
    assert connection.who(site.cookies["alice"]) == "alice"


def test_session_that_keycloak_ends_between_two_requests(site, connection):
    cookie = cookie_of(site, "bob")
    assert connection.who(cookie) == "bob"
    sid = list(site.provider.sessions)[-1]
    assert post_logout_token(site, logout_token(site.provider, sid=sid)).status == 200
    assert connection.who(cookie) is None
    assert connection.get("/protected/", cookie)[0] == 302


def test_logout_on_the_same_connection(site, connection):
    cookie = cookie_of(site, "carol")
    assert connection.who(cookie) == "carol"
    connection.get("/oauth/logout", cookie, method="POST")
    assert connection.who(cookie) is None


def test_login_on_the_same_connection(site, connection):
    """Two persons log in one after the other, as through a proxy that keeps connections."""
    for name in ("alice", "bob"):
        site.provider.user = name
        browser = Client()
        begun = browser.get(site.url("/protected/"), follow=False)
        back = browser.get(begun.location, follow=False).location
        path = back.removeprefix(site.url(""))
        assert connection.who(site.cookies["carol"]) == "carol"
        status, _ = connection.get(path, browser.jar.header(back))
        assert status == 303
        assert connection.who() is None
        assert connection.who(site.cookies["carol"]) == "carol"
    status, _ = connection.get(path, browser.jar.header(back))
    assert status == 400


def test_other_cookies_beside_ours(site, connection):
    """What is remembered is the whole header: others around it change nothing, and lend nothing."""
    alice, bob = site.cookies["alice"], site.cookies["bob"]
    for _ in range(2):
        for header in (alice, f"a=1; {alice}", f"a=2; {alice}", f"{alice}; b=1"):
            assert connection.who(header) == "alice"
        assert connection.who(f"a=2; {bob}") == "bob"
        assert connection.who("a=2") is None
        assert connection.who(f"x{alice}") is None


def test_session_of_somebody_else_ends_between_two_requests(site, connection):
    """Which has everybody's looked at again."""
    other = cookie_of(site, "bob")
    for _ in range(3):
        assert connection.who(site.cookies["alice"]) == "alice"
        sid = list(site.provider.sessions)[-1]
        assert post_logout_token(site, logout_token(site.provider, sid=sid)).status == 200
        assert connection.who(site.cookies["alice"]) == "alice"
        assert connection.who(other) is None
        other = cookie_of(site, "bob")


def test_roles_that_change_between_two_requests(new_httpd, new_provider, kind, clock):
    """Whoever renewed the session: the connection shows what it is told now."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession=kind, KCAuthRevalidate=30, clock=clock)
    client = logged_in(httpd)
    connection = Connection(httpd.port)

    def roles():
        _, text = connection.get("/optional/show", client.jar.header(httpd.url("/")))
        return dict(item.split("=", 1) for item in text.split("\0") if "=" in item)["KC_ROLES"]

    assert roles() == roles() == "admin"
    provider.users["alice"].client_roles["webapp"] = ["reader"]
    clock.forward(30)
    client.get(httpd.url("/protected/"))
    assert roles() == roles() == "reader"
    connection.close()


# The end of a session, a new key, another host

def test_session_that_is_over_between_two_requests(new_httpd, new_provider, kind, clock):
    provider = new_provider(kinds=["ES256"])
    servers = [new_httpd(provider=provider, KCAuthSession=kind, clock=clock, **limit)
               for limit in ({"KCAuthSessionIdle": 60}, {"KCAuthSessionMax": 60})]
    shown = []
    for httpd in servers:
        cookie = logged_in(httpd).jar.header(httpd.url("/protected/"))
        connection = Connection(httpd.port)
        assert connection.who(cookie) == "alice"
        shown.append((connection, cookie))
    clock.forward(61)
    for connection, cookie in shown:
        assert connection.who(cookie) is None
        connection.close()


def test_key_that_changes_while_the_connection_is_kept(new_httpd, new_provider):
    """By a graceful restart. The old children end the connection, and nobody gets in by it."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSessionKey="a" * 40)
    cookie = logged_in(httpd).jar.header(httpd.url("/protected/"))
    connection = Connection(httpd.port)
    assert connection.who(cookie) == "alice"
    httpd.configure(settings(provider, KCAuthSessionKey="b" * 40) + PAGES)
    httpd.graceful()
    time.sleep(0.3)
    try:
        assert connection.who(cookie) is None
    except (OSError, http.client.HTTPException):
        pass
    fresh = Connection(httpd.port)
    assert fresh.who(cookie) is None
    fresh.close()


HOSTS = """
<VirtualHost 127.0.0.1:${{PORT}}>
    ServerName one.test
    {one}
</VirtualHost>
<VirtualHost 127.0.0.1:${{PORT}}>
    ServerName two.test
    {two}
</VirtualHost>
<VirtualHost 127.0.0.1:${{PORT}}>
    ServerName none.test
    {none}
</VirtualHost>
"""


@pytest.fixture(scope="module")
def hosts(kind, lasting_httpd, lasting_provider):
    """One server with sites of two clients under one key, and one without the module's realm."""
    providers = [lasting_provider(client_id=client, kinds=["ES256"]) for client in ("one", "two")]
    parts = [settings(provider, KCAuthSession=kind, KCAuthSessionKey="k" * 40,
                      KCAuthBaseURL=f"http://localhost:{port}") + PAGES
             for provider, port in zip(providers, ("${PORT}", "${PORT}"))]
    httpd = lasting_httpd(HOSTS.format(one=parts[0], two=parts[1], none=PAGES.replace(
        "Require kc-role admin", "Require valid-user")), wait=False)
    cookies = {}
    for host in ("one.test", "two.test"):
        client, answer = login_at(httpd, host)
        assert answer.status == 303
        cookies[host] = client.jar.header(httpd.url("/protected/"))
    httpd.cookies = cookies
    return httpd


def test_cookie_of_one_host_on_the_other(hosts):
    """Same key, same cookie name, same connection, other client."""
    connection = Connection(hosts.port)
    for _ in range(3):
        for host, other in (("one.test", "two.test"), ("two.test", "one.test")):
            assert connection.who(hosts.cookies[host], host=host) == "alice"
            assert connection.who(hosts.cookies[host], host=other) is None
            status, text = connection.get("/protected/", hosts.cookies[host], host=other)
            assert status == 302 and MARKER not in text
    connection.close()


def test_cookie_on_a_host_without_a_realm(hosts):
    """Where `AuthType Keycloak` stands without a realm, which is a mistake."""
    connection = Connection(hosts.port)
    assert connection.who(hosts.cookies["one.test"], host="one.test") == "alice"
    assert connection.get("/oauth/session", host="none.test")[0] == 404
    status, text = connection.get("/protected/", hosts.cookies["one.test"], host="none.test")
    assert status in (500, 503) and MARKER not in text
    connection.close()


@table("host", [(name, name) for name in ("none.test", "two.test", "unknown.test", "ONE.TEST.",
                                          "one.test:1", "one.test@two.test", "x", "")])
def test_other_host_names(hosts, host):
    """Whatever host httpd picks: a cookie is good at its own alone."""
    raw = exchange(hosts, f"GET /protected/ HTTP/1.1\r\nHost: {host}\r\n"
                          f"Cookie: {hosts.cookies['two.test']}\r\nConnection: close\r\n\r\n")
    if host != "two.test":
        assert MARKER.encode() not in raw
