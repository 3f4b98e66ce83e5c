"""Attack: the login. States of other browsers, tabs and clients; replays; parameters twice, missing
and in the wrong place; what pages, headers and log lines might repeat."""

import concurrent.futures
import re
import urllib.parse

from support.attack import ENDPOINTS, exchange, harmless, harmless_bytes
from support.client import Client
from support.expect import SESSION, STATE, let_in, logged_in, no_secrets, sent_to_login, table

CALLBACK = "/oauth/login/callback"


def begun(httpd, client, target="/protected/"):
    """The callback's URL, as the provider sends the browser back."""
    return client.get(client.get(httpd.url(target), follow=False).location, follow=False).location


def query_of(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query))


def callback(httpd, pairs):
    return httpd.url(CALLBACK + "?" + urllib.parse.urlencode(pairs))


def nobody(answer, client):
    harmless(answer)
    assert answer.status == 400, answer.text
    assert not client.jar.named(SESSION)


# States

@table("state", [
    ("slot-before", lambda state: "%x" % ((int(state[0], 16) - 1) % 16) + state[1:]),
    ("slot-after", lambda state: "%x" % ((int(state[0], 16) + 1) % 16) + state[1:]),
    ("slot-g", lambda state: "g" + state[1:]),
    ("slot-capital", lambda state: "A" + state[1:]),
    ("slot-blank", lambda state: " " + state[1:]),
    ("slot-minus", lambda state: "-" + state),
    ("slot-16", lambda state: "10" + state[1:]),
    ("slot-99", lambda state: "99" + state[1:]),
    ("slot-missing", lambda state: state[1:]),
    ("slot-alone", lambda state: state[0]),
    ("slot-byte", lambda state: "\xff" + state[1:]),
    ("cut", lambda state: state[:-1]),
    ("longer", lambda state: state + "A"),
    ("doubled", lambda state: state + state),
    ("last-bit", lambda state: state[:-1] + ("A" if state[-1] != "A" else "B")),
    ("other-case", lambda state: state[0] + state[1:].swapcase()),
    ("blank-after", lambda state: state + " "),
    ("nul-after", lambda state: state + "\0"),
    ("line-break-after", lambda state: state + "\r\n"),
    ("empty", lambda state: ""),
    ("64", lambda state: (state + "A" * 64)[:64]),
    ("65", lambda state: (state + "A" * 65)[:65]),
    ("star", lambda state: state[0] + "*"),
    ("percent", lambda state: state[0] + "%" + state[1:]),
])
def test_state_that_is_not_quite_it(httpd, provider, client, state):
    query = query_of(begun(httpd, client))
    answer = client.get(callback(httpd, {**query, "state": state(query["state"])}), follow=False)
    nobody(answer, client)
    assert provider.count("token") == 0


@table("cookie", [
    ("other-slot", lambda name, value: ("kcauth_state_%d" % ((int(name[13:]) + 1) % 16), value)),
    ("slot-16", lambda name, value: ("kcauth_state_16", value)),
    ("slot-in-hex", lambda name, value: ("kcauth_state_a", value)),
    ("prefix", lambda name, value: ("__Secure-" + name, value)),
    ("capitals", lambda name, value: (name.upper(), value)),
    ("quoted", lambda name, value: (name, f'"{value}"')),
    ("counter", lambda name, value: (name, "2." + value)),
    ("as-session", lambda name, value: ("kcauth", value)),
    ("cut", lambda name, value: (name, value[:-1])),
    ("empty", lambda name, value: (name, "")),
    ("huge", lambda name, value: (name, value + "A" * 3000)),
])
def test_state_cookie_that_is_not_quite_it(httpd, provider, client, cookie):
    back = begun(httpd, client)
    state, = client.jar.named(STATE)
    thief = Client()
    answer = thief.get(back, {"Cookie": "=".join(cookie(state.name, state.value))}, follow=False)
    nobody(answer, thief)
    assert provider.count("token") == 0


