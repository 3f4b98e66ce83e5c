"""The session: sealed, bounded, split when big, over when it is time."""

import pytest

from support.client import Client
from support.expect import SESSION, let_in, logged_in, refused, sent_to_login, table
from support.provider import User
from support.site import MARKER, PAGES, seen


def try_cookie(httpd, value, name="kcauth"):
    return Client().get(httpd.url("/protected/"), {"Cookie": f"{name}={value}"}, follow=False)


@pytest.fixture
def cookie(httpd, client):
    client.login(httpd.url("/protected/"))
    session, = client.jar.named(SESSION)
    return session


# Forgery

def test_every_character_counts(httpd, provider, cookie):
    """Each one changed to two others: the whole text is authenticated."""
    let_in(try_cookie(httpd, cookie.value))
    for at, character in enumerate(cookie.value):
        for other in {"A", "_"} - {character}:
            forged = cookie.value[:at] + other + cookie.value[at + 1:]
            answer = try_cookie(httpd, forged)
            assert answer.status == 302, f"character {at} of {len(cookie.value)}"
            assert MARKER not in answer.text


@table("change", [
    ("cut-by-one", lambda value: value[:-1]),
    ("cut-by-four", lambda value: value[:-4]),
    ("cut-in-half", lambda value: value[:len(value) // 2]),
    ("one-character", lambda value: value[:1]),
    ("front-gone", lambda value: value[1:]),
    ("longer", lambda value: value + "A"),
    ("longer-by-a-block", lambda value: value + "AAAA"),
    ("doubled", lambda value: value + value),
    ("padding", lambda value: value + "="),
    ("reversed", lambda value: value[::-1]),
    ("lower-case", str.lower),
    ("blank-inside", lambda value: value[:9] + " " + value[9:]),
    ("standard-base64", lambda value: "+/" + value[2:]),
    ("parts-of-one", lambda value: "1." + value),
    ("parts-of-two", lambda value: "2." + value),
    ("parts-of-nine", lambda value: "9." + value),
    ("parts-of-letters", lambda value: "x." + value),
])
def test_changed_cookie(httpd, provider, cookie, change):
    sent_to_login(try_cookie(httpd, change(cookie.value)), provider)


def test_quoted_cookie_is_not_taken(httpd, provider, cookie):
    sent_to_login(try_cookie(httpd, f'"{cookie.value}"'), provider)


def test_forged_cookie_beside_the_good_one_changes_nothing(httpd, cookie):
    both = f"other=1; kcauth={cookie.value}; kcauth_2=AAAA; kcauth_3=" + "B" * 3000
    let_in(Client().get(httpd.url("/protected/"), {"Cookie": both}, follow=False))


@table("name", [(name, name) for name in ("KCAUTH", "kcauth_1", "kcauth_2", "xkcauth", "kcaut",
                                          "__Host-kcauth", "__Secure-kcauth", "kcauth_id")])
def test_cookie_under_another_name(httpd, provider, cookie, name):
    sent_to_login(try_cookie(httpd, cookie.value, name), provider)


@table("directives", [
    ("of-another-client", {"client_id": "other"}),
    ("of-another-cookie-name", {"KCAuthCookieName": "who"}),
    ("of-another-key", {"KCAuthSessionKey": "k" * 40}),
])
def test_cookie_of_another_site(new_httpd, new_provider, directives):
    """Same key, same provider, another client or cookie name; or another key."""
    key = {"KCAuthSessionKey": "0123456789abcdef0123456789abcdef"}
    provider = new_provider(kinds=["ES256"])
    here = new_httpd(provider=provider, **key)
    session, = logged_in(here).jar.named(SESSION)
    there = {**key, **directives}
    provider.client_id = there.pop("client_id", provider.client_id)
    other = new_httpd(provider=provider, **there)
    name = there.get("KCAuthCookieName", "kcauth")
    sent_to_login(try_cookie(other, session.value, name), provider)


@pytest.mark.in_cookies("two servers need a shared store: test_cluster.py")
def test_same_key_on_two_servers(new_httpd, new_provider):
    key = {"KCAuthSessionKey": "0123456789abcdef0123456789abcdef"}
    provider = new_provider(kinds=["ES256"])
    one, two = (new_httpd(provider=provider, **key) for _ in range(2))
    session, = logged_in(one).jar.named(SESSION)
    let_in(try_cookie(two, session.value))


@pytest.mark.in_cookies("the three servers share no store: test_sealing.py")
def test_old_keys_open_the_first_seals(new_httpd, new_provider):
    old, new = "o" * 40, "n" * 40
    provider = new_provider(kinds=["ES256"])
    before = new_httpd(provider=provider, KCAuthSessionKey=old)
    both = new_httpd(provider=provider, KCAuthSessionKey=[new, old])
    after = new_httpd(provider=provider, KCAuthSessionKey=new)
    session, = logged_in(before).jar.named(SESSION)
    let_in(try_cookie(both, session.value))
    sent_to_login(try_cookie(after, session.value), provider)
    session, = logged_in(both).jar.named(SESSION)
    let_in(try_cookie(after, session.value))


# The key that is made on first start

@pytest.mark.in_cookies("the default store does not outlive httpd: test_revocation.py")
def test_sessions_survive_graceful_and_full_restarts(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider)
    client = logged_in(httpd)
    httpd.graceful()
    let_in(client.get(httpd.url("/protected/"), follow=False))
    httpd.restart()
    let_in(client.get(httpd.url("/protected/"), follow=False))


def test_key_file_is_for_its_owner_only(new_httpd, new_provider):
    httpd = new_httpd(provider=new_provider(kinds=["ES256"]))
    files = [path for path in (httpd.root / "kcauth").rglob("*") if path.is_file()]
    assert files
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in files)


# Ends

def test_idle_limit(new_httpd, new_provider, clock):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSessionIdle=60, clock=clock)
    client = logged_in(httpd)
    clock.forward(61)
    sent_to_login(client.get(httpd.url("/protected/"), follow=False), provider)


