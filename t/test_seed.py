"""The tutorial that this module descends from, row by row, on a real Keycloak with the demo's realm:
how Keycloak is set up, the login, the routes, the session, and where the tutorial breaks."""

import base64
import json

import pytest

from support.client import Client
from support.expect import ID_TOKEN, SESSION, STATE, let_in, refused, table
from support.person import Person, at_login_form
from support.site import PAGES, seen
from support.wait import until

pytest_plugins = ["support.real"]
pytestmark = pytest.mark.keycloak

CALLBACK = "/oauth/login/callback"


# Setting up Keycloak


def test_setup_create_a_realm(keycloak, demo_realm):
    status, _, answer = keycloak.http("GET", "/realms/LearningSoftware/.well-known/"
                                             "openid-configuration")
    assert status == 200
    assert json.loads(answer)["issuer"] == demo_realm.issuer


def test_setup_register_a_confidential_client(demo, demo_realm):
    client = demo_realm.client("webapp")
    assert not client["publicClient"]
    assert client["secret"] == "webapp-demo-secret"
    assert client["redirectUris"] == [demo.url(CALLBACK)]
    assert client["attributes"]["post.logout.redirect.uris"].split("##") == [
        demo.url("/"), demo.url("/logged-out.html")]
    assert client["frontchannelLogout"] is False


def test_setup_create_client_roles(demo_realm):
    client = demo_realm.client()["id"]
    roles = {role["name"] for role in demo_realm.get(f"/clients/{client}/roles")}
    assert {"admin", "editor"} <= roles


@table("places", [
    ("mapper off", {}),
    ("in the ID token", {"id__token__claim": "true"}),
    ("in userinfo", {"userinfo__token__claim": "true"}),
    ("in both", {"id__token__claim": "true", "userinfo__token__claim": "true"}),
    ("in the ID token only", {"id__token__claim": "true", "access__token__claim": "false"}),
])
def test_setup_mapper_of_client_roles_is_not_needed(realm, new_httpd, places):
    realm.change_mapper("roles", "client roles", **places)
    httpd = new_httpd(provider=realm)
    let_in(Person("alice").login(httpd.url("/admin/")))
    refused(Person("bob").login(httpd.url("/admin/")), httpd, 401, "KC08..")


def test_setup_roles_in_userinfo_alone_are_found_there(realm, new_httpd):
    realm.change_mapper("roles", "client roles", access__token__claim="false",
                        userinfo__token__claim="true")
    httpd = new_httpd(provider=realm, KCAuthUserInfo="on")
    let_in(Person("alice").login(httpd.url("/admin/")))


@pytest.mark.parametrize("name", ["alice", "bob", "carol", "dave"])
def test_setup_users_with_their_passwords_log_in(demo, name):
    answer = Person(name).login(demo.url("/profile"))
    assert answer.status == 200
    assert answer.url == demo.url("/profile")
    assert "Your profile" in answer.text


@table("name, roles", [("alice", "alice", "admin"), ("bob", "bob", "editor"),
                       ("carol", "carol", None), ("dave", "dave", None)])
def test_setup_roles_of_the_users(realm, new_httpd, name, roles):
    httpd = new_httpd(provider=realm)
    assert seen(Person(name).login(httpd.url("/protected/show"))).get("KC_ROLES") == roles


@table("tail", [("the realm's URL", ""), ("with a slash", "/"),
                ("the discovery URL", "/.well-known/openid-configuration")])
def test_setup_discovery_url(realm, new_httpd, tail):
    httpd = new_httpd(provider=realm, KCAuthDiscoveryURL=realm.issuer + tail)
    let_in(Person("alice").login(httpd.url("/protected/")))