def test_state_planted_beside_the_real_one(httpd, provider, client):
    """Of two cookies of a name the first is read; what an attacker plants ends in an error."""
    attacker = Client()
    begun(httpd, attacker)
    planted = attacker.jar.named(STATE)[0].value
    back = begun(httpd, client)
    state, = client.jar.named(STATE)
    for first, second in ((planted, state.value), ("A", state.value)):
        victim = Client()
        nobody(victim.get(back, {"Cookie": f"{state.name}={first}; {state.name}={second}"},
                          follow=False), victim)
    assert provider.count("token") == 0
    let_in(client.get(back))


def test_every_foreign_browser_is_refused(httpd, provider):
    """Six browsers, each with the callback of each other."""
    browsers = [Client() for _ in range(6)]
    backs = [begun(httpd, browser) for browser in browsers]
    for number, browser in enumerate(browsers):
        for other, back in enumerate(backs):
            if other != number:
                nobody(browser.get(back, follow=False), browser)
    assert provider.count("token") == 0
    for browser, back in zip(browsers, backs):
        let_in(browser.get(back))


def test_code_of_another_login_in_one_s_own(httpd, provider, client):
    """A stolen code, with a state that is good: PKCE and nonce are of another login."""
    victim = Client()
    stolen = query_of(begun(httpd, victim))["code"]
    own = query_of(begun(httpd, client))
    nobody(client.get(callback(httpd, {**own, "code": stolen}), follow=False), client)


def test_state_of_another_client(new_httpd, new_provider):
    """Two sites with one key and one cookie name, at the same host name."""
    providers = [new_provider(client_id=name, kinds=["ES256"]) for name in ("one", "two")]
    one, two = (new_httpd(provider=provider, KCAuthSessionKey="k" * 40) for provider in providers)
    client = Client()
    for _ in range(16):
        back = begun(one, client)
        answer = client.get(two.url(CALLBACK + "?" + urllib.parse.urlsplit(back).query),
                            follow=False)
        nobody(answer, client)
    assert providers[1].count("token") == 0


def test_callback_from_many_at_once(httpd, provider, client):
    """A race: of twenty that send the same good answer, one is let in."""
    back = begun(httpd, client)
    cookies = client.jar.header(back)
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: Client().get(back, {"Cookie": cookies}, follow=False),
                                range(20)))
    assert sorted(answer.status for answer in answers) == [303] + [400] * 19
    assert provider.count("token") == 1


def test_replay_after_a_logout(httpd, provider, client):
    back = begun(httpd, client)
    cookies = client.jar.header(back)
    let_in(client.get(back))
    client.get(httpd.url("/oauth/logout"), {"Sec-Fetch-Site": "same-origin"})
    nobody(Client().get(back, {"Cookie": cookies}, follow=False), Client())
    sent_to_login(client.get(httpd.url("/protected/"), follow=False), provider)


@table("tabs", [("two", 2), ("sixteen", 16), ("twenty", 20)])
def test_tabs_answered_in_any_order(httpd, provider, tabs):
    """Each that still has its slot ends at its own page; none at another's."""
    client = Client()
    backs = [begun(httpd, client, f"/protected/?{tab}") for tab in range(tabs)]
    order = sorted(range(tabs), key=lambda tab: tab * 7 % tabs)
    for tab in order:
        answer = harmless(client.get(backs[tab], follow=False))
        assert answer.status in (303, 400)
        if answer.status == 303:
            assert answer.location in (httpd.url(f"/protected/?{tab}"), httpd.url("/"))
        elif not client.jar.named(SESSION):
            assert tab < tabs - 16


# Parameters

DUPLICATES = ["state", "code", "iss", "session_state", "error"]


