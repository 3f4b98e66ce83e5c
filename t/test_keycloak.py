"""A real Keycloak, and all of it that can reach us: its algorithms, the client as the console can
set it, where roles can come from, and the turns that logins and logouts take."""

import json
import time
import urllib.parse

import pytest

from support.client import Client
from support.expect import ID_TOKEN, SESSION, let_in, refused, table
from support.person import Person, at_login_form
from support.site import PAGES, seen
from support.wait import until

pytest_plugins = ["support.real"]
pytestmark = pytest.mark.keycloak

CALLBACK = "/oauth/login/callback"
ASYMMETRIC = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"]


def callback_of(person, httpd, path="/protected/"):
    """Logs in at Keycloak; the URL that its answer sends the browser to, not yet followed."""
    return person.answer_form(person.get(httpd.url(path)), follow=False).location


# Algorithms


@table("algorithm, curve", [(name, name, None) for name in ASYMMETRIC]
       + [(curve, "EdDSA", curve) for curve in ("Ed25519", "Ed448")])
def test_each_algorithm_for_id_token_and_access_token(realm, new_httpd, algorithm, curve):
    realm.sign_with(algorithm, curve)
    httpd = new_httpd(provider=realm)
    let_in(Person("alice").login(httpd.url("/admin/")))


def test_the_two_tokens_may_differ_in_algorithm(realm, new_httpd):
    realm.sign_with("ES256")
    realm.new_key("PS512", priority=900)
    realm.change_client({"access.token.signed.response.alg": "PS512"})
    httpd = new_httpd(provider=realm)
    let_in(Person("alice").login(httpd.url("/admin/")))


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_id_tokens_signed_with_keycloaks_own_secret_are_refused(realm, new_httpd, algorithm):
    realm.change_client({"id.token.signed.response.alg": algorithm})
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    refused(person.login(httpd.url("/protected/")), httpd, 502, "KC03..")
    assert not person.jar.named(SESSION)


def test_access_token_typed_by_rfc_9068(realm, new_httpd):
    realm.change_client({"access.token.header.type.rfc9068": "true"})
    httpd = new_httpd(provider=realm)
    let_in(Person("alice").login(httpd.url("/admin/")))


def test_key_rotation_asks_once_and_needs_no_restart(realm, new_httpd, relay):
    httpd = new_httpd(provider=realm, KCAuthInternalURL=relay.origin)
    let_in(Person("alice").login(httpd.url("/admin/")))
    logged_in = Person("bob")
    let_in(logged_in.login(httpd.url("/protected/")))
    asked = relay.count("certs")
    for component in realm.get("/components?type=org.keycloak.keys.KeyProvider"):
        if component["providerId"] == "rsa":
            realm.delete(f"/components/{component['id']}")
    realm.new_key("RS256")
    until(lambda: Person("alice").login(httpd.url("/admin/")).status == 200,
          "a login with the new key", seconds=20, pause=1)
    let_in(logged_in.get(httpd.url("/protected/"), follow=False))
    let_in(Person("carol").login(httpd.url("/protected/")))
    assert relay.count("certs") > asked


# The client, as the console can set it


@pytest.mark.parametrize("client_id", ["my.app/x", "https://app.example.org/", "a b", "büro", "a:b"])
def test_client_id_is_a_key_never_a_path(realm, new_httpd, client_id):
    ours = realm.new_client(client_id, roles=["admin"])
    ours.give("bob", "admin")
    httpd = new_httpd(provider=ours)
    let_in(Person("bob").login(httpd.url("/admin/")))
    refused(Person("alice").login(httpd.url("/admin/")), httpd, 401, "KC08..")


@pytest.mark.parametrize("secret", ["a+b%20c", "ü=:&/~", "with blank ", "'\"quotes\\"])
def test_secret_of_any_characters(realm, new_httpd, secret):
    realm.change_client(secret=secret)
    realm.secret = secret
    httpd = new_httpd(provider=realm)
    let_in(Person("alice").login(httpd.url("/admin/")))


def test_public_client_works_by_pkce_alone(realm, new_httpd):
    realm.change_client(publicClient=True)
    httpd = new_httpd(provider=realm, KCAuthClientSecret=None)
    let_in(Person("alice").login(httpd.url("/admin/")))


def test_answer_without_session_state(realm, new_httpd):
    realm.change_client({"exclude.session.state.from.auth.response": "true"})
    httpd = new_httpd(provider=realm)
    let_in(Person("alice").login(httpd.url("/admin/")))