def test_setup_client_id_and_secret_in_directives(realm, new_httpd, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text(realm.secret + "\n")
    httpd = new_httpd(provider=realm, KCAuthClientSecret=f"file:{secret}")
    let_in(Person("alice").login(httpd.url("/protected/")))


def test_setup_client_id_and_secret_in_keycloak_json(realm, new_httpd, tmp_path):
    """The file is what the console offers for download."""
    client = realm.client()["id"]
    offered = realm.get(f"/clients/{client}/installation/providers/keycloak-oidc-keycloak-json")
    file = tmp_path / "keycloak.json"
    file.write_text(json.dumps(offered))
    httpd = new_httpd(provider=realm, KCAuthDiscoveryURL=None, KCAuthClientID=None,
                      KCAuthClientSecret=None, KCAuthKeycloakJSON=file)
    let_in(Person("alice").login(httpd.url("/admin/")))


# The login


def test_login_1_redirects_to_keycloaks_authorization_page(demo, demo_realm):
    answer = Client().get(demo.url("/oauth/login"), follow=False)
    assert answer.status == 302
    assert answer.location.startswith(demo_realm.url("auth") + "?")
    asked = answer.query
    assert asked["response_type"] == "code"
    assert asked["client_id"] == "webapp"
    assert asked["redirect_uri"] == demo.url(CALLBACK)
    assert asked["state"] and asked["nonce"]


def test_login_1_asks_for_the_tutorials_scope(demo):
    asked = Client().get(demo.url("/oauth/login"), follow=False).query
    assert asked["scope"] == "openid profile email roles"


def test_login_1_uses_pkce(demo, demo_realm):
    """The realm demands it, so a login that goes through proves the verifier too."""
    asked = Client().get(demo.url("/oauth/login"), follow=False).query
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["code_challenge"]) == 43
    assert demo_realm.client()["attributes"]["pkce.code.challenge.method"] == "S256"
    assert Person("alice").login(demo.url("/profile")).status == 200


def test_login_2_keycloak_redirects_to_the_callback_with_a_code(demo):
    answer = Person("alice").login(demo.url("/profile"))
    callback = [step for step in answer.history if step.url.startswith(demo.url(CALLBACK) + "?")]
    assert len(callback) == 1
    assert "code=" in callback[0].url


def test_login_3_code_and_client_secret_get_the_tokens_in_one_call(realm, new_httpd):
    realm.keep_events()
    httpd = new_httpd(provider=realm)
    let_in(Person("alice").login(httpd.url("/protected/")))
    events = realm.events("CODE_TO_TOKEN")
    assert [event["clientId"] for event in events] == ["webapp"]
    assert events[0]["details"]["client_auth_method"] == "client-secret"
    assert realm.events("CODE_TO_TOKEN_ERROR") == []
    assert realm.events("USER_INFO_REQUEST") == []


def test_login_3_a_wrong_secret_gets_nothing(realm, new_httpd):
    httpd = new_httpd(provider=realm, KCAuthClientSecret="wrong")
    person = Person("alice")
    refused(person.login(httpd.url("/protected/")), httpd, 502, "KC06..")
    assert not person.jar.named(SESSION)


def test_login_4_who_the_person_is_and_the_roles_are_kept_in_a_cookie(demo):
    person = Person("alice")
    person.login(demo.url("/profile"))
    assert len(person.jar.named(SESSION)) == 1
    later = person.get(demo.url("/profile"), follow=False)
    assert later.status == 200
    assert "Alice Adams" in later.text
    assert "admin" in later.text


def test_login_5_the_access_token_calls_an_api_for_that_person(realm, new_httpd):
    """Keycloak's userinfo is one; it answers for whom the token was made."""
    realm.keep_events()
    httpd = new_httpd(provider=realm, KCAuthUserInfo="on")
    let_in(Person("bob").login(httpd.url("/protected/")))
    assert [event["userId"] for event in realm.events("USER_INFO_REQUEST")] == [
        realm.user_id("bob")]


# Routes


def test_route_home_without_a_session(demo):
    answer = Client().get(demo.url("/"), follow=False)
    assert answer.status == 200
    assert 'href="/oauth/login"' in answer.text
    assert "Hi," not in answer.text


@table("name, called", [("alice", "alice", "Alice Adams"), ("dave has no names", "dave", "dave")])
def test_route_home_with_a_session(demo, name, called):
    person = Person(name)
    answer = person.login(demo.url("/oauth/login"))
    assert answer.url == demo.url("/")
    assert f"Hi, {called}!" in answer.text
    for link in ("/profile", "/admin", "/oauth/logout"):
        assert f'href="{link}"' in answer.text


@table("name, shown", [
    ("alice", "alice", ["Alice Adams", "alice@example.org", "admin"]),
    ("bob", "bob", ["Bob Brown", "bob@example.org", "editor"]),
    ("dave", "dave", ["dave", "none"]),
])
def test_route_profile(demo, demo_realm, name, shown):
    answer = Person(name).login(demo.url("/profile"))
    assert answer.status == 200
    for text in [*shown, demo_realm.user_id(name)]:
        assert text in answer.text, answer.text
    assert "(none)" not in answer.text  # what mod_include writes for a variable that is not set


def test_route_admin_for_its_role(demo):
    answer = Person("alice").login(demo.url("/admin"))
    assert answer.status == 200
    assert "Administration" in answer.text


@pytest.mark.parametrize("name", ["bob", "carol", "dave"])
def test_route_admin_for_nobody_else(demo, name):
    answer = Person(name).login(demo.url("/admin"))
    assert answer.status == 401
    assert "Administration" not in answer.text