@table("name", [(name, name) for name in DUPLICATES])
@table("other", [("same", None), ("empty", ""), ("evil", "evil"), ("array", "[]")])
@table("first", [("after", False), ("before", True)])
def test_parameter_twice(httpd, provider, client, name, other, first):
    back = begun(httpd, client)
    query = query_of(back)
    pair = (name, query.get(name, "x") if other is None else other)
    pairs = list(query.items())
    if name not in query:
        pairs.append((name, "access_denied"))
    pairs = [pair, *pairs] if first else [*pairs, pair]
    nobody(client.get(callback(httpd, pairs), follow=False), client)
    assert provider.count("token") == 0


@table("left_out", [(" ".join(names), names) for names in (
    ["state"], ["code"], ["iss"], ["state", "code"], ["state", "iss"], ["code", "iss"],
    ["state", "code", "iss", "session_state"])])
def test_parameter_missing(httpd, provider, client, left_out):
    query = query_of(begun(httpd, client))
    answer = client.get(callback(httpd, {name: value for name, value in query.items()
                                         if name not in left_out}), follow=False)
    harmless(answer)
    assert answer.status in (400, 502)
    assert not client.jar.named(SESSION) and provider.count("token") == 0


@table("place", [
    ("fragment", lambda back: back.replace("?", "#")),
    ("semicolons", lambda back: back.replace("&", ";")),
    ("encoded-ampersands", lambda back: back.replace("&", "%26")),
    ("two-questions", lambda back: back.replace("?", "??")),
    ("encoded-equals", lambda back: back.replace("=", "%3d")),
    ("blank-in-names", lambda back: back.replace("state=", "state+=")),
    ("brackets", lambda back: back.replace("state=", "state[]=").replace("code=", "code[]=")),
])
def test_parameters_in_another_shape(httpd, provider, client, place):
    back = place(begun(httpd, client))
    parts = urllib.parse.urlsplit(back)
    raw = harmless_bytes(exchange(httpd, (
        f"GET {back.removeprefix(httpd.url(''))} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Cookie: {client.jar.header(httpd.url(CALLBACK))}\r\nConnection: close\r\n\r\n")))
    assert b"Set-Cookie: kcauth=" not in raw
    assert provider.count("token") == 0


# What is repeated

EVIL = {
    "script": "<script>alert(1)</script>",
    "attribute": "\" onload=alert(1) x=\"",
    "single-quotes": "' onload=alert(1) x='",
    "entity": "&lt;script&gt;alert(1)&#60;/script&#62;",
    "line-break": "x\r\nX-Injected: 1\r\n\r\n<script>alert(1)</script>",
    "line-feed": "x\nX-Injected: 1",
    "return": "x\rX-Injected: 1",
    "log-line": "x\n[fake:error] [pid 1] KC0999: forged line",
    "escape": "x\x1b[2J\x1b]0;alert(1)\x07",
    "nul": "x\0<script>alert(1)</script>",
    "delete": "x\x7f\x08\x08\x08",
    "latin": "\xff\xfe<script>alert(1)",
    "utf-7": "+ADw-script+AD4-alert(1)",
    "overlong": "\xc0\xbcscript\xc0\xbealert(1)",
    "right-to-left": "\u202ealert(1)\u202c",
    "format": "%s%n%p%x" * 8,
    "javascript": "javascript:alert(1)",
    "json": '"}],"username":"alice","x":[{"',
    "template": "{{7*7}}${7*7}<%= 7*7 %>",
    "long": "<b>" * 500,
}
QUERIES = [
    ("error", CALLBACK + "?state={s}&error={}"),
    ("description", CALLBACK + "?state={s}&error=x&error_description={}&error_uri={}"),
    ("code", CALLBACK + "?state={s}&code={}"),
    ("state", CALLBACK + "?state={}&code=x"),
    ("iss", CALLBACK + "?state={s}&code=x&iss={}"),
    ("name", CALLBACK + "?{}={}"),
    ("next", "/oauth/login?next={}"),
    ("next-path", "/oauth/login?next=/{}"),
    ("renew", "/oauth/renew?next=/{}"),
    ("logout", "/oauth/logout?{}={}"),
    ("session", "/oauth/session?{}"),
    ("front-channel", "/oauth/frontchannel-logout?iss={}&sid={}"),
    ("unknown", "/oauth/{}"),
    ("protected", "/protected/{}?{}={}"),
    ("missing", "/missing/{}"),
]


