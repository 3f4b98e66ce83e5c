"""Attack: the Cookie header, with each way of keeping sessions. (Every byte flipped, truncations
and parts missing: test_session.py.)"""

import dataclasses

import pytest

from support.attack import harmless
from support.client import Client
from support.expect import STATE, logged_in, table
from support.jose import b64, unb64
from support.provider import User
from support.site import PAGES, seen

NOBODY = set()
ROLES = [f"role-{number:014}" for number in range(300)]


@dataclasses.dataclass
class Loot:
    """What the attacker has: cookies of their own, and some of the victim's."""
    httpd: object
    alice: str          # session cookies
    mallory: str
    long: dict          # mallory's sessions that take several cookies: name -> value
    longer: dict
    tokens: dict        # mallory's other cookies
    state: str
    foreign: list       # sessions of other sites


def session_of(httpd):
    return logged_in(httpd).jar.named("kcauth")[0].value


def cookies_of(httpd):
    return {cookie.name: cookie.value for cookie in logged_in(httpd).jar.values()
            if cookie.name.startswith("kcauth")}


@pytest.fixture(scope="module")
def loot(kind, lasting_httpd, lasting_provider):
    provider = lasting_provider(kinds=["ES256"])
    config = "LimitRequestFieldSize 131072\nLimitRequestLine 131072\n" + PAGES
    common = {"KCAuthSession": kind, "KCAuthSessionKey": "k" * 40}
    httpd = lasting_httpd(config, provider=provider, **common)
    alice = session_of(httpd)
    provider.users["mallory"] = User("mallory", client_roles={"webapp": ["nothing"]})
    provider.user = "mallory"
    mallory = cookies_of(httpd)
    visitor = Client()
    visitor.get(httpd.url("/protected/"), follow=False)
    foreign = [session_of(lasting_httpd(config, provider=provider, **{**common, **change}))
               for change in ({"KCAuthSessionKey": "other" * 8}, {"KCAuthCookieName": "kcauth",
                              "KCAuthSession": "signed" if kind != "signed"
                              else "encrypted"})]
    provider.users["mallory"].client_roles["webapp"] = ROLES
    return Loot(httpd, alice, mallory.pop("kcauth"), cookies_of(httpd), cookies_of(httpd),
                mallory, visitor.jar.named(STATE)[0].value, foreign)


def version(text, number):
    """The sealed text with another first byte; that of an id may be this one by chance."""
    data = unb64(text)
    return b64(bytes([number ^ (number == data[0])]) + data[1:])


def pairs(cookies):
    return "; ".join(f"{name}={value}" for name, value in cookies.items())


def three(cookies):
    """A session of three cookies as it is; where all is in one, what looks like that."""
    if "kcauth_3" in cookies:
        return cookies
    return {**counted(cookies, 3), "kcauth_2": "A", "kcauth_3": "B"}


def counted(cookies, count):
    """The session with another first character: the number of cookies, if it takes several. The
    only cookie may begin so by chance."""
    first = str(count) if cookies["kcauth"][0] != str(count) else "x"
    return {**cookies, "kcauth": first + cookies["kcauth"][1:]}


