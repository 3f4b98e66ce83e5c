"""A real Keycloak ends sessions, by all that an admin or a person can do there: how long access
lasts after the act. The table that this prints is the one of docs/operations.md."""

import time
import urllib.parse

import pytest

from support.client import Client
from support.expect import SESSION, let_in, table
from support.person import Person
from support.site import PAGES, seen
from test_renew import copy_of, let_pass

pytest_plugins = ["support.real"]
pytestmark = pytest.mark.keycloak

REVALIDATE = 3
NOTICE = 1             # seconds from a notice to the end
RENEWAL = REVALIDATE + 1  # and where Keycloak sends none; times are counted by whole seconds

# Keycloak keeps its connections, and httpd would wait for it when it stops.
NO_KEEPALIVE = 'SetEnvIf Request_URI "^/oauth/(backchannel|k_)" nokeepalive\n'

measured = {}  # act -> {kind: seconds}


@pytest.fixture(scope="module", autouse=True)
def report(request):
    yield
    kinds = ["signed", "encrypted", "server"]
    lines = ["", "| What happens at Keycloak | " + " | ".join(kinds) + " |", "|---|---|---|---|"]
    lines += [f"| {act} | " + " | ".join(f"{told[kind]:.2f}" if kind in told else "" for kind in
                                         kinds) + " |" for act, told in measured.items()]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n".join(lines))


class Site:
    def __init__(self, realm, httpd):
        self.realm = realm
        self.httpd = httpd

    def log_in(self, name="alice"):
        person = Person(name)
        let_in(person.login(self.httpd.url("/protected/")))
        return person

    def sid(self, person):
        return self._env(person)["KC_SID"]

    def roles(self, person):
        return self._env(person).get("KC_ROLES", "")

    def _env(self, person):
        return seen(person.fetch(self.httpd.url("/protected/show"), follow=True))

    def has_access(self, person):
        """A script's question: it starts no login that would hide the end."""
        answer = person.fetch(self.httpd.url("/protected/"), follow=True)
        assert answer.status in (200, 401), answer.text
        return answer.status == 200


@pytest.fixture
def site(realm, new_httpd, kind):
    """Keycloak knows both of our addresses for notices."""
    httpd = new_httpd(NO_KEEPALIVE + PAGES, provider=realm, KCAuthSession=kind, KCAuthRevalidate=REVALIDATE)
    realm.change_client({"backchannel.logout.url": httpd.url("/oauth/backchannel-logout"),
                         "backchannel.logout.session.required": "true"},
                        adminUrl=httpd.url("/oauth"))
    return Site(realm, httpd)


def seconds_until(gone, limit, act):
    """(seconds from the act, seconds from when Keycloak had done it) until access is gone."""
    begin = time.monotonic()
    act()
    done = time.monotonic()
    while not gone():
        assert time.monotonic() - done < limit + 2, "access does not end"
        time.sleep(0.05)
    end = time.monotonic()
    return end - begin, end - done


def ends(site, kind, name, person, act, limit):
    """The act ends the person's session in time, and a copy of it; nobody gets it back."""
    copy = copy_of(person)
    since_act, since_done = seconds_until(lambda: not site.has_access(person), limit, act)
    measured.setdefault(name, {})[kind] = since_act
    assert since_done <= limit
    assert not site.has_access(copy)
    return since_act


# With a notice

@table("address", [("by-the-back-channel", "back-channel"), ("by-the-admin-url", "Admin URL")])
def test_admin_ends_one_session(site, kind, address):
    if address == "Admin URL":
        site.realm.change_client({"backchannel.logout.url": ""})
    person, other = site.log_in(), site.log_in()
    sid = site.sid(person)
    ends(site, kind, f"an admin ends one session ({address})", person,
         lambda: site.realm.delete(f"/sessions/{sid}"), NOTICE)
    assert site.has_access(other)


@pytest.mark.parametrize("kind", ["signed"])
def test_notice_without_a_session_ends_all_of_the_person(site):
    """The client's "Backchannel logout session required" is off: Keycloak leaves the sid out."""
    site.realm.change_client({"backchannel.logout.session.required": "false"})
    person, other, bob = site.log_in(), site.log_in(), site.log_in("bob")
    sid = site.sid(person)
    _, since_done = seconds_until(lambda: not site.has_access(person), NOTICE,
                                  lambda: site.realm.delete(f"/sessions/{sid}"))
    assert since_done <= NOTICE
    assert not site.has_access(other) and site.has_access(bob)


def test_admin_signs_one_person_out(site, kind):
    person, bob = site.log_in(), site.log_in("bob")
    user = site.realm.user_id("alice")
    ends(site, kind, "an admin signs one person out", person,
         lambda: site.realm.post(f"/users/{user}/logout"), NOTICE)
    assert site.has_access(bob)


def test_sign_out_of_all_sessions(site, kind):
    person, bob = site.log_in(), site.log_in("bob")
    ends(site, kind, "sign out of all sessions of the realm", person,
         lambda: site.realm.post("/logout-all"), NOTICE)
    assert not site.has_access(bob)
    let_pass(1)  # what Keycloak itself began in that second is stale to it
    assert site.has_access(site.log_in())


def test_push_of_not_before(site, kind):
    person = site.log_in()
    let_pass(1)

    def push():
        site.realm.set(notBefore=int(time.time()))
        site.realm.post("/push-revocation")

    ends(site, kind, "Revocation: set to now, push", person, push, NOTICE)


def test_logout_at_another_client(site, kind, new_httpd):
    other = new_httpd(provider=site.realm.new_client("other"))
    person = site.log_in()
    let_in(person.get(other.url("/protected/")))
    ends(site, kind, "logout at another client of the realm", person,
         lambda: person.get(other.url("/oauth/logout")), NOTICE)


