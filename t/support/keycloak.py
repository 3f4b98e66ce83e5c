"""A real Keycloak for the tests, and what an administrator does at its console."""

import fcntl
import functools
import http.client
import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import time
import urllib.parse

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from support.net import free_port

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = ROOT / "conf/demo/keycloak"
REALM_FILE = ROOT / "conf/demo/realm.json"
BUILD = ROOT / "build"
REALM = "LearningSoftware"
DEMO_ORIGIN = "http://localhost:${HTTPD_PORT:50100}"


class KeycloakError(AssertionError):
    """Keycloak did not do what the administrator told it."""


class Keycloak:
    """A server on a port of its own, with the demo's realm for an httpd on `demo_port`. In a
    folder that is `shared`, who comes first starts it for all, and whose folder it is stops it."""

    def __init__(self, shared=None):
        self._shared = shared
        BUILD.mkdir(exist_ok=True)
        self._folder = pathlib.Path(shared or tempfile.mkdtemp(prefix="keycloak-test-", dir=BUILD))
        self._token = None
        self._token_until = 0

    def start(self):
        self._folder.mkdir(exist_ok=True)
        with (self._folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.port, self.demo_port = self._ports()
            env = dict(os.environ, HTTPD_PORT=str(self.demo_port),
                       JAVA_OPTS_KC_HEAP="-Xms32m -Xmx256m")
            self._script("start", str(self._folder), str(self.port), str(REALM_FILE), env=env)
        self.origin = f"http://localhost:{self.port}"
        return self

    def stop(self):
        if not self._shared:
            self._script("stop", str(self._folder))
            shutil.rmtree(self._folder)

    def _ports(self):
        chosen = self._folder / "ports"
        if not chosen.exists():
            chosen.write_text(f"{free_port()} {free_port()}")
        return [int(port) for port in chosen.read_text().split()]

    def _script(self, *arguments, env=None):
        with tempfile.TemporaryFile("w+") as said:
            # Into a file: a pipe would stay open as long as the server that is started here.
            status = subprocess.call(["sh", str(SCRIPT), *arguments], env=env, timeout=600,
                                     stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            said.seek(0)
            if status != 0:
                raise KeycloakError(said.read())

    # The admin API

    def call(self, method, path, body=None):
        """What the admin API answers: JSON, text, or the id of what was created."""
        headers = {"Authorization": f"Bearer {self._admin_token()}",
                   "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body)
        status, answer_headers, answer = self.http(method, "/admin/realms" + path, data, headers)
        if status >= 400:
            raise KeycloakError(f"{method} {path}: {status} {answer}")
        if "Location" in answer_headers:
            return answer_headers["Location"].rpartition("/")[2]
        return json.loads(answer) if answer else None

    def _admin_token(self):
        if time.monotonic() > self._token_until:
            form = urllib.parse.urlencode({"grant_type": "password", "client_id": "admin-cli",
                                           "username": "admin", "password": "admin"})
            _, _, answer = self.http("POST", "/realms/master/protocol/openid-connect/token", form,
                                     {"Content-Type": "application/x-www-form-urlencoded"})
            self._token = json.loads(answer)["access_token"]
            self._token_until = time.monotonic() + 30
        return self._token

    def http(self, method, path, body=None, headers=()):
        """(status, headers, text)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body,
                               {"Host": f"localhost:{self.port}", **dict(headers)})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read().decode()
        finally:
            connection.close()

    def new_realm(self, name):
        """Another realm like the demo's; its clients serve an httpd of localhost on any port."""
        text = REALM_FILE.read_text().replace(DEMO_ORIGIN, "http://localhost")
        text = text.replace(REALM, name).replace(REALM.lower(), name.lower())
        realm = json.loads(text)
        # Every test has a realm: what takes Keycloak a second to make is made once or cheaply.
        realm["passwordPolicy"] = "hashAlgorithm(pbkdf2-sha256) and hashIterations(1)"
        realm["components"]["org.keycloak.keys.KeyProvider"] = _first_keys()
        self.call("POST", "", realm)
        return Realm(self, name)


class Realm:
    """A realm and its client `webapp`. support.site.settings takes it for a provider."""

    def __init__(self, keycloak, name=REALM, client_id="webapp", secret="webapp-demo-secret"):
        self.keycloak = keycloak
        self.name = name
        self.client_id = client_id
        self.secret = secret
        self.secrets = {secret}
        self.issuer = f"{keycloak.origin}/realms/{name}"
        self.discovery_url = f"{self.issuer}/.well-known/openid-configuration"

    def url(self, endpoint):
        return f"{self.issuer}/protocol/openid-connect/{endpoint}"

    def get(self, path=""):
        return self.keycloak.call("GET", f"/{self.name}{path}")

    def post(self, path, body=None):
        return self.keycloak.call("POST", f"/{self.name}{path}", body)

    def put(self, path, body=None):
        return self.keycloak.call("PUT", f"/{self.name}{path}", body)

    def delete(self, path, body=None):
        return self.keycloak.call("DELETE", f"/{self.name}{path}", body)

    def set(self, **settings):
        """Realm settings, by the names of the realm's JSON."""
        self.put("", settings)

    # Clients

    def client(self, client_id=None):
        """The client's JSON as the console knows it."""
        wanted = urllib.parse.quote(client_id or self.client_id, safe="")
        return self.get(f"/clients?clientId={wanted}")[0]

    def change_client(self, attributes=(), **changes):
        """Changes settings of our client."""
        client = self.client()
        client.update(changes)
        client["attributes"].update(attributes)
        self.put(f"/clients/{client['id']}", client)

    def new_client(self, client_id, roles=(), **changes):
        """A client as the console makes it, with its own roles. Returns the realm seen by it."""
        secret = f"secret of {client_id}"
        self.post("/clients", {
            "clientId": client_id, "protocol": "openid-connect", "publicClient": False,
            "secret": secret, "redirectUris": ["http://localhost/oauth/login/callback"],
            "attributes": {"post.logout.redirect.uris": "http://localhost/"}, **changes})
        other = Realm(self.keycloak, self.name, client_id, secret)
        for role in roles:
            other.new_role(role)
        return other

    def mapper(self, scope, name):
        """(path, JSON) of a mapper of a client scope."""
        scope_id = next(one["id"] for one in self.get("/client-scopes") if one["name"] == scope)
        path = f"/client-scopes/{scope_id}/protocol-mappers/models"
        found = next(one for one in self.get(path) if one["name"] == name)
        return f"{path}/{found['id']}", found

    def change_mapper(self, scope, name, **config):
        """Settings of a mapper, their dots written as two underscores."""
        path, mapper = self.mapper(scope, name)
        mapper["config"].update({key.replace("__", "."): value for key, value in config.items()})
        self.put(path, mapper)

    def add_mapper(self, kind, **config):
        """A mapper on our client; see change_mapper."""
        client = self.client()["id"]
        self.post(f"/clients/{client}/protocol-mappers/models", {
            "name": kind, "protocol": "openid-connect", "protocolMapper": kind,
            "config": {key.replace("__", "."): value for key, value in config.items()}})

    def move_scope(self, scope, to):
        """Makes a client scope of our client "default", "optional" or None of both."""
        client = self.client()["id"]
        scope_id = next(one["id"] for one in self.get("/client-scopes") if one["name"] == scope)
        self.delete(f"/clients/{client}/default-client-scopes/{scope_id}")
        if to:
            self.put(f"/clients/{client}/{to}-client-scopes/{scope_id}")

    # People and roles

    def user_id(self, name):
        return self.get(f"/users?exact=true&username={name}")[0]["id"]

    def new_role(self, name, client_id=None):
        """A role of a client, ours without another word."""
        client = self.client(client_id)["id"]
        self.post(f"/clients/{client}/roles", {"name": name})

    def give(self, user, role, client_id=None):
        """A client's role to a person."""
        client = self.client(client_id)["id"]
        found = self.get(f"/clients/{client}/roles/{urllib.parse.quote(role, safe='')}")
        self.post(f"/users/{self.user_id(user)}/role-mappings/clients/{client}", [found])

    def new_group(self, path, user):
        """The groups of a path like /sales/emea, the person in the last one."""
        group = None
        for name in path.strip("/").split("/"):
            group = self.post(f"/groups/{group}/children" if group else "/groups", {"name": name})
        self.put(f"/users/{self.user_id(user)}/groups/{group}")

    # Keys

    def new_key(self, algorithm, priority=1000):
        """A new signing key, which signs at once. Returns its component's id."""
        kind, config = _key_provider(algorithm)
        return self.post("/components", {
            "name": f"{algorithm}-{priority}", "providerId": kind,
            "providerType": "org.keycloak.keys.KeyProvider",
            "config": {"priority": [str(priority)], "enabled": ["true"], "active": ["true"],
                       **{key: [value] for key, value in config.items()}}})

    def sign_with(self, algorithm, curve=None):
        """ID token and access token of our client are signed so from now on."""
        self.new_key(curve or algorithm)
        self.change_client({"id.token.signed.response.alg": algorithm,
                            "access.token.signed.response.alg": algorithm})

    # What happened

    def keep_events(self):
        self.set(eventsEnabled=True, enabledEventTypes=[
            "CODE_TO_TOKEN", "CODE_TO_TOKEN_ERROR", "USER_INFO_REQUEST"])

    def events(self, kind):
        """What Keycloak notes of logins and calls, the newest first; see keep_events."""
        return self.get(f"/events?type={kind}")

    def sessions(self, user):
        """The person's sessions at Keycloak."""
        return self.get(f"/users/{self.user_id(user)}/sessions")


@functools.cache
def _first_keys():
    """The keys that a realm of Keycloak's has at first, the RSA keys made once for all realms."""
    return [{"name": kind, "providerId": kind,
             "config": {"priority": ["100"], **{key: [value] for key, value in config.items()}}}
            for kind, config in [
                ("rsa", {"algorithm": "RS256", "privateKey": _private_key()}),
                ("rsa-enc", {"algorithm": "RSA-OAEP", "privateKey": _private_key()}),
                ("hmac-generated", {"algorithm": "HS512"}),
                ("aes-generated", {})]]


def _private_key():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                             serialization.NoEncryption()).decode()


def _key_provider(algorithm):
    """(providerId, config) that make a key for the algorithm; Ed25519 and Ed448 for EdDSA."""
    if algorithm.startswith("Ed"):
        return "eddsa-generated", {"eddsaEllipticCurveKey": algorithm}
    if algorithm.startswith("ES"):
        curve = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}[algorithm]
        return "ecdsa-generated", {"ecdsaEllipticCurveKey": curve}
    return "rsa-generated", {"algorithm": algorithm, "keySize": "2048"}