CASES = [
    # case, the Cookie header, who may be let in
    ("joined", lambda l: f"kcauth={l.mallory}{l.alice}", NOBODY),
    ("joined-with-a-dot", lambda l: f"kcauth={l.mallory}.{l.alice}", NOBODY),
    ("joined-with-a-comma", lambda l: f"kcauth={l.mallory},{l.alice}", NOBODY),
    ("head-of-one-tail-of-another", lambda l: f"kcauth={l.alice[:40]}{l.mallory[40:]}", NOBODY),
    ("tail-of-one-head-of-another", lambda l: f"kcauth={l.mallory[:-20]}{l.alice[-20:]}", NOBODY),
    ("of-another-key", lambda l: f"kcauth={l.foreign[0]}", NOBODY),
    ("of-another-way-of-sealing", lambda l: f"kcauth={l.foreign[1]}", NOBODY),
    ("state-as-session", lambda l: f"kcauth={l.state}", NOBODY),
    ("id-token-as-session", lambda l: f"kcauth={l.tokens.get('kcauth_id', 'x')}", NOBODY),
    ("refresh-token-as-session", lambda l: f"kcauth={l.tokens.get('kcauth_refresh', 'x')}", NOBODY),
    *[(f"version-{number}", lambda l, n=number: f"kcauth={version(l.alice, n)}", NOBODY)
      for number in (0, 3, 127, 128, 255)],
    ("twice-forged-first", lambda l: f"kcauth=AAAA; kcauth={l.mallory}", {"mallory"}),
    ("twice-forged-last", lambda l: f"kcauth={l.mallory}; kcauth=AAAA", {"mallory"}),
    ("twice-empty-first", lambda l: f"kcauth=; kcauth={l.mallory}", {"mallory"}),
    ("twice-of-two-persons", lambda l: f"kcauth={l.mallory}; kcauth={l.alice}", {"mallory"}),
    ("twice-of-two-persons-turned", lambda l: f"kcauth={l.alice}; kcauth={l.mallory}", {"alice"}),
    ("twenty-times", lambda l: "; ".join([f"kcauth={l.mallory}"] * 20), {"mallory"}),
    ("other-case", lambda l: f"KCAUTH={l.mallory}; Kcauth={l.mallory}", NOBODY),
    ("quoted", lambda l: f'kcauth="{l.mallory}"', NOBODY),
    ("quoted-name", lambda l: f'"kcauth"={l.mallory}', NOBODY),
    ("half-quoted", lambda l: f'kcauth="{l.mallory}', NOBODY),
    ("single-quotes", lambda l: f"kcauth='{l.mallory}'", NOBODY),
    ("rfc-2109", lambda l: f'$Version="1"; kcauth={l.mallory}; $Path="/"', {"mallory"}),
    ("blank-before-equals", lambda l: f"kcauth ={l.mallory}", NOBODY),
    ("blank-after-equals", lambda l: f"kcauth= {l.mallory}", NOBODY),
    ("tab-after-equals", lambda l: f"kcauth=\t{l.mallory}", NOBODY),
    ("two-equals", lambda l: f"kcauth=={l.mallory}", NOBODY),
    ("name-in-value", lambda l: f"x=kcauth={l.mallory}", NOBODY),
    ("commas", lambda l: f"x=1, kcauth={l.mallory}", NOBODY),
    ("comma-after", lambda l: f"kcauth={l.mallory}, x=1", NOBODY),
    ("ampersand", lambda l: f"x=1&kcauth={l.mallory}", NOBODY),
    ("percent-encoded", lambda l: f"kcauth=%{ord(l.mallory[0]):02x}{l.mallory[1:]}", NOBODY),
    ("percent-encoded-name", lambda l: f"kc%61uth={l.mallory}", NOBODY),
    ("no-name", lambda l: f"={l.mallory}", NOBODY),
    ("no-equals", lambda l: f"kcauth; {l.mallory}", NOBODY),
    ("no-name-two-equals", lambda l: f"=kcauth={l.mallory}", NOBODY),
    ("separators", lambda l: f";;; ;=;; kcauth={l.mallory};;", {"mallory"}),
    ("separators-alone", lambda l: "; ;;=;=;;", NOBODY),
    ("tabs-between", lambda l: f"x=1;\t\tkcauth={l.mallory}\t", {"mallory"}),
    ("attributes", lambda l: f"kcauth={l.mallory}; Path=/; HttpOnly", {"mallory"}),
    ("nul-inside", lambda l: f"kcauth={l.mallory[:9]}\0{l.mallory[9:]}", NOBODY),
    ("nul-after", lambda l: f"kcauth={l.mallory}\0", NOBODY),
    ("nul-before", lambda l: f"\0kcauth={l.mallory}", NOBODY),
    *[(f"byte-{code:02x}-inside",
       lambda l, c=chr(code): f"kcauth={l.mallory[:9]}{c}{l.mallory[9:]}", NOBODY)
      for code in (1, 8, 9, 11, 12, 27, 31, 32, 34, 43, 44, 46, 47, 58, 61, 92, 96, 127)],
    ("latin-byte-inside", lambda l: f"kcauth={l.mallory[:9]}\udcff{l.mallory[9:]}", NOBODY),
    ("unicode-inside", lambda l: f"kcauth={l.mallory[:9]}\u0101{l.mallory[9:]}", NOBODY),
    ("prefix-host", lambda l: f"__Host-kcauth={l.mallory}", NOBODY),
    ("prefix-secure", lambda l: f"__Secure-kcauth={l.mallory}", NOBODY),
    ("prefix-twice", lambda l: f"__Host-__Host-kcauth={l.mallory}", NOBODY),
    *[(f"counter-{count}", lambda l, c=count: f"kcauth={c}.{l.mallory}; kcauth_2=AAAA", NOBODY)
      for count in ("0", "1", "2", "3", "8", "9", "a", "x", "/", ":", "-", "%", "02", "-1", "10")],
    ("counter-of-one-more", lambda l: pairs(counted(l.long, 4)), NOBODY),
    ("counter-of-one-less", lambda l: pairs(counted(l.long, 2)), NOBODY),
    ("counter-alone", lambda l: "kcauth=2.", NOBODY),
    ("counter-alone-with-parts", lambda l: f"kcauth=2.; kcauth_2={l.mallory}", {"mallory"}),
    ("counter-in-counter", lambda l: f"kcauth=2.2.; kcauth_2={l.mallory}", NOBODY),
    ("counter-in-a-part", lambda l: f"kcauth=2.; kcauth_2=2.{l.mallory}", NOBODY),
    ("counter-is-all", lambda l: "kcauth=2", NOBODY),
    ("dot-is-all", lambda l: "kcauth=.", NOBODY),
    ("parts-whole", lambda l: pairs(l.long), {"mallory"}),
    ("parts-backwards", lambda l: pairs(dict(reversed(l.long.items()))), {"mallory"}),
    ("parts-without-first", lambda l: pairs({**l.long, "kcauth": ""}), NOBODY),
    ("parts-swapped", lambda l: pairs({**three(l.long), "kcauth_2": three(l.long)["kcauth_3"],
                                       "kcauth_3": three(l.long)["kcauth_2"]}), NOBODY),
    ("parts-of-two-sessions", lambda l: pairs({**three(l.long),
                                               "kcauth_3": three(l.longer)["kcauth_3"]}), NOBODY),
    ("part-planted-before", lambda l: f"kcauth_2=AAAA; {pairs(l.long)}", {"mallory"}),
    ("part-empty", lambda l: pairs({"kcauth": "3." + l.mallory, "kcauth_2": "", "kcauth_3": ""}),
     {"mallory"}),
    ("part-with-comma", lambda l: pairs({"kcauth": "2." + l.mallory, "kcauth_2": ","}), NOBODY),
    ("part-one", lambda l: pairs({"kcauth": "2." + l.mallory[:20], "kcauth_1": l.mallory[20:]}),
     NOBODY),
    ("part-02", lambda l: pairs({"kcauth": "2." + l.mallory[:20], "kcauth_02": l.mallory[20:]}),
     NOBODY),
    ("part-too-big", lambda l: "kcauth=2.A; kcauth_2=" + "A" * 4001, NOBODY),
    ("eight-parts", lambda l: pairs({"kcauth": "8.A", **{f"kcauth_{n}": "A" * 3800
                                                         for n in range(2, 9)}}), NOBODY),
    ("nine-parts", lambda l: pairs({"kcauth": "9.A", **{f"kcauth_{n}": "A" * 3800
                                                        for n in range(2, 10)}}), NOBODY),
    ("too-big", lambda l: "kcauth=" + "A" * 100_000, NOBODY),
    ("good-and-too-big", lambda l: f"kcauth={l.mallory}; kcauth_2=" + "A" * 100_000, {"mallory"}),
    ("good-after-too-big", lambda l: "x=" + "A" * 100_000 + f"; kcauth={l.mallory}", {"mallory"}),
    ("ten-thousand", lambda l: "; ".join(["a=b"] * 10_000) + f"; kcauth={l.mallory}", {"mallory"}),
    ("ten-thousand-of-ours", lambda l: "; ".join(["kcauth=A"] * 10_000), NOBODY),
    ("separators-only-long", lambda l: ";" * 100_000, NOBODY),
    ("deep-padding", lambda l: f"kcauth={l.mallory}" + "=" * 3000, NOBODY),
    ("dots", lambda l: "kcauth=" + "." * 3000, NOBODY),
    ("paths", lambda l: "kcauth=../../../../../../etc/passwd", NOBODY),
    ("format-string", lambda l: "kcauth=" + "%n%s" * 50, NOBODY),
    ("of-the-length-of-an-id", lambda l: "kcauth=" + "/" * 43, NOBODY),
    ("id-with-blank", lambda l: "kcauth=" + l.mallory[:20] + " " + l.mallory[21:], NOBODY),
    ("all-zero", lambda l: "kcauth=" + "A" * len(l.alice), NOBODY),
    ("all-ones", lambda l: "kcauth=" + "_" * len(l.alice), NOBODY),
    ("last-bits", lambda l: f"kcauth={l.mallory[:-1]}{other_last(l.mallory)}", NOBODY),
]