def test_answer_without_the_issuer_that_the_metadata_promises(realm, new_httpd):
    realm.change_client({"exclude.issuer.from.auth.response": "true"})
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    refused(person.login(httpd.url("/protected/")), httpd, 502, "KC05..")
    assert not person.jar.named(SESSION)


def test_client_without_refresh_tokens(realm, new_httpd):
    realm.change_client({"use.refresh.tokens": "false"})
    httpd = new_httpd(provider=realm)
    let_in(Person("alice").login(httpd.url("/admin/")))


def test_form_post_over_https(realm, new_httpd, authority):
    certificate, key = authority.certificate("localhost")
    httpd = new_httpd(f"""
        SSLEngine on
        SSLCertificateFile "{certificate}"
        SSLCertificateKeyFile "{key}"
        """ + PAGES, provider=realm, wait=False, KCAuthResponseMode="form_post",
        options={"modules": ["ssl"]})
    origin = f"https://localhost:{httpd.port}"
    realm.change_client(redirectUris=[origin + CALLBACK])
    person = Person("alice", authority.ca_file)
    until(lambda: person.get(origin + "/oauth/login", follow=False).status == 302, "the metadata")
    page = person.answer_form(person.get(origin + "/admin/"))
    assert f'action="{origin}{CALLBACK}"'.lower() in page.text.lower()
    let_in(person.submit(page))
    let_in(person.get(origin + "/admin/", follow=False))


# Roles


def test_full_scope_off_leaves_the_roles_of_our_client(realm, new_httpd):
    realm.change_client(fullScopeAllowed=False)
    httpd = new_httpd(PAGES.replace("Require valid-user", "Require kc-realm-role staff"),
                      provider=realm)
    person = Person("alice")
    let_in(person.login(httpd.url("/admin/")))
    refused(person.get(httpd.url("/protected/")), httpd, 401, "KC08..")


def test_scope_roles_optional_gives_roles_when_asked(realm, new_httpd):
    realm.move_scope("roles", "optional")
    asking = new_httpd(provider=realm)
    let_in(Person("alice").login(asking.url("/admin/")))
    silent = new_httpd(provider=realm, KCAuthScope="openid profile email")
    refused(Person("alice").login(silent.url("/admin/")), silent, 401, "KC08..")


def test_scope_roles_removed_makes_a_login_without_roles(realm, new_httpd):
    realm.move_scope("roles", None)
    httpd = new_httpd(provider=realm, KCAuthScope="openid profile email")
    assert "KC_ROLES" not in seen(Person("alice").login(httpd.url("/protected/show")))


@table("wanted, names", [
    ("own", "kc-role editor", {"bob"}),
    ("realm by prefix", "kc-role realm:staff", {"alice"}),
    ("realm", "kc-realm-role staff", {"alice"}),
    ("other client by prefix", "kc-role other.client/x:reader", {"carol"}),
    ("other client", 'kc-client-role other.client/x reader', {"carol"}),
    ("client id with a colon", 'kc-client-role "https://other.example/" "a b"', {"dave"}),
    ("composite", "kc-realm-role boss", {"dave"}),
    ("of a composite", "kc-realm-role staff-of-boss", {"dave"}),
])
def test_roles_of_realm_and_of_other_clients(roles_realm, new_httpd, wanted, names):
    httpd = new_httpd(PAGES.replace("kc-role admin", wanted), provider=roles_realm)
    assert {name for name in ("alice", "bob", "carol", "dave")
            if Person(name).login(httpd.url("/admin/")).status == 200} == names


@pytest.fixture(scope="module")
def roles_realm(keycloak):
    """carol reads in another client, dave in a third one, and dave holds a composite role."""
    realm = keycloak.new_realm("Roles")
    realm.new_client("other.client/x", roles=["reader"]).give("carol", "reader")
    realm.new_client("https://other.example/", roles=["a b"]).give("dave", "a b")
    for name in ("boss", "staff-of-boss"):
        realm.post("/roles", {"name": name})
    realm.post("/roles/boss/composites", [realm.get("/roles/staff-of-boss")])
    realm.post(f"/users/{realm.user_id('dave')}/role-mappings/realm", [realm.get("/roles/boss")])
    return realm


@pytest.mark.parametrize("role", ["a b", "büro", "x,y%", "realm:admin"])
def test_role_names_hold_any_character(realm, new_httpd, role):
    realm.new_role(role)
    realm.give("carol", role)
    line = f'kc-client-role webapp "{role}"'
    httpd = new_httpd(PAGES.replace("kc-role admin", line), provider=realm)
    person = Person("carol")
    let_in(person.login(httpd.url("/admin/")))
    told = seen(person.get(httpd.url("/protected/show")))["KC_ROLES"]
    assert urllib.parse.unquote(told) == role
    assert "," not in told


