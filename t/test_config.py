"""Mistakes in the configuration stop httpd -t, and say what would be right."""

import pytest

from support.httpd import HttpdError
from support.expect import table
from support.site import make_httpd

REALM = "https://sso.example.org/realms/x"
GOOD = f"KCAuthDiscoveryURL {REALM}\nKCAuthClientID webapp\nKCAuthClientSecret s\n"
PLACE = "<Location /x>\nAuthType Keycloak\n%s\n</Location>\n"

# case, configuration, words of the message
MISTAKES = [
    ("no-client-id", f"KCAuthDiscoveryURL {REALM}\n", ["KCAuthClientID"]),
    ("no-discovery-url", "KCAuthClientID webapp\n", ["KCAuthDiscoveryURL"]),
    ("http-elsewhere", GOOD.replace("https:", "http:"), ["https", "loopback"]),
    ("loopback-look-alike", GOOD.replace(REALM, "http://127.0.0.1.evil.test/realms/x"),
     ["https", "loopback"]),
    ("localhost-look-alike", GOOD.replace(REALM, "http://localhost.evil.test/realms/x"),
     ["https", "loopback"]),
    ("no-url", GOOD.replace(REALM, "sso.example.org"), ["KCAuthDiscoveryURL"]),
    ("other-scheme", GOOD.replace("https:", "ftp:"), ["KCAuthDiscoveryURL"]),
    ("url-with-password", GOOD.replace("https://", "https://u:p@"), ["KCAuthDiscoveryURL"]),
    ("url-empty", GOOD.replace(REALM, '""'), ["KCAuthDiscoveryURL"]),
    ("secret-file-missing", GOOD.replace(" s\n", " file:/nowhere/secret\n"),
     ["KCAuthClientSecret", "/nowhere/secret", "No such file"]),
    ("secret-file-empty", GOOD.replace(" s\n", " file:/dev/null\n"),
     ["KCAuthClientSecret", "/dev/null"]),
    ("secret-variable-missing", GOOD.replace(" s\n", " env:NO_SUCH_NAME\n"),
     ["KCAuthClientSecret", "NO_SUCH_NAME"]),
    ("secret-command-missing", GOOD.replace(" s\n", " exec:/nowhere/command\n"),
     ["KCAuthClientSecret", "/nowhere/command"]),
    ("secret-command-fails", GOOD.replace(" s\n", " exec:/bin/false\n"),
     ["KCAuthClientSecret", "/bin/false"]),
    ("secret-empty", GOOD.replace(" s\n", ' ""\n'), ["KCAuthClientSecret"]),
    ("no-role", GOOD + PLACE % "Require kc-role", ["kc-role"]),
    ("no-realm-role", GOOD + PLACE % "Require kc-realm-role", ["kc-realm-role"]),
    ("no-client", GOOD + PLACE % "Require kc-client-role", ["kc-client-role"]),
    ("client-without-role", GOOD + PLACE % "Require kc-client-role x", ["kc-client-role"]),
    ("no-group", GOOD + PLACE % "Require kc-group", ["kc-group"]),
    ("role-empty", GOOD + PLACE % 'Require kc-role ""', ["kc-role"]),
    ("unknown-require", GOOD + PLACE % "Require kc-rolle admin", ["kc-rolle"]),
    ("unknown-directive", GOOD + "KCAuthColour red\n", ["KCAuthColour"]),
    ("session-kind-unknown", GOOD + "KCAuthSession paper\n",
     ["KCAuthSession", "signed", "encrypted", "server"]),
    ("session-store-unknown", GOOD + "KCAuthSession server\nKCAuthSessionStore paper\n",
     ["KCAuthSessionStore"]),
    ("revalidate-word", GOOD + "KCAuthRevalidate often\n", ["KCAuthRevalidate"]),
    ("revalidate-other-word", GOOD + "KCAuthRevalidate 300 never\n", ["KCAuthRevalidate"]),
    ("max-calls-none", GOOD + "KCAuthMaxCalls 0\n", ["KCAuthMaxCalls", "1 at least"]),
    ("response-mode", GOOD + "KCAuthResponseMode fragment\n", ["query", "form_post"]),
    ("userinfo", GOOD + "KCAuthUserInfo sometimes\n", ["auto", "on", "off"]),
    ("same-site", GOOD + "KCAuthCookieSameSite Loose\n", ["Lax", "Strict", "None"]),
    ("export", GOOD + "KCAuthExport all\n", ["env", "headers", "both", "off"]),
    ("timeout-word", GOOD + "KCAuthTimeout soon\n", ["KCAuthTimeout", "seconds"]),
    ("timeout-zero", GOOD + "KCAuthTimeout 0\n", ["KCAuthTimeout"]),
    ("timeout-negative", GOOD + "KCAuthTimeout -1\n", ["KCAuthTimeout"]),
    ("timeout-huge", GOOD + "KCAuthTimeout 99999999999999999999\n", ["KCAuthTimeout"]),
    ("timeout-with-unit", GOOD + "KCAuthTimeout 10s\n", ["KCAuthTimeout"]),
    ("idle-zero", GOOD + "KCAuthSessionIdle 0\n", ["KCAuthSessionIdle"]),
    ("path-relative", GOOD + "KCAuthPath oauth\n", ["KCAuthPath", "/oauth"]),
    ("path-root", GOOD + "KCAuthPath /\n", ["KCAuthPath"]),
    ("path-other-origin", GOOD + "KCAuthPath //evil.test\n", ["KCAuthPath"]),
    ("path-query", GOOD + "KCAuthPath /oauth?x\n", ["KCAuthPath"]),
    ("cookie-name", GOOD + 'KCAuthCookieName "a b"\n', ["KCAuthCookieName"]),
    ("cookie-name-separator", GOOD + "KCAuthCookieName a;b\n", ["KCAuthCookieName"]),
    ("base-url-with-path", GOOD + "KCAuthBaseURL https://www.example.org/app\n", ["KCAuthBaseURL"]),
    ("base-url-no-url", GOOD + "KCAuthBaseURL www.example.org\n", ["KCAuthBaseURL"]),
    ("internal-url-http", GOOD + "KCAuthInternalURL http://10.0.0.5:8080\n", ["KCAuthInternalURL"]),
    ("post-logout-url", GOOD + "KCAuthPostLogoutURL goodbye\n", ["KCAuthPostLogoutURL"]),
    ("post-logout-url-script", GOOD + "KCAuthPostLogoutURL javascript:x\n",
     ["KCAuthPostLogoutURL"]),
    ("scope-without-openid", GOOD + 'KCAuthScope "profile email"\n', ["openid"]),
    ("key-short", GOOD + "KCAuthSessionKey short\n", ["KCAuthSessionKey", "32"]),
    ("key-file-missing", GOOD + "KCAuthSessionKey file:/nowhere/key\n", ["/nowhere/key"]),
    ("keep-roles-empty", GOOD + 'KCAuthKeepRoles "realm:"\n', ["KCAuthKeepRoles"]),
    ("ca-file-missing", GOOD + "KCAuthCAFile /nowhere/ca.pem\n", ["/nowhere/ca.pem"]),
    ("server-directive-in-a-place", GOOD + PLACE % "KCAuthClientID x\nRequire valid-user",
     ["KCAuthClientID"]),
]


