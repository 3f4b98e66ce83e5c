"""The servers that are compared: the same page, at the same depth, behind one module each.

    /open    for everybody
    /basic   Basic with {SHA}
    /known   nobody has to log in, but who did is known
    /admin   the role admin is needed
"""

import base64
import contextlib
import hashlib
import os
import pathlib
import tempfile

from support.client import Client
from support.httpd import Httpd
from support.net import Authority
from support.provider import Provider, User
from support.wait import until

SEALINGS = ("signed", "encrypted", "server")
PEERS = ("client-cookie", "shm")

PAGE = "<!DOCTYPE html><title>A page</title><p>" + "Some text. " * 20 + "</p>\n"

# Two children whose number never changes, and connections that are never closed by us.
CALM = """
StartServers 2
ServerLimit 2
ThreadsPerChild 32
MaxRequestWorkers 64
MinSpareThreads 1
MaxSpareThreads 64
MaxConnectionsPerChild 0
MaxKeepAliveRequests 0
KeepAliveTimeout 30
"""

COMMON = """
<Directory "/">
    AllowOverride None
</Directory>
<Directory "${ROOT}/htdocs">
    Require all granted
</Directory>
<Location "/open">
    Require all granted
</Location>
"""

BASIC = """
<Location "/basic">
    AuthType Basic
    AuthName bench
    AuthBasicProvider file
    AuthUserFile "${ROOT}/people"
    Require valid-user
</Location>
"""

OURS = """
<VirtualHost 127.0.0.1:%(port)d>
    ServerName localhost
    KCAuthDiscoveryURL "%(discovery_url)s"
    KCAuthClientID "%(client_id)s"
    KCAuthClientSecret "%(secret)s"
    KCAuthCAFile "%(ca_file)s"
    KCAuthSession %(kind)s
    %(more)s
    <Location "/known">
        AuthType Keycloak
        Require all granted
    </Location>
    <Location "/admin">
        AuthType Keycloak
        Require kc-role admin
    </Location>
</VirtualHost>
"""

# mod_auth_openidc with all that can be left out left out: no userinfo, no claims passed on, and
# endpoints that are written down, as it looks metadata up with every request.
THEIRS = """
<VirtualHost 127.0.0.1:%(port)d>
    ServerName localhost
    OIDCProviderIssuer "%(issuer)s"
    OIDCProviderAuthorizationEndpoint "%(auth)s"
    OIDCProviderTokenEndpoint "%(token)s"
    OIDCProviderTokenEndpointAuth client_secret_basic
    OIDCProviderJwksUri "%(certs)s"
    OIDCClientID "%(client_id)s"
    OIDCClientSecret "%(secret)s"
    OIDCRedirectURI "http://localhost:%(port)d/oidc/callback"
    OIDCCryptoPassphrase "a passphrase of this bench"
    OIDCPKCEMethod S256
    OIDCScope openid
    OIDCRemoteUserClaim preferred_username
    OIDCPassClaimsAs none
    OIDCCABundlePath "%(ca_file)s"
    %(kind)s
    %(more)s
    <Location "/oidc">
        AuthType openid-connect
        Require valid-user
    </Location>
    <Location "/known">
        AuthType openid-connect
        OIDCUnAuthAction pass
        Require all granted
    </Location>
    <Location "/admin">
        AuthType openid-connect
        Require claim "resource_access.%(client_id)s.roles:admin"
    </Location>
</VirtualHost>
"""

# Ours raises httpd's default by itself; 300 roles are more than 8190 bytes of cookies.
BIG_COOKIES = "LimitRequestFieldSize 65536\n"

KIND_OF_PEER = {"client-cookie": "OIDCSessionType client-cookie",
                "shm": "OIDCSessionType server-cache\n    OIDCCacheType shm\n    OIDCCacheShmEntrySizeMax 131072"}


