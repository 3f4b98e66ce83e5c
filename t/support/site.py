"""The site that most tests log in to: pages of each kind behind mod_kcauth."""

import os
import pathlib

from support import stores
from support.httpd import Httpd

# Nobody may see this who was not let in.
MARKER = "the secret of the protected page"

SHOW = """#!/bin/sh
printf 'Content-Type: text/plain\\r\\n\\r\\n'
exec env -0
"""

PAGES = """
Alias "/plain" "${ROOT}/htdocs"
ScriptAlias "/protected/show" "${ROOT}/cgi-bin/show"
ScriptAlias "/optional/show" "${ROOT}/cgi-bin/show"
ScriptAlias "/show" "${ROOT}/cgi-bin/show"
<Directory "${ROOT}">
    Require all granted
</Directory>
<Location "/protected">
    AuthType Keycloak
    Require valid-user
</Location>
<Location "/admin">
    AuthType Keycloak
    Require kc-role admin
</Location>
<Location "/optional">
    AuthType Keycloak
    Require all granted
</Location>
"""


def settings(provider, **directives):
    """The directives that connect a server to the provider. A keyword replaces or adds one
    (KCAuthTimeout=1), None leaves it out."""
    kind = os.environ.get("KCAUTH_SESSION", "signed")
    # The tests of a file may share a session for longer than five minutes, and their provider
    # forgets its refresh token from one to the next.
    wanted = {"KCAuthRevalidate": 3600, "KCAuthSession": None if kind == "signed" else kind,
              "KCAuthDiscoveryURL": provider.discovery_url, "KCAuthClientID": provider.client_id,
              "KCAuthClientSecret": provider.secret, **directives}
    return "\n".join(f'{name} {_quoted(value)}' for name, value in wanted.items()
                     if value is not None) + "\n"


def _quoted(value):
    """As httpd's configuration wants it; a list is several arguments."""
    if isinstance(value, (list, tuple)):
        return " ".join(_quoted(item) for item in value)
    text = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def make_httpd(config, **options):
    """An Httpd with the module and MPM that this run tests, and the site's files."""
    options.setdefault("mpm", os.environ.get("KCAUTH_MPM", "event"))
    options.setdefault("module", os.environ["KCAUTH_MODULE"])
    options.setdefault("log_level", "info kcauth:trace8")
    # A server that keeps sessions needs a store; httpd's default is this one.
    modules = [*options.get("modules", ()), "socache_shmcb"]
    store = stores.of_this_run()
    if store and options["module"]:
        modules.append(store.module)
        options["always"] = f'KCAuthSessionStore "{store.directive}"'
    options["modules"] = dict.fromkeys(modules)
    options.setdefault("sanitized", os.environ.get("KCAUTH_SANITIZED"))
    httpd = Httpd(config, **options)
    for folder in ("protected", "admin", "optional"):
        httpd.write(f"{folder}/index.html", f"<!DOCTYPE html><p>{folder}: {MARKER}</p>\n")
    httpd.write("index.html", "<!DOCTYPE html><p>public</p>\n")
    httpd.cgi("show", SHOW)
    return httpd


def seen(response):
    """The environment that the CGI script `show` printed."""
    assert response.status == 200, response.text
    return dict(item.split("=", 1) for item in response.text.split("\0") if "=" in item)


def module_path():
    path = pathlib.Path(os.environ.get("KCAUTH_MODULE", ""))
    return path if path.is_file() else None
