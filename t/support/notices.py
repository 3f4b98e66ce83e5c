"""What Keycloak sends to httpd when a session ends: logout tokens and admin actions."""

import time
import urllib.parse
import uuid

from support.client import Client
from support.jose import compact
from support.provider import DROP

EVENT = "http://schemas.openid.net/event/backchannel-logout"


def signed(provider, header, claims, signer=None):
    """A JWS of the provider's key; what is DROP is left out."""
    return compact(*({name: value for name, value in part.items() if value is not DROP}
                     for part in (header, claims)), signer or provider.key.sign)


def logout_token(provider, header=(), signer=None, **claims):
    """As Keycloak makes it; a test names sid or sub, and what it says otherwise."""
    now = int(time.time())
    honest = {"exp": now + 120, "iat": now, "jti": str(uuid.uuid4()), "iss": provider.issuer,
              "aud": provider.client_id, "typ": "Logout", "events": {EVENT: {}}}
    honest_header = {"alg": provider.key.alg, "typ": "logout+jwt", "kid": provider.key.kid}
    return signed(provider, {**honest_header, **dict(header)}, {**honest, **claims}, signer)


def admin_action(provider, kind, header=(), signer=None, **claims):
    """LOGOUT, PUSH_NOT_BEFORE or TEST_AVAILABILITY."""
    now = time.time()
    honest = {"id": f"{uuid.uuid4()}-{int(now * 1000)}", "expiration": int(now) + 30,
              "resource": provider.client_id, "action": kind}
    honest_header = {"alg": provider.key.alg, "typ": "JWT", "kid": provider.key.kid}
    return signed(provider, {**honest_header, **dict(header)}, {**honest, **claims}, signer)


def post(httpd, path, body, content_type):
    headers = {"Content-Type": content_type, "User-Agent": "Apache-HttpClient/4.5.14 (Java/17)"}
    return Client().request("POST", httpd.url(path), headers, body.encode())


def post_logout_token(httpd, token):
    return post(httpd, "/oauth/backchannel-logout",
                urllib.parse.urlencode({"logout_token": token}),
                "application/x-www-form-urlencoded")


def post_admin_action(httpd, endpoint, token):
    return post(httpd, "/oauth/" + endpoint, token, "text/plain; charset=ISO-8859-1")