@contextlib.contextmanager
def keycloak():
    """The scripted provider, on https as a real one would be."""
    with tempfile.TemporaryDirectory(prefix="kcauth-bench-") as folder:
        path = pathlib.Path(folder)
        path.chmod(0o755)
        authority = Authority(path)
        provider = Provider(tls=authority.server_context("127.0.0.1"), kinds=["RS256"])
        provider.ca_file = authority.ca_file
        provider.roles_in = {"access", "id"}  # where either module finds them
        provider.start()
        try:
            yield provider
        finally:
            provider.stop()


class Site:
    """One virtual host, and how one logs in to it."""

    def __init__(self, httpd, provider, port):
        self.httpd = httpd
        self.provider = provider
        self.port = port

    def url(self, path):
        return f"http://localhost:{self.port}{path}"

    def page(self, folder):
        return self.url(f"/{folder}/index.html")

    def login(self, username="alice"):
        """The Cookie header of somebody who has just logged in."""
        self.provider.user = username
        client = Client(self.provider.ca_file)
        answer = client.login(self.page("admin"))
        assert answer.status == 200 and answer.text == PAGE, answer.text
        return client.jar.header(self.page("admin"))

    def ready(self):
        """Waits for the metadata."""
        login = self.page("admin")
        until(lambda: Client().get(login, follow=False).status == 302, "the metadata", 60)
        return self


def with_roles(provider, count):
    """The name of a person who holds that many roles of our client; the one asked for is last."""
    name = f"roles{count}"
    roles = [f"department-{number:04}" for number in range(count - 1)] + ["admin"]
    provider.users[name] = User(name, "Rosa", "Roberts", f"{name}@example.org",
                                {provider.client_id: roles})
    return name


def bare(kind=Httpd, **options):
    """A server without any module of this kind: the open page, and Basic."""
    return _with_pages(kind(CALM + COMMON + BASIC, log_level="warn notice", **options))


def ours(provider, *, kinds=SEALINGS, mpm="event", tuning=CALM, more="", make=Httpd,
         modules=("socache_shmcb",), server="", **options):
    """{kind: Site} of one server that has a virtual host for each kind of session."""
    httpd = make("", module=os.environ["KCAUTH_MODULE"], mpm=mpm, ports=len(kinds) + 1,
                 modules=modules, log_level="notice", **options)
    hosts = [OURS % {"port": port, "kind": kind, "more": more,
                     "discovery_url": provider.discovery_url, "client_id": provider.client_id,
                     "secret": provider.secret, "ca_file": provider.ca_file} for kind, port in zip(kinds, httpd.ports[1:])]
    return _sites(httpd, provider, kinds, tuning + server + COMMON + BASIC + "".join(hosts))


def theirs(provider, *, kinds=PEERS, tuning=CALM, more="", **options):
    """The same with mod_auth_openidc."""
    httpd = Httpd("", mpm="event", ports=len(kinds) + 1, modules=["auth_openidc"],
                  log_level="notice", **options)
    hosts = [THEIRS % {"port": port, "kind": KIND_OF_PEER[kind], "more": more,
                       "issuer": provider.issuer, "auth": provider.url("auth"),
                       "token": provider.url("token"), "certs": provider.url("certs"),
                       "client_id": provider.client_id, "secret": provider.secret,
                       "ca_file": provider.ca_file}
             for kind, port in zip(kinds, httpd.ports[1:])]
    return _sites(httpd, provider, kinds, BIG_COOKIES + tuning + COMMON + "".join(hosts))


def _sites(httpd, provider, kinds, config):
    httpd.configure(config)
    _with_pages(httpd)
    return {kind: Site(httpd, provider, port) for kind, port in zip(kinds, httpd.ports[1:])}


def _with_pages(httpd):
    for folder in ("open", "basic", "known", "admin"):
        httpd.write(f"{folder}/index.html", PAGE)
    digest = base64.b64encode(hashlib.sha1(b"alice").digest()).decode()
    people = pathlib.Path(httpd.root, "people")
    people.write_text(f"alice:{{SHA}}{digest}\n")
    people.chmod(0o644)
    return httpd


BASIC_HEADER = {"Authorization": "Basic " + base64.b64encode(b"alice:alice").decode()}