def test_use_puts_the_idle_limit_off(new_httpd, new_provider, clock):
    httpd = new_httpd(provider=new_provider(kinds=["ES256"]), KCAuthSessionIdle=60, clock=clock)
    client = logged_in(httpd)
    for _ in range(4):
        clock.forward(40)
        let_in(client.get(httpd.url("/protected/"), follow=False))


def test_absolute_limit(new_httpd, new_provider, clock):
    """Use does not put it off."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSessionMax=120, clock=clock)
    client = logged_in(httpd)
    for _ in range(3):
        let_in(client.get(httpd.url("/protected/"), follow=False))
        clock.forward(35)
    clock.forward(15)
    sent_to_login(client.get(httpd.url("/protected/"), follow=False), provider)


def test_cookie_kept_from_before_is_over_too(new_httpd, new_provider, clock):
    """The limits are in the record, not in the browser."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSessionMax=60, clock=clock)
    session, = logged_in(httpd).jar.named(SESSION)
    clock.forward(61)
    sent_to_login(try_cookie(httpd, session.value), provider)


def test_cookie_is_not_rewritten_at_each_request(httpd, client):
    client.login(httpd.url("/protected/"))
    for _ in range(5):
        assert not client.get(httpd.url("/protected/")).set_cookies


def test_every_login_has_a_session_of_its_own(httpd):
    one, two = (logged_in(httpd).jar.named(SESSION)[0].value for _ in range(2))
    assert one != two


# Size

def crowd(count, length=19):
    return User("alice", client_roles={"webapp": ["admin"] + [
        f"role-{number:0{length - 5}}" for number in range(count - 1)]})


@table("count, parts", [("one", 1, 1), ("fifty", 50, 1), ("three-hundred", 300, 3)])
def test_many_roles(httpd, provider, client, count, parts):
    provider.users["alice"] = crowd(count)
    let_in(client.login(httpd.url("/admin/")))
    cookies = client.jar.named(SESSION)
    assert len(cookies) <= parts
    assert all(len(cookie.name) + len(cookie.value) <= 4096 for cookie in cookies)
    env = seen(client.get(httpd.url("/protected/show")))
    assert len(env["KC_ROLES"].split(",")) == count