def other_last(text):
    """A last character that differs in the bits that base64 leaves unused, where there are any."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return alphabet[alphabet.index(text[-1]) ^ 1]


@table("header, persons", CASES)
def test_cookie_header(loot, header, persons):
    httpd = loot.httpd
    for path in ("/protected/show", "/optional/show"):
        answer = harmless(Client().get(httpd.url(path), {"Cookie": header(loot)}, follow=False))
        if answer.status == 200:
            who = seen(answer).get("KC_USER_NAME")
            assert who in persons or (who is None and path == "/optional/show")
        else:
            assert answer.status in (302, 400), answer.text
            assert answer.status == 400 or persons in (NOBODY, {"mallory"})


@table("headers", [
    ("two-lines", "Cookie: x=1\r\nCookie: kcauth={}\r\n"),
    ("two-lines-other-case", "cookie: kcauth=A\r\nCOOKIE: kcauth={}\r\n"),
    ("cookie2", "Cookie2: kcauth={}\r\n"),
    ("set-cookie", "Set-Cookie: kcauth={}\r\n"),
    ("underscore", "Coo_kie: kcauth={}\r\n"),
    ("folded", "Cookie: x=1;\r\n kcauth=AAAA{}\r\n"),
    ("blank-before-colon", "Cookie : kcauth={}\r\n"),
    ("line-feed-only", "X: 1\nCookie2: kcauth={}\n"),
    ("return-only", "X: 1\rCookie: kcauth={}\r\n"),
    ("query", "X-Cookie: kcauth={}\r\n"),
])
def test_cookie_lines(loot, headers):
    """None of these is a Cookie header with a session in it."""
    httpd = loot.httpd
    answer = harmless(Client().raw(httpd.url("/"), (
        f"GET /protected/ HTTP/1.1\r\nHost: localhost:{httpd.port}\r\nConnection: close\r\n"
        f"{headers.format(loot.mallory)}\r\n").encode()))
    assert answer.status in (302, 400)


@table("name", [(name, name) for name in ("kcauth_id", "kcauth_refresh", "kcauth_id_2",
                                          "kcauth_refresh_8", "kcauth_state_0", "kcauth_state_15",
                                          "kcauth_state_16", "kcauth_state_-1")])
@table("value", [
    ("session", lambda l: l.mallory),
    ("state", lambda l: l.state),
    ("id-token", lambda l: l.tokens.get("kcauth_id", "A")),
    ("foreign", lambda l: l.foreign[0]),
    ("empty", lambda l: ""),
    ("counter", lambda l: "8."),
    ("nonsense", lambda l: "A" * 3900),
])
@table("path", [("logout", "/oauth/logout"), ("renew", "/oauth/renew?next=/protected/"),
                ("callback", "/oauth/login/callback?code=a&state=0AAAA"),
                ("session", "/oauth/session")])
def test_cookies_of_the_endpoints(loot, name, value, path):
    """Each in the place of each other; the session cookie is nobody's."""
    httpd = loot.httpd
    header = f"{name}={value(loot)}; kcauth={loot.foreign[0]}"
    answer = harmless(Client().get(httpd.url(path), {"Cookie": header}, follow=False))
    assert answer.status in (302, 307, 400, 401)
    assert not [line for line in answer.set_cookies
                if line.startswith("kcauth=") and "Max-Age=0" not in line]