@table("full_path, group", [("full path", "true", "/sales/emea"), ("name only", "false", "emea")])
def test_groups_of_the_group_mapper(realm, new_httpd, full_path, group):
    realm.new_group("/sales/emea", "bob")
    realm.add_mapper("oidc-group-membership-mapper", claim__name="groups", full__path=full_path,
                     id__token__claim="true", access__token__claim="true")
    httpd = new_httpd(PAGES.replace("kc-role admin", f"kc-group {group}"), provider=realm)
    let_in(Person("bob").login(httpd.url("/admin/")))
    refused(Person("alice").login(httpd.url("/admin/")), httpd, 401, "KC08..")


def test_lightweight_access_token_makes_a_login_without_roles(realm, new_httpd):
    """It carries no roles, and userinfo refuses it."""
    realm.change_client({"client.use.lightweight.access.token.enabled": "true"})
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    env = seen(person.login(httpd.url("/protected/show")))
    assert env["KC_USER_NAME"] == "alice"
    refused(person.get(httpd.url("/admin/")), httpd, 401, "KC08..")


# The login's turns


def test_login_form_sent_twice(realm, new_httpd):
    """Back or a double click, and only the second answer arrives."""
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    page = person.get(httpd.url("/protected/?x=1"))
    person.answer_form(page, follow=False)
    answer = person.answer_form(page)
    assert "error=temporarily_unavailable" in answer.history[0].location
    assert let_in(answer).url == httpd.url("/protected/?x=1")


def test_login_form_sent_again_after_the_login(realm, new_httpd):
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    page = person.get(httpd.url("/protected/?x=1"))
    let_in(person.answer_form(page))
    assert person.answer_form(page).status == 200


def test_two_tabs(realm, new_httpd):
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    first = person.get(httpd.url("/protected/?tab=1"))
    second = person.get(httpd.url("/admin/?tab=2"))
    assert let_in(person.answer_form(first)).url == httpd.url("/protected/?tab=1")
    assert let_in(person.answer_form(second)).url == httpd.url("/admin/?tab=2")


def test_login_page_left_longer_than_keycloak_allows(realm, new_httpd):
    """Keycloak shows a fresh form then, and answers with the first state."""
    realm.set(accessCodeLifespanLogin=1)
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    page = person.get(httpd.url("/protected/"))
    time.sleep(2.5)
    fresh = person.answer_form(page)
    assert at_login_form(fresh)
    realm.set(accessCodeLifespanLogin=1800)
    assert let_in(person.answer_form(fresh)).url == httpd.url("/protected/")


def test_consent_refused_and_then_given(realm, new_httpd):
    realm.change_client(consentRequired=True)
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    consent = person.login(httpd.url("/protected/?x=1"))
    refused(person.answer_form(consent, cancel="No"), httpd, 403, "KC05..")
    assert not person.jar.named(SESSION)
    consent = person.login(httpd.url("/protected/?x=1"))
    assert let_in(person.answer_form(consent, accept="Yes")).url == httpd.url("/protected/?x=1")


def test_scope_that_keycloak_does_not_know(realm, new_httpd):
    httpd = new_httpd(provider=realm, KCAuthScope="openid nonsense")
    refused(Person("alice").get(httpd.url("/protected/")), httpd, 502, "KC05..")
    assert "invalid_scope" in httpd.log.text()


def test_code_that_has_expired(realm, new_httpd):
    realm.set(accessCodeLifespan=1)
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    callback = callback_of(person, httpd)
    time.sleep(2.5)
    answer = refused(person.get(callback), httpd, 400, "KC06..")
    assert "/oauth/login" in answer.text
    assert not person.jar.named(SESSION)


def test_code_is_never_sent_twice(realm, new_httpd):
    """Two browsers with the same cookies, as after a copied profile: the second gets nothing, and
    the first one's session at Keycloak is not harmed."""
    realm.keep_events()
    httpd = new_httpd(provider=realm)
    person, copy = Person("alice"), Person("alice")
    callback = callback_of(person, httpd)
    copy.jar.update(person.jar)
    let_in(person.get(callback))
    refused(copy.get(callback), httpd, 400, "KC05..")
    assert not copy.jar.named(SESSION)
    assert len(realm.events("CODE_TO_TOKEN")) == 1
    assert realm.events("CODE_TO_TOKEN_ERROR") == []


