"""A scripted OpenID provider that speaks as Keycloak 26 speaks, and lies when told to.

Without a lie it is honest: it checks client, redirect URI, PKCE and code as Keycloak does. A test
tells it what to say otherwise, one word for each message:

    provider.lie(id_token={"iss": "https://evil.test"})    # claims that replace the honest ones
    provider.lie(id_token={"nonce": DROP})                 # a claim left out
    provider.lie(id_header={"alg": "none"})
    provider.lie(id_raw=lambda jwt: jwt + "x")             # the signed token, as sent
    provider.lie(token_reply=Reply(500))                   # what the wire carries

The points are those of `Provider.POINTS`. What is not a dict may be a function of the honest value.
"""

import copy
import dataclasses
import hashlib
import html
import json
import secrets
import threading
import time
import urllib.parse
import uuid

from support.jose import ALGORITHMS, Key, at_hash, b64, compact, decode, hmac_sign, rsa_key
from support.net import free_port
from support.wire import Reply, Server, handler

DROP = object()  # the value of a claim or member that is left out
REALM = "LearningSoftware"


@dataclasses.dataclass
class User:
    username: str
    given_name: str = ""
    family_name: str = ""
    email: str = ""
    client_roles: dict = dataclasses.field(default_factory=dict)
    realm_roles: list = dataclasses.field(default_factory=list)
    groups: list = dataclasses.field(default_factory=list)
    extra: dict = dataclasses.field(default_factory=dict)

    @property
    def sub(self):
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.username))

    def profile(self):
        """The claims of the scopes profile and email; absent where the user has none."""
        name = f"{self.given_name} {self.family_name}".strip()
        claims = {"email_verified": bool(self.email), "name": name,
                  "preferred_username": self.username, "given_name": self.given_name,
                  "family_name": self.family_name, "email": self.email}
        return {key: value for key, value in claims.items() if value != ""}

    def roles(self):
        claims = {}
        if self.realm_roles:
            claims["realm_access"] = {"roles": self.realm_roles}
        if self.client_roles:
            claims["resource_access"] = {client: {"roles": roles}
                                         for client, roles in self.client_roles.items()}
        return claims


ACCOUNT = {"account": ["manage-account", "manage-account-links", "view-profile"]}
DEFAULT_ROLES = ["default-roles-learningsoftware", "offline_access", "uma_authorization"]


def people(client_id):
    """The users of the realm: those of the demo's import, and some harder ones."""
    return {user.username: user for user in (
        User("alice", "Alice", "Adams", "alice@example.org",
             {client_id: ["admin"], **ACCOUNT}, [*DEFAULT_ROLES, "staff"]),
        User("bob", "Bob", "Brown", "bob@example.org",
             {client_id: ["editor"], **ACCOUNT}, DEFAULT_ROLES),
        User("carol", "Carol", "Clark", "carol@example.org", dict(ACCOUNT), DEFAULT_ROLES),
        User("dave"),
    )}


class Refusal(Exception):
    """An error answer of an endpoint."""

    def __init__(self, status, error, description=None):
        super().__init__(error)
        self.status = status
        self.error = error
        self.description = description


