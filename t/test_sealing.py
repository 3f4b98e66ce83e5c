"""What each way of keeping a session shows to whom, and whose session it is."""

import base64
import hashlib
import re

from support.client import Client
from support.expect import (ID_TOKEN, REFRESH_TOKEN, SESSION, let_in, logged_in, sent_to_login,
                            table)
from support.jose import b64, unb64
from support.site import PAGES, seen, settings
from test_renew import copy_of

KNOWN = ["alice", "Alice Adams", "alice@example.org", "admin"]
BEGINS = ["eyJhbGci", "eyJ0eXAi"]  # as JWTs do; three letters alone come about by chance


def text_in(value):
    """What can be read in a cookie or an entry: as it is, and decoded, from any of its characters."""
    data = value if isinstance(value, bytes) else value.encode()
    cleaned = re.sub(rb"[^A-Za-z0-9_-]", b"", data).replace(b"-", b"+").replace(b"_", b"/")
    decoded = [base64.b64decode(cleaned[at:][:(len(cleaned) - at) // 4 * 4]) for at in range(4)]
    return b"\n".join([data, *decoded])


def known_of(client, httpd, provider):
    """What must not be readable: the person, the session's name at Keycloak, all tokens."""
    sid = seen(client.get(httpd.url("/protected/show")))["KC_SID"]
    tokens = [secret for secret in provider.secrets if secret and secret.startswith("eyJ")]
    return [word.encode() for word in [*KNOWN, provider.users["alice"].sub, sid, *tokens,
                                       *BEGINS, *(token.split(".")[1] for token in tokens)]]


# Whose seal it is

ONE_SERVER = {"same": "", "other-key": f'KCAuthSessionKey "{"o" * 40}"',
              "other-name": 'KCAuthCookieName other', "other-kind": "KCAuthSession encrypted"}


def test_virtual_hosts_share_keys_only_where_all_is_the_same(new_httpd, new_provider):
    """The sealers of a host are those of one before it, if it would have made the same."""
    provider = new_provider(kinds=["ES256"])
    ports = ["PORT", *(f"PORT{number}" for number in range(2, len(ONE_SERVER) + 2))]
    hosts = "".join(f"<VirtualHost 127.0.0.1:${{{port}}}>\nServerName localhost\n{more}\n{PAGES}"
                    "</VirtualHost>\n" for port, more in zip(ports, ["", *ONE_SERVER.values()]))
    httpd = new_httpd("KCAuthSession signed\n" + hosts, provider=provider,
                      options={"ports": len(ports)})
    session, = logged_in(httpd).jar.named(SESSION)
    for port, name in zip(httpd.ports[1:], ONE_SERVER):
        url = httpd.url("/protected/", port=port)
        let_in(Client().login(url))
        shown = "other" if name == "other-name" else "kcauth"
        answer = Client().get(url, {"Cookie": f"{shown}={session.value}"}, follow=False)
        if name == "same":
            let_in(answer)
        else:
            sent_to_login(answer, provider)


# What can be read

def test_signed_cookie_is_readable(new_httpd, new_provider):
    """As it is meant to be; the tokens' cookies are not."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession="signed")
    client = logged_in(httpd)
    cookie, = client.jar.named(SESSION)
    assert all(word.encode() in text_in(cookie.value) for word in KNOWN)
    for cookie in client.jar.named(ID_TOKEN) + client.jar.named(REFRESH_TOKEN):
        assert not [word for word in known_of(client, httpd, provider)
                    if word in text_in(cookie.value)]


def test_encrypted_cookies_show_nothing(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession="encrypted")
    client = logged_in(httpd)
    assert len(client.jar.named("kcauth.*")) == 3
    for cookie in client.jar.named("kcauth.*"):
        assert not [word for word in known_of(client, httpd, provider)
                    if word in text_in(cookie.value)]


def test_encrypted_cookies_of_the_same_session_differ(new_httpd, new_provider, clock):
    """A new nonce each time."""
    httpd = new_httpd(provider=new_provider(kinds=["ES256"]), KCAuthSession="encrypted",
                      KCAuthSessionIdle=100, clock=clock)
    client = logged_in(httpd)
    values = {client.jar.named(SESSION)[0].value}
    for _ in range(2):
        clock.forward(70)
        client.get(httpd.url("/protected/"))
        values.add(client.jar.named(SESSION)[0].value)
    assert len(values) == 3
    starts = {value[:16] for value in values}
    assert len(starts) == 3


def test_store_shows_nothing_and_its_keys_are_hashes(new_httpd, new_provider, redis):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession="server",
                      KCAuthSessionStore=redis.directive, options={"modules": [redis.module]})
    client = logged_in(httpd)
    cookie, = client.jar.named("kcauth.*")
    assert re.fullmatch("[A-Za-z0-9_-]{43}", cookie.value)
    assert len(unb64(cookie.value)) == 32
    entries = redis.entries()
    hidden = known_of(client, httpd, provider)
    for key, value in entries.items():
        name = bytes.fromhex(key.partition(b":")[2].decode())
        for text in (text_in(name), text_in(value)):
            assert cookie.value.encode() not in text
            assert unb64(cookie.value) not in text
            assert not [word for word in hidden if word in text]
    names = {bytes.fromhex(key.partition(b":")[2].decode()).decode() for key in entries}
    for kind in ("record ", "tokens "):
        assert b64(hashlib.sha256((kind + cookie.value).encode()).digest()) in names


def test_what_the_store_holds_makes_no_cookie(new_httpd, new_provider, redis):
    """Who reads the store can use neither its keys nor its entries."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession="server",
                      KCAuthSessionStore=redis.directive, options={"modules": [redis.module]})
    logged_in(httpd)
    for key, value in redis.entries().items():
        name = bytes.fromhex(key.partition(b":")[2].decode()).decode()
        for forged in (name, key.decode(), value.decode()):
            answer = Client().get(httpd.url("/protected/"), {"Cookie": f"kcauth={forged}"},
                                  follow=False)
            assert answer.status in (302, 400)


def test_ids_are_random(new_site, kind):
    httpd, _ = new_site()
    values = [logged_in(httpd).jar.named(SESSION)[0].value for _ in range(8)]
    assert len(set(values)) == 8
    if kind == "server":
        bits = [unb64(value) for value in values]
        assert len({part for value in bits for part in (value[:8], value[8:16], value[16:24],
                                                        value[24:])}) == 32


# Whose session it is

@table("planted", [
    ("a-made-up-id", lambda _: "A" * 43),
    ("another-s-session", lambda httpd: logged_in(httpd).jar.named(SESSION)[0].value),
])
def test_planted_cookie_is_not_used_after_the_login(new_site, planted):
    httpd, provider = new_site()
    value = planted(httpd)
    provider.user = "bob"
    victim = Client()
    begun = victim.get(httpd.url("/protected/"), follow=False)
    callback = victim.get(begun.location, follow=False).location
    cookies = {"Cookie": f"{victim.jar.header(callback)}; kcauth={value}"}
    assert victim.request("GET", callback, cookies).status == 303
    let_in(victim.get(httpd.url("/protected/"), follow=False))
    assert victim.jar.named(SESSION)[0].value != value
    attacker = Client().get(httpd.url("/optional/show"), {"Cookie": f"kcauth={value}"})
    assert seen(attacker).get("REMOTE_USER") != "bob"


def test_planted_id_of_no_session_is_not_taken_over(new_site):
    httpd, provider = new_site()
    client = Client()
    header = {"Cookie": "kcauth=" + "B" * 43}
    sent_to_login(client.get(httpd.url("/protected/"), header, follow=False), provider)
    let_in(client.login(httpd.url("/protected/")))
    sent_to_login(Client().get(httpd.url("/protected/"), header, follow=False), provider)


def test_two_browsers_of_one_person_share_nothing(new_site):
    httpd, provider = new_site()
    one, two = logged_in(httpd), logged_in(httpd)
    sids = {seen(client.get(httpd.url("/protected/show")))["KC_SID"] for client in (one, two)}
    assert len(sids) == 2
    copy = copy_of(one)
    one.get(httpd.url("/oauth/logout"), follow=False)
    assert copy.fetch(httpd.url("/protected/")).status == 401
    let_in(two.get(httpd.url("/protected/"), follow=False))


def test_second_login_of_a_browser_has_a_new_id(new_site):
    httpd, provider = new_site()
    client = logged_in(httpd)
    first = client.jar.named(SESSION)[0].value
    client.get(httpd.url("/oauth/logout"))
    let_in(client.login(httpd.url("/protected/")))
    assert client.jar.named(SESSION)[0].value != first


@table("before, after", [(f"{a}-{b}", a, b) for a in ("signed", "encrypted", "server")
                         for b in ("signed", "encrypted", "server") if a != b])
def test_another_way_of_keeping_sessions_means_a_new_login(new_httpd, new_provider, before, after):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession=before)
    client = logged_in(httpd)
    httpd.configure(settings(provider, KCAuthSession=after) + PAGES)
    httpd.graceful()
    sent_to_login(copy_of(client).get(httpd.url("/protected/"), follow=False), provider)
    let_in(client.get(httpd.url("/protected/")))
    let_in(client.get(httpd.url("/protected/"), follow=False))


# Keys

def test_old_key_is_resealed_as_it_passes(new_site, kind):
    httpd, provider = new_site(KCAuthSessionKey="o" * 40)

    def use(*keys):
        httpd.configure(settings(provider, KCAuthSession=kind, KCAuthSessionKey=keys) + PAGES)
        httpd.graceful()

    client = logged_in(httpd)
    absent = copy_of(logged_in(httpd))
    use("n" * 40, "o" * 40)
    answer = let_in(client.get(httpd.url("/protected/"), follow=False))
    assert len(answer.set_cookies) == (0 if kind == "server" else 1)
    assert not let_in(client.get(httpd.url("/protected/"), follow=False)).set_cookies
    use("n" * 40)
    let_in(client.get(httpd.url("/protected/"), follow=False))
    sent_to_login(absent.get(httpd.url("/protected/"), follow=False), provider)


def test_old_key_opens_the_tokens_too(new_site, kind):
    httpd, provider = new_site(KCAuthSessionKey="o" * 40)
    client = logged_in(httpd)
    httpd.configure(settings(provider, KCAuthSession=kind, KCAuthRevalidate=1,
                             KCAuthSessionKey=["n" * 40, "o" * 40]) + PAGES
                    + '<Location "/staff">\nRequire kc-realm-role staff\n</Location>\n')
    httpd.graceful()
    let_in(client.get(httpd.url("/protected/")))
    assert provider.count("token") == 2 and provider.count("authorization") == 1
    answer = client.get(httpd.url("/oauth/logout"), follow=False)
    assert "id_token_hint" in answer.query
