"""Require lines: who gets in, and what a denial says."""

import re

import pytest

from support.client import Client
from support.expect import logged_in, let_in, table
from support.provider import ACCOUNT, DEFAULT_ROLES, User
from support.site import MARKER, make_httpd, settings

# One folder a Require block. Every person below is tried at each.
BLOCKS = {
    "own": "Require kc-role admin",
    "two": "Require kc-role admin editor",
    "realm": "Require kc-role realm:staff",
    "realm-line": "Require kc-realm-role staff",
    "other-client": "Require kc-role other-client:reader",
    "client-line": "Require kc-client-role other-client reader",
    "client-line-two": "Require kc-client-role other-client writer reader",
    "client-with-colon": "Require kc-client-role urn:app:1 reader",
    "client-with-dots": "Require kc-role my.app/x:reader",
    "group": "Require kc-group /sales/emea",
    "group-name": 'Require kc-group "the team"',
    "quoted": 'Require kc-role "two words"',
    "quotes-inside": 'Require kc-role "say \\"hi\\""',
    "comma": 'Require kc-role "a,b"',
    "percent": 'Require kc-role "a%2Cb"',
    "unicode": 'Require kc-role "größe"',
    "capitals": "Require kc-role Admin",
    "prefix": "Require kc-role adm",
    "longer": "Require kc-role administrator",
    "all": "<RequireAll>\nRequire kc-role admin\nRequire kc-realm-role staff\n</RequireAll>",
    "any": "<RequireAny>\nRequire kc-role editor\nRequire kc-realm-role staff\n</RequireAny>",
    "none": "<RequireAll>\nRequire valid-user\n<RequireNone>\nRequire kc-role editor\n"
            "</RequireNone>\n</RequireAll>",
    "not": "<RequireAll>\nRequire valid-user\nRequire not kc-role editor\n</RequireAll>",
    "expression": 'Require expr "%{REMOTE_USER} == \'alice\'"',
    "expression-roles": 'Require expr "-n %{REMOTE_USER} && %{reqenv:KC_ROLES} =~ /editor/"',
    "if": '<If "%{REQUEST_URI} =~ m#^/if#">\nRequire kc-role admin\n</If>\nRequire valid-user',
    "limit": "<LimitExcept POST>\nRequire valid-user\n</LimitExcept>\n"
             "<Limit POST>\nRequire kc-role admin\n</Limit>",
    "user": "Require user alice",
    "with-address": "<RequireAll>\nRequire ip 127.0.0.1\nRequire kc-role admin\n</RequireAll>",
    "wrong-address": "<RequireAll>\nRequire ip 10.0.0.1\nRequire kc-role admin\n</RequireAll>",
}

PEOPLE = {
    "alice": {"own", "two", "realm", "realm-line", "all", "any", "none", "not", "expression",
              "if", "limit", "user", "with-address"},
    "bob": {"two", "any", "expression-roles", "limit"},
    "carol": {"none", "not", "limit"},
    "dave": {"none", "not", "limit"},
    "erin": {"other-client", "client-line", "client-line-two", "client-with-colon",
             "client-with-dots", "group", "group-name", "none", "not", "limit"},
    "frank": {"quoted", "quotes-inside", "comma", "unicode", "none", "not", "limit"},
    "gina": {"percent", "capitals", "none", "not", "limit"},
}

HARD = [
    User("erin", client_roles={"other-client": ["reader"], "urn:app:1": ["reader"],
                               "my.app/x": ["reader"], **ACCOUNT},
         realm_roles=DEFAULT_ROLES, groups=["/sales/emea", "the team"]),
    User("frank", client_roles={"webapp": ["two words", 'say "hi"', "a,b", "größe"]}),
    User("gina", client_roles={"webapp": ["a%2Cb", "Admin"]}),
]


def block_config():
    for name, block in BLOCKS.items():
        yield f'<Location "/{name}">\nAuthType Keycloak\n{block}\n</Location>'
    yield ('<Directory "${ROOT}/htdocs">\nAllowOverride AuthConfig Limit\nRequire all granted\n'
           '</Directory>')


@pytest.fixture(scope="module")
def role_server(shared_provider):
    """All blocks on one server, and a client for each person."""
    shared_provider.reset()
    httpd = make_httpd(settings(shared_provider) + "\n".join(block_config()))
    for name in BLOCKS:
        httpd.write(f"{name}/index.html", f"<p>{MARKER}</p>")
    httpd.start()
    from conftest import ready
    ready(httpd)
    yield httpd, {person: login_as(httpd, shared_provider, person) for person in PEOPLE}
    httpd.stop()