def test_route_login_when_logged_in_goes_straight_to_the_target(demo):
    person = Person("alice")
    person.login(demo.url("/profile"))
    assert person.get(demo.url("/oauth/login"), follow=False).location == demo.url("/")
    answer = person.get(demo.url("/oauth/login?next=%2Fadmin%3Fx%3D1"), follow=False)
    assert answer.location == demo.url("/admin?x=1")


@table("target, lands", [
    ("a local path", "%2Fprofile", "/profile"),
    ("nothing", "", "/"),
    ("another origin", "http%3A%2F%2Fevil.example%2F", "/"),
    ("another host", "%2F%2Fevil.example%2F", "/"),
    ("a backslash", "%2F%5Cevil.example", "/"),
])
def test_route_login_honours_next(demo, target, lands):
    answer = Person("alice").login(demo.url(f"/oauth/login?next={target}"))
    assert answer.url == demo.url(lands)
    assert answer.status == 200


def test_route_callback_makes_the_session_and_leads_to_the_page_first_asked_for(demo):
    person = Person("alice")
    answer = person.login(demo.url("/profile?tab=2"))
    assert answer.url == demo.url("/profile?tab=2")
    assert answer.status == 200
    assert person.jar.named(SESSION)
    assert not person.jar.named(STATE)


def test_route_logout_ends_both_sessions_without_a_question(realm, new_httpd):
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    let_in(person.login(httpd.url("/protected/")))
    assert len(realm.sessions("alice")) == 1
    answer = person.get(httpd.url("/oauth/logout"))
    to_keycloak = answer.history[0].location
    assert to_keycloak.startswith(realm.url("logout") + "?")
    asked = answer.history[0].query
    assert asked["id_token_hint"].count(".") == 2
    assert asked["post_logout_redirect_uri"] == httpd.url("/")
    assert asked["client_id"] == "webapp"
    assert [step.status for step in answer.history] == [302, 302]
    assert answer.url.split("?")[0] == httpd.url("/")
    assert not person.jar.named(SESSION) and not person.jar.named(ID_TOKEN)
    assert realm.sessions("alice") == []
    assert at_login_form(person.get(httpd.url("/protected/")))


def test_route_logout_ends_on_the_page_that_says_so(demo):
    person = Person("alice")
    person.login(demo.url("/profile"))
    answer = person.get(demo.url("/oauth/logout"))
    assert answer.url.split("?")[0] == demo.url("/logged-out.html")
    assert "You are logged out" in answer.text


def test_route_logout_without_a_session_goes_home(realm, new_httpd):
    httpd = new_httpd(provider=realm)
    answer = Client().get(httpd.url("/oauth/logout"), follow=False)
    assert answer.status == 302
    assert answer.location == httpd.url("/")


def test_route_protected_page_redirects_a_navigation(demo, demo_realm):
    answer = Client().get(demo.url("/profile"), follow=False)
    assert answer.status == 302
    assert answer.location.startswith(demo_realm.url("auth") + "?")


def test_route_protected_page_answers_a_script_with_json(demo):
    client = Client()
    answer = client.fetch(demo.url("/profile"))
    assert answer.status == 401
    assert answer.headers["Content-Type"].startswith("application/json")
    told = json.loads(answer.text)
    assert told["error"] == "login_required"
    assert told["login"].startswith(demo.url("/oauth/login"))
    assert told["login"] in answer.headers["WWW-Authenticate"]
    assert not answer.set_cookies


def test_route_role_missing_is_401_and_says_which(demo):
    answer = Person("bob").login(demo.url("/admin"))
    assert answer.status == 401
    assert "This page is not for you" in answer.text
    assert "<strong>admin</strong>" in answer.text
    line = demo.log.wait_for(r"KC08\d\d")
    assert "bob" in line and "admin" in line and "editor" in line


def test_route_role_missing_is_403_where_httpd_is_told_so(realm, new_httpd):
    httpd = new_httpd(PAGES.replace(
        "Require kc-role admin", "Require kc-role admin\n    AuthzSendForbiddenOnFailure On"),
        provider=realm)
    answer = refused(Person("bob").login(httpd.url("/admin/")), httpd, 403, "KC08..")
    assert "admin" in answer.text