def test_logout_here(site, kind):
    person = site.log_in()
    copy = copy_of(person)
    ends(site, kind, "logout here", copy, lambda: person.get(site.httpd.url("/oauth/logout")),
         NOTICE)
    assert not person.jar.named(SESSION)


def test_person_changes_the_password_and_logs_out_other_sessions(site, kind):
    person, changing = site.log_in(), site.log_in()
    query = urllib.parse.urlencode({
        "client_id": site.realm.client_id, "response_type": "code", "scope": "openid",
        "redirect_uri": site.httpd.url("/oauth/login/callback"), "state": "s",
        "code_challenge": "c" * 43, "code_challenge_method": "S256",
        "kc_action": "UPDATE_PASSWORD"})
    page = changing.get(f"{site.realm.url('auth')}?{query}")
    fields = {"password-new": "new", "password-confirm": "new", "logout-sessions": "on"}
    ends(site, kind, 'a person changes the password, with "sign out from other devices"', person,
         lambda: changing.answer_form(page, **fields, follow=False), NOTICE)
    assert site.has_access(changing)


# Without one

def test_user_is_disabled(site, kind):
    person, bob = site.log_in(), site.log_in("bob")
    user = site.realm.user_id("alice")
    ends(site, kind, "a person is disabled", person,
         lambda: site.realm.put(f"/users/{user}", {"enabled": False}), RENEWAL)
    assert site.has_access(bob)


def test_user_is_deleted(site, kind):
    person = site.log_in()
    user = site.realm.user_id("alice")
    ends(site, kind, "a person is deleted", person,
         lambda: site.realm.delete(f"/users/{user}"), RENEWAL)


def test_role_is_removed_and_given_back(site, kind):
    person = site.log_in()
    client = site.realm.client()["id"]
    role = site.realm.get(f"/clients/{client}/roles/admin")
    path = f"/users/{site.realm.user_id('alice')}/role-mappings/clients/{client}"
    assert site.roles(person) == "admin"
    since_act, since_done = seconds_until(lambda: site.roles(person) == "", RENEWAL,
                                          lambda: site.realm.delete(path, [role]))
    measured.setdefault("a role is taken", {})[kind] = since_act
    assert since_done <= RENEWAL
    site.realm.post(path, [role])
    let_pass(REVALIDATE)
    assert site.roles(person) == "admin"


def test_session_at_keycloak_is_idle_for_too_long(site, kind):
    """A renewal is a use: who works here stays logged in there."""
    site.realm.set(ssoSessionIdleTimeout=REVALIDATE + 3)
    person = site.log_in()
    begin = time.monotonic()
    while time.monotonic() - begin < 3 * REVALIDATE + 2:
        assert site.has_access(person)
        time.sleep(0.3)
    assert len(site.realm.sessions("alice")) == 1


# Turns

def test_notice_that_is_lost_is_made_up_for(site, kind):
    """As when httpd cannot be reached from Keycloak."""
    site.realm.change_client({"backchannel.logout.url": "http://localhost:1/"}, adminUrl="")
    person = site.log_in()
    user = site.realm.user_id("alice")
    ends(site, kind, "the notice is lost", person,
         lambda: site.realm.post(f"/users/{user}/logout"), RENEWAL)


def test_rotation_of_refresh_tokens(realm, new_httpd, kind):
    """The realm's "Revoke Refresh Token": a token that is used twice ends the session."""
    realm.set(revokeRefreshToken=True, refreshTokenMaxReuse=0)
    site = Site(realm, new_httpd(provider=realm, KCAuthSession=kind, KCAuthRevalidate=1))
    person = site.log_in()
    for _ in range(4):
        let_pass(1)
        copies = [copy_of(person) for _ in range(6)]
        assert all(site.has_access(one) for one in [person, *copies])
    assert site.realm.sessions("alice")


def test_client_without_refresh_tokens(realm, new_httpd, kind):
    realm.change_client({"use.refresh.tokens": "false"})
    site = Site(realm, new_httpd(provider=realm, KCAuthSession=kind, KCAuthRevalidate=1))
    person = site.log_in()
    let_pass(1)
    let_in(person.get(site.httpd.url("/protected/?x=1")))
    realm.post(f"/users/{realm.user_id('alice')}/logout")
    let_pass(1)
    page = person.get(site.httpd.url("/protected/?x=1"))
    assert let_in(person.answer_form(page)).url == site.httpd.url("/protected/?x=1")


@pytest.mark.parametrize("kind", ["signed"])
def test_admin_console_counts_no_failed_request(site):
    """What "Push" and "Sign out all" show to the admin."""
    site.log_in()
    for act in ("/push-revocation", "/logout-all"):
        if act == "/push-revocation":
            site.realm.set(notBefore=int(time.time()) - 5)
        result = site.realm.post(act)
        assert result == {"successRequests": [site.httpd.url("/oauth")]}
    assert len(site.httpd.log.lines("KC0967: ")) == 2
    assert not site.httpd.log.lines(r"\[kcauth:(warn|error)\]")


@pytest.mark.parametrize("kind", ["signed"])
def test_strangers_notice_is_not_believed(site):
    person = site.log_in()
    other = site.realm.keycloak.new_realm(site.realm.name + "Other")
    other.new_key("RS256")  # as the first keys of our realms are the same
    other.change_client({"backchannel.logout.url": site.httpd.url("/oauth/backchannel-logout")},
                        adminUrl=site.httpd.url("/oauth"))
    other.post("/logout-all")
    site.httpd.log.wait_for("KC0941: ")
    assert site.has_access(person)
    assert Client().fetch(site.httpd.url("/protected/")).status == 401