@pytest.mark.parametrize("trouble", ["cut", "close"])
def test_exchange_that_is_cut_starts_the_login_anew(realm, new_httpd, relay, trouble):
    httpd = new_httpd(provider=realm, KCAuthInternalURL=relay.origin)
    relay.trouble["/token"] = [trouble]
    person = Person("alice")
    assert let_in(person.login(httpd.url("/protected/?x=1"))).url == httpd.url("/protected/?x=1")
    assert relay.count("token") == 2


def test_exchange_that_is_always_cut_ends(realm, new_httpd, relay):
    httpd = new_httpd(provider=realm, KCAuthInternalURL=relay.origin)
    relay.trouble["/token"] = "cut"
    refused(Person("alice").login(httpd.url("/protected/")), httpd, 503, "KC0[26]..")
    assert relay.count("token") == 2
    relay.trouble.clear()
    let_in(Person("alice").login(httpd.url("/protected/")))


def test_long_target_comes_back_whole(realm, new_httpd):
    httpd = new_httpd(provider=realm)
    target = httpd.url("/protected/?x=" + "0123456789" * 150)
    assert let_in(Person("alice").login(target)).url == target


def test_start_while_keycloak_is_away(realm, new_httpd, relay):
    relay.stop()
    httpd = new_httpd(provider=realm, wait=False, KCAuthInternalURL=relay.origin)
    assert Client().get(httpd.url("/")).status == 200
    refused(Client().get(httpd.url("/protected/")), httpd, 503, "KC02..")
    relay.start()
    until(lambda: Person("alice").login(httpd.url("/admin/")).status == 200,
          "a login", seconds=20, pause=0.5)


def test_a_login_costs_one_call(realm, new_httpd, relay):
    httpd = new_httpd(provider=realm, KCAuthInternalURL=relay.origin)
    let_in(Person("bob").login(httpd.url("/protected/")))
    before = len(relay.calls)
    let_in(Person("alice").login(httpd.url("/protected/")))
    assert [path.rpartition("/")[2] for path in relay.calls[before:]] == ["token"]


# The logout's turns


def test_logout_with_an_expired_id_token(realm, new_httpd):
    realm.set(accessTokenLifespan=1)
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    let_in(person.login(httpd.url("/protected/")))
    time.sleep(2)
    answer = person.get(httpd.url("/oauth/logout"))
    assert answer.url.split("?")[0] == httpd.url("/")
    assert realm.sessions("alice") == []


def test_logout_when_keycloaks_session_is_over_already(realm, new_httpd):
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    let_in(person.login(httpd.url("/protected/")))
    realm.post(f"/users/{realm.user_id('alice')}/logout")
    answer = person.get(httpd.url("/oauth/logout"))
    assert answer.url.split("?")[0] == httpd.url("/")
    assert not person.jar.named(SESSION)


def test_logout_of_another_than_who_is_logged_in_at_keycloak(realm, new_httpd):
    """Keycloak asks then; here the session is over whatever the answer."""
    httpd = new_httpd(provider=realm)
    person = Person("alice")
    let_in(person.login(httpd.url("/protected/")))
    ours = {key: cookie for key, cookie in person.jar.items() if "/realms/" not in key[1]}
    bob = Person("bob")
    let_in(bob.login(httpd.url("/protected/")))
    theirs = {key: cookie for key, cookie in bob.jar.items() if "/realms/" in key[1]}
    person.jar.clear()
    person.jar.update(ours | theirs)
    answer = person.get(httpd.url("/oauth/logout"))
    assert "logout-confirm" in answer.text
    assert not person.jar.named(SESSION) and not person.jar.named(ID_TOKEN)
    assert len(realm.sessions("bob")) == 1


def test_logout_to_an_address_that_keycloak_does_not_know(realm, new_httpd):
    """Keycloak shows its own error; here the session is over all the same."""
    httpd = new_httpd(provider=realm, KCAuthPostLogoutURL="/unknown")
    person = Person("alice")
    let_in(person.login(httpd.url("/protected/")))
    answer = person.get(httpd.url("/oauth/logout"))
    assert answer.status == 400
    assert answer.url.startswith(realm.url("logout"))
    assert not person.jar.named(SESSION)


def test_metadata_of_another_realm_is_not_believed(realm, new_httpd, relay):
    """As behind a proxy that mixes realms up: the issuer is not the one that was configured."""
    def other(answer):
        return json.dumps({**json.loads(answer), "issuer": realm.issuer + "x"}).encode()

    relay.trouble["/openid-configuration"] = other
    httpd = new_httpd(provider=realm, wait=False, KCAuthInternalURL=relay.origin)
    httpd.log.wait_for(r"KC02\d\d.*issuer")
    refused(Client().get(httpd.url("/protected/")), httpd, 502, "KC02..")