@table("config, words", MISTAKES)
def test_mistake_stops_httpd(config, words):
    httpd = make_httpd(config)
    try:
        status, output = httpd.configtest()
        assert status != 0
        for word in words:
            assert word in output, output
    finally:
        httpd.stop()


LINES = [case for case in MISTAKES if case[0] not in ("no-client-id", "no-discovery-url")]


@table("config, words", LINES)
def test_message_names_the_line(config, words):
    httpd = make_httpd(config)
    try:
        output = httpd.configtest()[1]
        assert "httpd.conf" in output and ("line" in output or "httpd.conf:" in output), output
    finally:
        httpd.stop()


@table("config", [
    ("shortest", GOOD),
    ("public-client", GOOD.replace("KCAuthClientSecret s\n", "")),
    ("well-known", GOOD.replace(REALM, REALM + "/.well-known/openid-configuration")),
    ("slash", GOOD.replace(REALM, REALM + "/")),
    ("loopback", GOOD.replace(REALM, "http://127.0.0.1:8080/realms/x")),
    ("loopback-name", GOOD.replace(REALM, "http://localhost:8080/realms/x")),
    ("loopback-six", GOOD.replace(REALM, "http://[::1]:8080/realms/x")),
    ("insecure-by-will", GOOD.replace("https:", "http:") + "KCAuthInsecureHTTP on\n"),
    ("nothing", ""),
    ("all-directives", GOOD + """
KCAuthInternalURL https://10.0.0.5:8443
KCAuthBaseURL https://www.example.org
KCAuthPath /oauth
KCAuthScope "openid profile"
KCAuthResponseMode form_post
KCAuthPostLogoutURL /bye
KCAuthTimeout 10
KCAuthConnectTimeout 2
KCAuthSession signed
KCAuthSessionKey 0123456789abcdef0123456789abcdef fedcba9876543210fedcba9876543210
KCAuthSessionIdle 1800
KCAuthSessionMax 36000
KCAuthCookieName kcauth
KCAuthCookieSameSite Lax
KCAuthKeepRoles realm:* other:admin
KCAuthUserClaim email
KCAuthUserInfo auto
KCAuthExport env
KCAuthPassCookie off
"""),
    ("require-lines", GOOD + PLACE % """
Require kc-role a realm:b c:d "e f"
Require kc-realm-role g
Require kc-client-role urn:x:y z
Require kc-group /a/b
"""),
])
def test_good_configuration(config):
    httpd = make_httpd(config)
    try:
        assert httpd.configtest() == (0, "Syntax OK\n")
    finally:
        httpd.stop()