@table("require, names", [
    ("either of one line", "Require kc-role admin editor", {"alice", "bob"}),
    ("all of RequireAll", """<RequireAll>
        Require kc-role admin
        Require kc-role editor
    </RequireAll>""", {"dave"}),
])
def test_route_several_roles(realm, new_httpd, require, names):
    """dave holds both roles here."""
    realm.give("dave", "admin")
    realm.give("dave", "editor")
    httpd = new_httpd(PAGES.replace("Require kc-role admin", require), provider=realm)
    allowed = {name for name in ("alice", "bob", "carol", "dave")
               if Person(name).login(httpd.url("/admin/")).status == 200}
    assert allowed == names | {"dave"}


# The session


def test_session_fields(realm, new_httpd):
    httpd = new_httpd(provider=realm)
    env = seen(Person("alice").login(httpd.url("/protected/show")))
    assert env["KC_USER_ID"] == realm.user_id("alice")
    assert env["KC_USER_NAME"] == env["REMOTE_USER"] == "alice"
    assert env["KC_EMAIL"] == "alice@example.org"
    assert env["KC_NAME"] == "Alice Adams"
    assert env["KC_ROLES"] == "admin"
    assert env["KC_SID"] == realm.sessions("alice")[0]["id"]


def test_session_cookie_is_signed_and_readable_by_its_owner(demo):
    person = Person("alice")
    person.login(demo.url("/profile"))
    cookie, = person.jar.named(SESSION)
    assert len(cookie.value) <= 600
    raw = base64.urlsafe_b64decode(cookie.value + "=" * (-len(cookie.value) % 4))
    for field in (b"alice", b"alice@example.org", b"Alice Adams", b"admin"):
        assert field in raw


@table("sealing, most", [("encrypted by one directive", "encrypted", 600),
                         ("held on the server by one directive", "server", 100)])
def test_session_cookie_is_unreadable_where_that_is_wanted(realm, new_httpd, sealing, most):
    httpd = new_httpd(provider=realm, KCAuthSession=sealing)
    person = Person("alice")
    let_in(person.login(httpd.url("/admin/")))
    let_in(person.get(httpd.url("/admin/"), follow=False))
    cookie, = person.jar.named(SESSION)
    assert len(cookie.value) <= most
    raw = base64.urlsafe_b64decode(cookie.value + "=" * (-len(cookie.value) % 4))
    for field in (b"alice", b"Adams", b"admin"):
        assert field not in raw


def test_session_cookie_changed_by_its_owner_is_worth_nothing(demo):
    person = Person("bob")
    person.login(demo.url("/profile"))
    cookie, = person.jar.named(SESSION)
    raw = base64.urlsafe_b64decode(cookie.value + "=" * (-len(cookie.value) % 4))
    changed = raw.replace(b"bob@example", b"eve@example")
    assert changed != raw
    cookie.value = base64.urlsafe_b64encode(changed).decode().rstrip("=")
    assert person.get(demo.url("/profile"), follow=False).status == 302


def test_session_keeps_the_id_token_for_logout_encrypted(demo):
    person = Person("alice")
    person.login(demo.url("/profile"))
    kept = person.jar.named(ID_TOKEN)
    assert kept
    assert {cookie.path for cookie in kept} == {"/oauth/logout"}
    joined = "".join(cookie.value for cookie in kept)
    assert b'"alg"' not in base64.urlsafe_b64decode(joined + "=" * (-len(joined) % 4))


def test_session_single_role_counts_as_a_list_of_one(realm, new_httpd):
    realm.change_mapper("roles", "client roles", access__token__claim="false")
    realm.add_mapper("oidc-hardcoded-claim-mapper", claim__name="resource_access.webapp.roles",
                     claim__value="admin", jsonType__label="String", id__token__claim="true")
    httpd = new_httpd(provider=realm)
    assert seen(Person("carol").login(httpd.url("/protected/show")))["KC_ROLES"] == "admin"


def test_session_client_without_an_entry_means_no_roles(realm, new_httpd):
    """carol's resource_access has an entry for another client only."""
    httpd = new_httpd(provider=realm)
    person = Person("carol")
    assert "KC_ROLES" not in seen(person.login(httpd.url("/protected/show")))
    assert person.get(httpd.url("/admin/")).status == 401


# Where the tutorial breaks


def test_broken_there_no_email_no_user_name_no_resource_access(realm, new_httpd):
    path, _ = realm.mapper("profile", "username")
    realm.delete(path)
    httpd = new_httpd(provider=realm)
    env = seen(Person("dave").login(httpd.url("/protected/show")))
    assert env["REMOTE_USER"] == env["KC_USER_NAME"] == env["KC_USER_ID"] == realm.user_id("dave")
    assert "KC_EMAIL" not in env
    assert "KC_ROLES" not in env