def login_as(httpd, provider, person):
    provider.users.update({user.username: user for user in HARD})
    provider.user = person
    client = Client()
    client.login(httpd.url("/limit/"))
    return client


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("person", PEOPLE)
def test_who_gets_in(role_server, person, block):
    httpd, clients = role_server
    answer = clients[person].get(httpd.url(f"/{block}/"), follow=False)
    if block in PEOPLE[person]:
        let_in(answer)
    else:
        assert answer.status in (401, 403), answer.status
        assert MARKER not in answer.text


@pytest.mark.parametrize("block", BLOCKS)
def test_nobody_gets_in_without_a_session(role_server, block):
    httpd, _ = role_server
    answer = Client().get(httpd.url(f"/{block}/"), follow=False)
    assert answer.status in (302, 401, 403)
    assert MARKER not in answer.text


@table("person, allowed", [("alice", "alice", True), ("bob", "bob", False)])
def test_limit(role_server, person, allowed):
    httpd, clients = role_server
    answer = clients[person].request("POST", httpd.url("/limit/"), {}, b"")
    assert (answer.status not in (401, 403)) == allowed


# Denials

def denied(httpd, provider, person, path="/admin/"):
    provider.user = person
    client = Client()
    client.login(httpd.url("/protected/"))
    return client.get(httpd.url(path), follow=False)


def test_denial_is_401_by_default(httpd, provider):
    assert denied(httpd, provider, "bob").status == 401


def test_denial_is_403_by_httpd_s_own_directive(new_httpd, new_provider):
    from support.site import PAGES
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(PAGES + "<Location />\nAuthzSendForbiddenOnFailure On\n</Location>\n",
                      provider=provider)
    assert denied(httpd, provider, "bob").status == 403


def test_denial_page_names_the_role_only(httpd, provider):
    answer = denied(httpd, provider, "bob")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert "admin" in answer.text and "editor" not in answer.text
    assert re.search(r"KC08\d\d", answer.text)
    assert MARKER not in answer.text
    assert "no-store" in answer.headers["Cache-Control"]


def test_denial_line_of_the_log(httpd, provider):
    """Who, which Require line, roles held, token looked at, and what to change."""
    denied(httpd, provider, "bob")
    line = httpd.log.wait_for("KC08")
    for word in ("bob", "kc-role admin", "editor", "access token"):
        assert word in line
    assert len(httpd.log.lines("KC08")) == 1


def test_denial_of_a_script(httpd, provider):
    provider.user = "bob"
    client = logged_in(httpd)
    answer = client.fetch(httpd.url("/admin/"))
    assert answer.status in (401, 403)
    assert MARKER not in answer.text and "location" not in answer.headers


def test_denial_does_not_lead_to_a_login_loop(httpd, provider):
    provider.user = "bob"
    client = Client()
    answer = client.login(httpd.url("/admin/"))
    assert answer.status == 401
    assert provider.count("authorization") == 1


def test_denial_with_an_error_document(new_httpd, new_provider):
    from support.site import PAGES
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(PAGES + 'ErrorDocument 401 /show\n', provider=provider)
    answer = denied(httpd, provider, "bob")
    assert answer.status == 401
    env = dict(item.split("=", 1) for item in answer.text.split("\0") if "=" in item)
    assert env["REDIRECT_STATUS"] == "401"
    assert re.fullmatch(r"KC08\d\d", env["REDIRECT_KC_ERROR_ID"])
    assert env["REDIRECT_KC_ERROR_REF"] in httpd.log.wait_for("KC08")
    assert env["REDIRECT_KC_ERROR_TEXT"]
    assert env["REDIRECT_KC_MISSING_ROLE"] == "admin"
    assert env["REDIRECT_KC_RETRY_URL"].startswith("/oauth/login")


def test_role_names_of_a_denial_are_escaped(new_httpd, new_provider):
    config = ('<Location "/protected">\nAuthType Keycloak\nRequire kc-role "<b>\\"&\'x"\n'
              '</Location>\n<Directory "${ROOT}/htdocs">\nRequire all granted\n</Directory>\n')
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(config, provider=provider)
    answer = Client().login(httpd.url("/protected/"))
    assert answer.status == 401
    assert "<b>" not in answer.text and "&lt;b&gt;" in answer.text


def test_role_names_of_the_provider_do_not_break_the_log(new_httpd, new_provider):
    config = ('<Location "/protected">\nAuthType Keycloak\nRequire kc-role admin\n</Location>\n'
              '<Directory "${ROOT}/htdocs">\nRequire all granted\n</Directory>\n')
    provider = new_provider(kinds=["ES256"])
    provider.users["mallory"] = User("mallory\r\n[fake:error] line", client_roles={
        "webapp": ["x\r\n[fake:error] AH00000: line\x1b[31m"]})
    provider.user = "mallory"
    httpd = new_httpd(config, provider=provider)
    assert Client().login(httpd.url("/protected/")).status == 401
    httpd.log.wait_for("KC08")
    assert not httpd.log.lines(r"^\[fake") and "\x1b" not in httpd.log.everything()