@table("spec, env", [
    ("value", "webapp-secret", {}),
    ("file", "file:secret.txt", {}),
    ("environment", "env:THE_SECRET", {"THE_SECRET": "webapp-secret"}),
    ("command", "exec:/bin/echo webapp-secret", {}),
])
def test_where_secrets_come_from(new_provider, spec, env):
    from conftest import ready
    from support.client import Client
    from support.expect import let_in
    from support.site import PAGES, settings
    provider = new_provider(kinds=["ES256"])
    httpd = make_httpd(settings(provider, KCAuthClientSecret=spec) + PAGES, env=env)
    httpd.write("../secret.txt", "webapp-secret\n")
    try:
        httpd.start()
        ready(httpd)
        let_in(Client().login(httpd.url("/protected/")))
    finally:
        httpd.stop()


def test_secrets_are_not_in_messages():
    secret = "a-very-secret-value"
    httpd = make_httpd(f"KCAuthDiscoveryURL {REALM}\nKCAuthClientSecret {secret}\n"
                       f"KCAuthSessionKey {secret}\n")
    try:
        status, output = httpd.configtest()
        assert status != 0 and secret not in output
    finally:
        httpd.stop()


def test_state_folder_that_cannot_be_made():
    httpd = make_httpd(GOOD + "KCAuthStateDir /dev/null/x\n")
    try:
        with pytest.raises(HttpdError) as stopped:
            httpd.start()
        assert "/dev/null/x" in str(stopped.value)
    finally:
        httpd.stop()


def test_key_file_that_is_too_short():
    httpd = make_httpd(GOOD)
    (httpd.root / "kcauth").mkdir()
    (httpd.root / "kcauth" / "session.key").write_text("short")
    try:
        with pytest.raises(HttpdError) as stopped:
            httpd.start()
        assert "session.key" in str(stopped.value)
    finally:
        httpd.stop()


def test_auth_type_without_a_site(new_httpd):
    """AuthType Keycloak where nothing is configured: refused, and the log says what is missing."""
    from support.client import Client
    from support.site import MARKER, PAGES
    httpd = new_httpd(PAGES)
    answer = Client().get(httpd.url("/protected/"), follow=False)
    assert answer.status >= 400
    assert MARKER not in answer.text
    assert "KCAuthDiscoveryURL" in httpd.log.wait_for("KC01")


def test_virtual_hosts_with_realms_of_their_own(new_httpd, new_provider):
    from support.client import Client
    from support.expect import logged_in, sent_to_login
    from support.site import PAGES, settings
    one, two = new_provider(kinds=["ES256"]), new_provider(kinds=["ES256"], client_id="second")
    config = "".join(f'<VirtualHost 127.0.0.1:${{{port}}}>\nServerName localhost\n'
                     f'DocumentRoot "${{ROOT}}/htdocs"\n{settings(provider)}{PAGES}</VirtualHost>\n'
                     for port, provider in (("PORT", one), ("PORT2", two)))
    httpd = new_httpd(config, options={"ports": 2})
    from conftest import ready
    ready(httpd)
    second = httpd.url("/protected/", port=httpd.ports[1])
    from support.wait import until
    until(lambda: Client().get(second, follow=False).status == 302, "the second realm")
    sent_to_login(Client().get(httpd.url("/protected/"), follow=False), one)
    sent_to_login(Client().get(second, follow=False), two)
    # Cookies know no ports, so both hosts get the session: it is good at its own alone.
    client = logged_in(httpd)
    sent_to_login(client.get(second, follow=False), two)