class Provider:
    POINTS = """discovery jwks authorization token userinfo
        id_header id_token id_text id_signer id_raw
        access_header access_token access_text access_signer access_raw
        discovery_reply jwks_reply authorization_reply token_reply userinfo_reply
        logout_reply revocation_reply""".split()

    def __init__(self, *, client_id="webapp", secret="webapp-secret", issuer_tail="",
                 host="127.0.0.1", tls=None, kinds=ALGORITHMS):
        """`secret` None is a public client; `tls` a server-side SSLContext."""
        self.client_id = client_id
        self.secret = secret
        self.host = host
        self.port = free_port()
        self.origin = f"{'https' if tls else 'http'}://{host}:{self.port}"
        self.issuer = f"{self.origin}/realms/{REALM}{issuer_tail}"
        self.keys = [Key(kind) for kind in kinds]
        self._first_keys = list(self.keys)
        self._refresh_key = secrets.token_bytes(64)
        self._lock = threading.Lock()
        self._tls = tls
        self._server = None
        self._released = threading.Event()
        self.reset()

    def reset(self):
        """Honest again, with nothing remembered."""
        self.tell_the_truth()
        self.requests = []
        self.codes = {}
        self.sessions = {}               # sid -> username
        self.refreshable = {}            # refresh token -> _Grant
        self.newest = {}                 # chain of refresh tokens -> the one given last
        self.session_states = {}         # sid -> what the client calls its session
        self.secrets = {self.secret}     # what may stand in no log

    def tell_the_truth(self):
        """Honest again; what was asked and who is logged in is kept."""
        self._released.set()
        self._released = threading.Event()
        self._lies = {}
        self.user = "alice"
        self.users = people(self.client_id)
        self.refresh_tokens = True       # the client's use.refresh.tokens
        self.rotation = False            # the realm's "Revoke Refresh Token"
        self.disabled = set()            # usernames
        self.not_before = 0              # of the realm, in seconds
        self.roles_in = {"access"}       # and "id", "userinfo": where mappers put the roles
        self.auth_methods = ["private_key_jwt", "client_secret_basic", "client_secret_post",
                             "tls_client_auth", "client_secret_jwt"]
        self.keys = list(self._first_keys)
        self.key = self.keys[0]

    # Life

    def start(self):
        self._server = Server(("127.0.0.1", self.port), handler(self))
        if self._tls:
            self._server.socket = self._tls.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        """Nobody listens any more; start() begins again on the same port."""
        if self._server:
            self._released.set()
            self._server.shutdown()
            self._server.server_close()
            self._server.close_connections()
            self._server = None

    # What tests say and ask

    def lie(self, **lies):
        for point in lies:
            assert point in self.POINTS, f"no such point: {point}"
        self._lies.update(lies)

    def sign_with(self, kind):
        """Tokens are signed by the key of this kind from now on."""
        self.key = next(key for key in self.keys if key.kind == kind)

    def rotate(self, kind="RS256", keep_old=True):
        """A new key signs at once, as after a new key provider in Keycloak."""
        self.key = Key(kind, kid=f"kid-{kind}-{secrets.token_hex(4)}",
                       private=rsa_key("rotated") if kind[1] == "S" and kind[0] in "RP" else None)
        self.keys = [self.key] + (self.keys if keep_old else [])

    def calls(self, endpoint):
        return [request for request in self.requests if request.endpoint == endpoint]

    def count(self, endpoint):
        return len(self.calls(endpoint))

    @property
    def asked(self):
        """The requests but those for metadata and keys, which come from the background too."""
        return [request for request in self.requests
                if request.endpoint not in ("discovery", "jwks")]

    @property
    def discovery_url(self):
        return f"{self.issuer.rstrip('/')}/.well-known/openid-configuration"

    def url(self, endpoint):
        return f"{self.origin}/realms/{REALM}/protocol/openid-connect/{endpoint}"

    # Messages

    def honest(self, point, value):
        """The value of a message after the lie about it, if any."""
        if point not in self._lies:
            return value
        lie = self._lies[point]
        if callable(lie):
            return lie(copy.deepcopy(value))
        if isinstance(lie, dict) and isinstance(value, dict):
            merged = {**value, **lie}
            return {key: item for key, item in merged.items() if item is not DROP}
        return lie

    def discovery(self):
        methods = [*ALGORITHMS[:9], "EdDSA", "HS256", "HS384", "HS512"]
        return {
            "issuer": self.issuer,
            "authorization_endpoint": self.url("auth"),
            "token_endpoint": self.url("token"),
            "introspection_endpoint": self.url("token/introspect"),
            "userinfo_endpoint": self.url("userinfo"),
            "end_session_endpoint": self.url("logout"),
            "frontchannel_logout_session_supported": True,
            "frontchannel_logout_supported": True,
            "jwks_uri": self.url("certs"),
            "check_session_iframe": self.url("login-status-iframe.html"),
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "acr_values_supported": ["0", "1"],
            "response_types_supported": ["code", "none", "id_token", "code id_token"],
            "subject_types_supported": ["public", "pairwise"],
            "prompt_values_supported": ["none", "login", "consent"],
            "id_token_signing_alg_values_supported": methods,
            "response_modes_supported": ["query", "fragment", "form_post", "query.jwt",
                                         "fragment.jwt", "form_post.jwt", "jwt"],
            "token_endpoint_auth_methods_supported": self.auth_methods,
            "code_challenge_methods_supported": ["plain", "S256"],
            "scopes_supported": ["openid", "profile", "email", "roles", "basic", "acr"],
            "claims_parameter_supported": True,
            "backchannel_logout_supported": True,
            "backchannel_logout_session_supported": True,
            "revocation_endpoint": self.url("revoke"),
            "authorization_response_iss_parameter_supported": True,
            "require_pushed_authorization_requests": False,
            "mtls_endpoint_aliases": {"token_endpoint": self.url("token")},
        }

    def jwks(self):
        encryption = Key("RS256", kid="kid-enc", private=rsa_key("enc"))
        return {"keys": [encryption.jwk(use="enc", alg="RSA-OAEP"),
                         *(key.jwk() for key in self.keys)]}

    def id_claims(self, grant, access_token):
        now = int(time.time())
        claims = {"exp": now + 300, "iat": now, "auth_time": grant.auth_time,
                  "jti": str(uuid.uuid4()), "iss": self.issuer, "aud": self.client_id,
                  "sub": grant.user.sub, "typ": "ID", "azp": self.client_id,
                  "nonce": grant.nonce, "sid": grant.sid,
                  "at_hash": at_hash(self.key.kind, access_token), "acr": "1",
                  **grant.user.profile(), **grant.user.extra}
        if grant.user.groups:
            claims["groups"] = grant.user.groups
        if "id" in self.roles_in:
            claims.update(grant.user.roles())
        return {key: value for key, value in claims.items() if value is not None}

    def access_claims(self, grant):
        now = int(time.time())
        claims = {"exp": now + 300, "iat": now, "auth_time": grant.auth_time,
                  "jti": f"onrtac:{uuid.uuid4()}", "iss": self.issuer}
        others = [client for client in grant.user.client_roles if client != self.client_id]
        if others:
            claims["aud"] = others[0] if len(others) == 1 else others
        claims.update(sub=grant.user.sub, typ="Bearer", azp=self.client_id, sid=grant.sid,
                      acr="1", **{"allowed-origins": ["http://localhost"]})
        if "access" in self.roles_in:
            claims.update(grant.user.roles())
        if grant.user.groups:
            claims["groups"] = grant.user.groups
        claims.update(scope="openid profile email", **grant.user.profile())
        return claims

    def userinfo_claims(self, user):
        claims = {"sub": user.sub, **user.profile()}
        if "userinfo" in self.roles_in:
            claims.update(user.roles())
        return claims

    def signed(self, kind, claims):
        """A token of the kind "id" or "access", with the lies about it."""
        header = {"alg": self.key.alg, "typ": "JWT", "kid": self.key.kid}
        header = self.honest(f"{kind}_header", header)
        claims = self.honest(f"{kind}_token", claims)
        header, claims = self.honest(f"{kind}_text", (header, claims))
        signer = self._lies.get(f"{kind}_signer", self.key.sign)
        return self.honest(f"{kind}_raw", compact(header, claims, signer))

    def token_answer(self, grant):
        access = self.signed("access", self.access_claims(grant))
        refresh = compact({"alg": "HS512", "typ": "JWT", "kid": "kid-internal"},
                          {"iss": self.issuer, "aud": self.issuer, "typ": "Refresh",
                           "azp": self.client_id, "sid": grant.sid, "jti": str(uuid.uuid4())},
                          hmac_sign(self._refresh_key, "HS512"))
        id_token = self.signed("id", self.id_claims(grant, access))
        self.secrets |= {access, refresh, id_token}
        self.refreshable[refresh] = dataclasses.replace(grant, issued=int(time.time()))
        self.newest[grant.chain] = refresh
        answer = {"access_token": access, "expires_in": 300, "refresh_expires_in": 1800,
                  "refresh_token": refresh, "token_type": "Bearer", "id_token": id_token,
                  "not-before-policy": self.not_before, "session_state": grant.sid,
                  "scope": "openid profile email"}
        if "openid" not in grant.scope:
            del answer["id_token"]
        if not self.refresh_tokens:
            del answer["refresh_token"]
        return answer

    # Endpoints: a Request in, an honest Reply out

    def answer(self, request):
        with self._lock:
            self.requests.append(request)
            try:
                reply = getattr(self, f"_{request.endpoint}")(request)
            except Refusal as refusal:
                body = {"error": refusal.error, "error_description": refusal.description}
                reply = _json_reply(body, status=refusal.status)
            point = f"{request.endpoint}_reply"
            return self.honest(point, reply) if point in self.POINTS else reply

    def _discovery(self, _):
        return _json_reply(self.honest("discovery", self.discovery()))

    def _jwks(self, _):
        return _json_reply(self.honest("jwks", self.jwks()))

    def _authorization(self, request):
        query = request.query
        if query.get("client_id") != self.client_id or "redirect_uri" not in query:
            return _page(400, "Invalid parameter: redirect_uri")
        try:
            sid, extra = self._single_sign_on(request)
            params = self._authorize(query, sid)
        except Refusal as refusal:
            extra = {}
            params = {"error": refusal.error, "error_description": refusal.description,
                      "state": query.get("state"), "iss": self.issuer}
        params = {key: value for key, value in params.items() if value is not None}
        params = self.honest("authorization", params)
        if query.get("response_mode") == "form_post":
            return _form_page(query["redirect_uri"], params, extra)
        target = query["redirect_uri"] + "?" + urllib.parse.urlencode(params)
        return Reply(302, b"", {"Location": target, "Cache-Control": "no-store", **extra})

    def _single_sign_on(self, request):
        """(sid, headers): the browser's session, or a new one of `user`."""
        cookies = dict(part.strip().split("=", 1)
                       for part in request.headers.get("cookie", "").split(";") if "=" in part)
        sid = cookies.get("KEYCLOAK_IDENTITY", "").partition(".")[0]
        if sid in self.sessions:
            return sid, {}
        if request.query.get("prompt") == "none":
            raise Refusal(302, "login_required")
        sid = secrets.token_urlsafe(18)
        self.sessions[sid] = self.user
        return sid, {"Set-Cookie": f"KEYCLOAK_IDENTITY={sid}.{secrets.token_hex(8)};Path=/realms/{REALM}/;HttpOnly"}

    def _authorize(self, query, sid):
        if query.get("response_type") != "code":
            raise Refusal(302, "unsupported_response_type")
        if query.get("code_challenge_method") != "S256":
            raise Refusal(302, "invalid_request", "Missing parameter: code_challenge_method")
        code = f"{uuid.uuid4()}.{sid}.{uuid.uuid4()}"
        self.secrets |= {code, query.get("nonce"), query.get("state")}
        self.codes[code] = _Grant(self.users[self.sessions[sid]], sid, query.get("nonce"),
                                  query["code_challenge"], query["redirect_uri"],
                                  query.get("scope", "").split(), int(time.time()))
        return {"state": query.get("state"), "session_state": sid, "iss": self.issuer,
                "code": code}

    def _token(self, request):
        if request.method != "POST":
            raise Refusal(405, "invalid_request", "HTTP 405 Method Not Allowed")
        form = request.form
        self.secrets.add(form.get("code_verifier"))
        self._authenticate(request, form)
        grants = {"authorization_code": self._by_code, "refresh_token": self._by_refresh_token}
        if form.get("grant_type") not in grants:
            raise Refusal(400, "unsupported_grant_type", "Unsupported grant_type")
        grant = grants[form["grant_type"]](form)
        if "client_session_state" in form:
            self.session_states[grant.sid] = form["client_session_state"]
        answer = self.honest("token", self.token_answer(grant))
        return _json_reply(answer, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})

    def _by_code(self, form):
        grant = self.codes.pop(form.get("code"), None)
        if grant is None or time.time() - grant.auth_time > 60:
            raise Refusal(400, "invalid_grant", "Code not valid")
        if form.get("redirect_uri") != grant.redirect_uri:
            raise Refusal(400, "invalid_grant", "Incorrect redirect_uri")
        if "code_verifier" not in form:
            raise Refusal(400, "invalid_grant", "PKCE code verifier not specified")
        verifier = form["code_verifier"].encode()
        if b64(hashlib.sha256(verifier).digest()) != grant.challenge:
            raise Refusal(400, "invalid_grant", "PKCE verification failed: Code mismatch")
        return grant

    def _by_refresh_token(self, form):
        token = form.get("refresh_token")
        grant = self.refreshable.get(token)
        if grant is None:
            raise Refusal(400, "invalid_grant", "Invalid refresh token")
        if grant.sid not in self.sessions:
            raise Refusal(400, "invalid_grant", "Session not active")
        user = self.users[self.sessions[grant.sid]]
        if user.username in self.disabled:
            raise Refusal(400, "invalid_grant", "User disabled")
        if grant.issued < self.not_before:
            raise Refusal(400, "invalid_grant", "Stale token")
        if grant.chain not in self.newest:
            raise Refusal(400, "invalid_grant", "Session doesn't have required client")
        if self.rotation and self.newest[grant.chain] != token:
            del self.newest[grant.chain]  # the newest dies with the one that was used twice
            raise Refusal(400, "invalid_grant", "Maximum allowed refresh token reuse exceeded")
        return dataclasses.replace(grant, user=user, nonce=None)

    def _revocation(self, request):
        form = request.form
        self._authenticate(request, form)
        grant = self.refreshable.get(form.get("token"))
        if grant is None:
            return _json_reply({"error": "invalid_token"})
        self.sessions.pop(grant.sid, None)
        return Reply(200, b"")

    def _authenticate(self, request, form):
        said = request.basic or (form.get("client_id"), form.get("client_secret"))
        if said[0] != self.client_id:
            raise Refusal(401, "invalid_client", "Invalid client or Invalid client credentials")
        if said[1] != self.secret:
            raise Refusal(401, "unauthorized_client",
                          "Invalid client or Invalid client credentials")

    def _userinfo(self, request):
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        try:
            sid = decode(token)[1]["sid"] if scheme == "Bearer" else None
        except (ValueError, KeyError):
            sid = None
        if sid not in self.sessions:
            return Reply(401, b"", {"WWW-Authenticate": f'Bearer realm="{REALM}", '
                                    'error="invalid_token", error_description="Token '
                                    'verification failed"'})
        user = self.users[self.sessions[sid]]
        return _json_reply(self.honest("userinfo", self.userinfo_claims(user)))

    def _logout(self, request):
        asked = request.query if request.method == "GET" else request.form
        if "id_token_hint" not in asked:
            return _page(200, "Do you want to log out?")
        try:
            claims = decode(asked["id_token_hint"])[1]
        except ValueError:
            return _page(400, "Invalid parameter: id_token_hint")
        if claims.get("aud") != asked.get("client_id", self.client_id):
            return _page(400, "Invalid parameter: id_token_hint")
        self.sessions.pop(claims.get("sid"), None)
        if "post_logout_redirect_uri" not in asked:
            return _page(200, "You are logged out")
        target = asked["post_logout_redirect_uri"]
        if "state" in asked:
            target += "?" + urllib.parse.urlencode({"state": asked["state"]})
        gone = f"KEYCLOAK_IDENTITY=;Path=/realms/{REALM}/;Max-Age=0"
        return Reply(302, b"", {"Location": target, "Set-Cookie": gone})

    def _unknown(self, _):
        return _json_reply({"error": "HTTP 404 Not Found"}, status=404)

    def route(self, path):
        base = f"/realms/{REALM}/"
        known = {base + ".well-known/openid-configuration": "discovery",
                 base + "protocol/openid-connect/certs": "jwks",
                 base + "protocol/openid-connect/auth": "authorization",
                 base + "protocol/openid-connect/token": "token",
                 base + "protocol/openid-connect/userinfo": "userinfo",
                 base + "protocol/openid-connect/logout": "logout",
                 base + "protocol/openid-connect/revoke": "revocation"}
        return known.get(path, "unknown")

    def wait(self, seconds):
        """Sleeps, but not longer than until the next reset or stop."""
        self._released.wait(seconds)


@dataclasses.dataclass
class _Grant:
    user: User
    sid: str
    nonce: str
    challenge: str
    redirect_uri: str
    scope: list
    auth_time: int
    issued: int = 0     # of a refresh token
    chain: str = dataclasses.field(default_factory=lambda: str(uuid.uuid4()))


def _json_reply(value, status=200, headers=()):
    body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False).encode()
    return Reply(status, body, {"Content-Type": "application/json", **dict(headers)})


def _page(status, text):
    body = f"<!DOCTYPE html><title>Keycloak</title><p>{html.escape(text)}</p>".encode()
    return Reply(status, body, {"Content-Type": "text/html;charset=utf-8"})


def _form_page(action, params, headers):
    fields = "".join(f'<input type="hidden" name="{html.escape(name)}" '
                     f'value="{html.escape(str(value))}"/>' for name, value in params.items())
    page = (f'<html><body onload="document.forms[0].submit()"><form method="post" '
            f'action="{html.escape(action)}">{fields}</form></body></html>')
    return Reply(200, page.encode(), {"Content-Type": "text/html;charset=utf-8", **headers})