# Places

HTACCESS = """
<Directory "${ROOT}/htdocs">
    AllowOverride AuthConfig
    Require all granted
</Directory>
"""


@table("keep, realm", [("without-keep-roles", None, 401), ("with-keep-roles", "realm:staff", 200)])
def test_htaccess(new_httpd, new_provider, keep, realm):
    """Read too late to collect role names from: KCAuthKeepRoles names those of others."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(HTACCESS, provider=provider, KCAuthKeepRoles=keep)
    httpd.write("own/index.html", MARKER)
    httpd.write("own/.htaccess", "AuthType Keycloak\nRequire kc-role admin\n")
    httpd.write("realm/index.html", MARKER)
    httpd.write("realm/.htaccess", "AuthType Keycloak\nRequire kc-realm-role staff\n")
    client = Client()
    let_in(client.login(httpd.url("/own/")))
    assert client.get(httpd.url("/realm/")).status == realm
    provider.user = "bob"
    client = Client()
    assert client.login(httpd.url("/own/")).status == 401


@table("keep, allowed", [
    ("all-realm-roles", "realm:*", True),
    ("all-of-a-client", "other-client:*", False),
    ("another", "realm:other", False),
])
def test_keep_roles(new_httpd, new_provider, keep, allowed):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(HTACCESS, provider=provider, KCAuthKeepRoles=keep)
    httpd.write("realm/index.html", MARKER)
    httpd.write("realm/.htaccess", "AuthType Keycloak\nRequire kc-realm-role staff\n")
    assert (Client().login(httpd.url("/realm/")).status == 200) == allowed


def test_require_without_auth_type_refuses(new_httpd, new_provider):
    config = ('<Location "/protected">\nRequire kc-role admin\n</Location>\n'
              '<Directory "${ROOT}/htdocs">\nRequire all granted\n</Directory>\n')
    httpd = new_httpd(config, provider=new_provider(kinds=["ES256"]))
    answer = Client().get(httpd.url("/protected/"), follow=False)
    assert answer.status in (401, 403, 500)
    assert MARKER not in answer.text
    assert "AuthType" in httpd.log.wait_for("KC08")


def test_other_auth_types_are_left_alone(new_httpd, new_provider):
    config = ('<Location "/protected">\nAuthType Basic\nAuthName x\nAuthUserFile "${ROOT}/users"\n'
              'Require valid-user\n</Location>\n'
              '<Directory "${ROOT}/htdocs">\nRequire all granted\n</Directory>\n')
    httpd = new_httpd(config, provider=new_provider(kinds=["ES256"]))
    answer = Client().get(httpd.url("/protected/"), follow=False)
    assert answer.status == 401
    assert answer.headers["WWW-Authenticate"].startswith("Basic")


SINGLE = [
    ("single-value", {"webapp": {"roles": "admin"}}, True),
    ("list", {"webapp": {"roles": ["x", "admin"]}}, True),
    ("no-entry", {"other": {"roles": ["admin"]}}, False),
    ("empty", {"webapp": {"roles": []}}, False),
    ("other-type", {"webapp": {"roles": {"admin": True}}}, False),
    ("numbers", {"webapp": {"roles": [1, None, True, ["admin"]]}}, False),
    ("mixed", {"webapp": {"roles": [1, "admin"]}}, True),
    ("client-is-a-list", {"webapp": ["admin"]}, False),
    ("claim-is-a-list", ["admin"], False),
    ("claim-is-a-string", "admin", False),
    ("claim-is-null", None, False),
    ("path", {"web": {"app": {"roles": ["admin"]}}}, False),
]


@table("claim, allowed", SINGLE)
def test_shapes_of_resource_access(httpd, provider, client, claim, allowed):
    provider.lie(access_token={"resource_access": claim})
    answer = client.login(httpd.url("/admin/"))
    assert answer.status in ((200,) if allowed else (401, 502))
    assert (MARKER in answer.text) == allowed


def test_virtual_host_that_only_has_a_require_line(new_httpd, new_provider):
    """All directives of the module are the main server's; its roles are kept all the same."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd("""
<VirtualHost 127.0.0.1:${PORT}>
    ServerName localhost
    <Location "/protected">
        AuthType Keycloak
        Require kc-realm-role staff
    </Location>
</VirtualHost>
""", provider=provider)
    let_in(logged_in(httpd).get(httpd.url("/protected/")))
    provider.user = "bob"
    client = Client()
    assert client.login(httpd.url("/protected/")).status == 401