@table("evil", [(name, name) for name in EVIL])
@table("where", QUERIES)
def test_nothing_is_repeated(httpd, client, evil, where):
    """In a page, a header or a line of the log; with a state that is good, too."""
    text = urllib.parse.quote(EVIL[evil].encode("utf-8" if evil == "right-to-left" else "latin-1"),
                              safe="")
    state = ""
    if "{s}" in where:
        state = client.get(httpd.url("/protected/"), follow=False).query["state"]
    path = where.replace("{s}", state).replace("{}", text)
    answer = harmless(client.get(httpd.url(path), follow=False))
    for part in ("<script", "onload=alert", "<b>", "forged", "\x1b", "{{7", '"username":"alice"'):
        assert part not in answer.text
    assert answer.headers["X-Injected"] is None
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", answer.text + str(answer.headers))
    log = httpd.log.text()
    assert not httpd.log.lines(r"^\[fake|^X-Injected|^<script")
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", log)


HEADERS = ["User-Agent", "Referer", "Accept", "Accept-Language", "Host", "Origin", "Cookie",
           "X-Requested-With", "Sec-Fetch-Mode", "Sec-Fetch-Site", "Content-Type", "Authorization"]


@table("name", [(name, name) for name in HEADERS])
def test_nothing_of_a_header_is_repeated(httpd, name):
    for evil in ("<script>alert(1)</script>", "\" onload=alert(1) \"", "javascript:alert(1)"):
        for path in ("/protected/", "/oauth/login", CALLBACK + "?code=a&state=b", "/oauth/session"):
            answer = harmless(Client().get(httpd.url(path), {name: evil}, follow=False))
            assert "alert(1)" not in answer.text + str(answer.headers)


@table("endpoint", [(name, name) for name in ENDPOINTS])
def test_nothing_of_a_body_is_repeated(httpd, client, endpoint):
    for evil in EVIL.values():
        body = urllib.parse.urlencode({"logout_token": evil, evil: "x", "state": evil}).encode(
            "utf-8", "replace")
        answer = harmless(client.request("POST", httpd.url("/oauth" + endpoint), {
            "Content-Type": "application/x-www-form-urlencoded"}, body))
        assert "alert(1)" not in answer.text and "<b>" not in answer.text
        answer = harmless(client.request("POST", httpd.url("/oauth" + endpoint), {
            "Content-Type": "text/plain"}, evil.encode("utf-8")))
        assert "alert(1)" not in answer.text
    assert not httpd.log.lines(r"^\[fake|^X-Injected")


def test_no_secret_is_in_the_log_after_all_kinds_of_answers(httpd, provider):
    """Refusals too: a code or a cookie that was no good here may be good elsewhere."""
    client = logged_in(httpd)
    stranger = Client()
    query = query_of(begun(httpd, stranger))
    secrets = {query["code"], query["state"], stranger.jar.named(STATE)[0].value,
               client.jar.named(SESSION)[0].value}
    Client().get(callback(httpd, query))
    Client().get(callback(httpd, [*query.items(), ("code", "x")]))
    Client().get(httpd.url("/protected/"), {"Cookie": f"kcauth={query['code']}"}, follow=False)
    for name in ("kcauth_id", "kcauth_refresh", "kcauth_state_0"):
        Client().get(httpd.url("/oauth/logout"), {"Cookie": f"{name}={query['code']}"},
                     follow=False)
    Client().request("POST", httpd.url("/oauth/k_logout"), {}, query["code"].encode())
    no_secrets(httpd.log.text(), secrets)