@pytest.mark.in_cookies("nothing is split")
def test_part_of_a_split_session_is_missing_or_changed(httpd, provider, client):
    provider.users["alice"] = crowd(300)
    client.login(httpd.url("/admin/"))
    whole = {cookie.name: cookie.value for cookie in client.jar.named(SESSION)}
    assert len(whole) > 1
    for name in whole:
        for value in (None, "", whole[name][:-1], whole[name][::-1], whole["kcauth"]):
            parts = {**whole, name: value}
            if parts == whole:
                continue
            header = "; ".join(f"{key}={item}" for key, item in parts.items() if item is not None)
            answer = Client().get(httpd.url("/protected/"), {"Cookie": header}, follow=False)
            assert answer.status == 302, name
            assert MARKER not in answer.text


@pytest.mark.in_cookies("nothing is split")
def test_parts_of_two_sessions_do_not_mix(httpd, provider):
    provider.users["alice"] = crowd(300)
    one, two = ({cookie.name: cookie.value for cookie in logged_in(httpd).jar.named(SESSION)}
                for _ in range(2))
    mixed = {**one, "kcauth": two["kcauth"]}
    header = "; ".join(f"{name}={value}" for name, value in mixed.items())
    answer = Client().get(httpd.url("/protected/"), {"Cookie": header}, follow=False)
    sent_to_login(answer, provider)


@pytest.mark.in_cookies("nothing is split")
def test_smaller_session_leaves_no_old_parts(httpd, provider, client):
    provider.users["alice"] = crowd(300)
    client.login(httpd.url("/protected/"))
    assert len(client.jar.named(SESSION)) > 1
    for cookie in client.jar.named("kcauth"):
        cookie.value = "gone"
    provider.tell_the_truth()
    let_in(client.login(httpd.url("/admin/")))
    assert len(client.jar.named(SESSION)) == 1


@pytest.mark.in_cookies("nothing is too big")
def test_session_too_big_for_cookies_ends_with_a_clear_error(httpd, provider, client):
    provider.users["alice"] = crowd(2000)
    answer = client.login(httpd.url("/protected/"))
    refused(answer, httpd, 503, "KC0705")
    assert not client.jar.named(SESSION)
    provider.tell_the_truth()
    let_in(client.login(httpd.url("/protected/")))


def test_roles_of_other_clients_do_not_swell_the_cookie(httpd, provider, client):
    others = {f"client-{number}": [f"role-{n}" for n in range(20)] for number in range(20)}
    provider.users["alice"] = User("alice", client_roles={"webapp": ["admin"], **others},
                                   realm_roles=[f"realm-{n}" for n in range(100)])
    let_in(client.login(httpd.url("/admin/")))
    cookie, = client.jar.named(SESSION)
    assert len(cookie.value) < 600


def test_configuration_that_asks_for_more_renews_the_session_silently(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider)
    client = logged_in(httpd)
    httpd.configure(_with(provider, '<Location "/staff">\nAuthType Keycloak\n'
                          'Require kc-realm-role staff\n</Location>\n'))
    httpd.write("staff/index.html", MARKER)
    httpd.graceful()
    let_in(client.get(httpd.url("/staff/")))
    assert provider.count("token") == 2


def _with(provider, more):
    from support.site import settings
    return settings(provider) + PAGES + more


def test_too_many_cookies_are_a_plain_refusal(httpd):
    """What the server cannot read is refused before anybody looks at it."""
    header = "; ".join(f"kcauth_{n}=" + "A" * 4000 for n in range(2, 20))
    answer = Client().get(httpd.url("/protected/"), {"Cookie": header}, follow=False)
    assert answer.status in (302, 400, 431)
    assert MARKER not in answer.text