def test_broken_there_person_cancels_at_keycloak(realm, new_httpd):
    realm.change_client(consentRequired=True)
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    consent = person.login(httpd.url("/protected/"))
    assert 'name="cancel"' in consent.text
    answer = refused(person.answer_form(consent, cancel="No"), httpd, 403, "KC05..")
    assert "/oauth/login?next=" in answer.text


def test_broken_there_bad_state(realm, new_httpd):
    httpd = new_httpd(provider=realm)
    answer = Client().get(httpd.url(f"{CALLBACK}?code=x&state=forged&iss={realm.issuer}"))
    refused(answer, httpd, 400, "KC05..")
    assert "/oauth/login" in answer.text


def test_broken_there_code_used_twice(realm, new_httpd):
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    page = person.get(httpd.url("/protected/"))
    callback = person.answer_form(page, follow=False).location
    let_in(person.get(callback))
    stranger = Client()
    refused(stranger.get(callback), httpd, 400, "KC05..")
    assert not stranger.jar.named(SESSION)


def test_broken_there_old_callback_when_logged_in_leads_on(realm, new_httpd):
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    callback = person.answer_form(person.get(httpd.url("/protected/")), follow=False).location
    let_in(person.get(callback))
    again = person.get(callback)
    assert again.status == 200
    assert again.url in (httpd.url("/"), httpd.url("/protected/"))


def test_broken_there_keycloak_unreachable_at_login(realm, new_httpd, relay):
    httpd = new_httpd(provider=realm, KCAuthInternalURL=relay.origin)
    person, other = Person("alice"), Person("bob")
    let_in(other.login(httpd.url("/protected/")))
    page = person.get(httpd.url("/protected/"))
    relay.stop()
    refused(person.answer_form(page), httpd, 503, "KC0[26]..")
    let_in(other.get(httpd.url("/protected/")))
    assert Client().get(httpd.url("/")).status == 200
    relay.start()
    let_in(person.login(httpd.url("/protected/")))


def test_broken_there_metadata_without_end_session_endpoint(realm, new_httpd, relay):
    def without(answer):
        metadata = json.loads(answer)
        metadata.pop("end_session_endpoint", None)
        return json.dumps(metadata).encode()

    relay.trouble["/openid-configuration"] = without
    httpd = new_httpd(provider=realm, KCAuthInternalURL=relay.origin)
    person = Person("alice")
    let_in(person.login(httpd.url("/protected/")))
    answer = person.get(httpd.url("/oauth/logout"), follow=False)
    assert answer.status == 302
    assert answer.location == httpd.url("/")
    assert not person.jar.named(SESSION)
    httpd.log.wait_for(r":warn\].*KC09\d\d.*end_session_endpoint")


def test_broken_there_callback_url_is_never_of_the_host_header(demo):
    answer = Client().get(demo.url("/oauth/login"), {"Host": "evil.example"}, follow=False)
    assert answer.status in (302, 307, 308)
    assert "evil.example" not in answer.location
    assert answer.location.startswith("http://localhost:")


def test_broken_there_many_roles_do_not_make_an_endless_login(realm, new_httpd):
    """300 roles of our own client: an access token of 10 KB, in cookies of 4 KB at most."""
    client = realm.client()["id"]
    for number in range(300):
        realm.new_role(f"department-role-{number:03}")
    roles = realm.get(f"/clients/{client}/roles?max=400")
    realm.post(f"/users/{realm.user_id('carol')}/role-mappings/clients/{client}",
               [role for role in roles if role["name"].startswith("department-")])
    httpd = new_httpd(provider=realm)
    person = Person("carol")
    env = seen(person.login(httpd.url("/protected/show")))
    assert len(env["KC_ROLES"].split(",")) == 300
    parts = person.jar.named(SESSION)
    assert 1 < len(parts) <= 8


def test_broken_there_signing_key_rotated_at_keycloak(realm, new_httpd):
    httpd = new_httpd(provider=realm)
    let_in(Person("alice").login(httpd.url("/protected/")))
    realm.new_key("RS256")
    until(lambda: Person("bob").login(httpd.url("/protected/")).status == 200,
          "a login with the new key", seconds=15, pause=1)


@table("directives, waits", [
    ("idle", {"KCAuthSessionIdle": 2}, 2),
    ("absolute", {"KCAuthSessionMax": 2}, 2),
])
def test_broken_there_sessions_never_end(realm, new_httpd, directives, waits):
    httpd = new_httpd(provider=realm, **directives)
    person = Person("alice")
    let_in(person.login(httpd.url("/protected/")))
    until(lambda: person.get(httpd.url("/protected/"), follow=False).status == 302,
          "the end of the session", seconds=waits + 8, pause=waits + 1)
