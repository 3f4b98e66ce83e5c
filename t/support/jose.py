"""Keys and signed tokens of the scripted provider, and all that can be done wrong with them."""

import base64
import hashlib
import hmac
import json

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, ed448, padding, rsa, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HASHES = {"256": hashes.SHA256, "384": hashes.SHA384, "512": hashes.SHA512}
CURVES = {"ES256": ("P-256", ec.SECP256R1, 32), "ES384": ("P-384", ec.SECP384R1, 48),
          "ES512": ("P-521", ec.SECP521R1, 66)}
EDWARDS = {"Ed25519": ed25519.Ed25519PrivateKey, "Ed448": ed448.Ed448PrivateKey}
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512",
              "ES256", "ES384", "ES512", "Ed25519", "Ed448"]

_rsa_keys = {}


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def rsa_key(name, bits=2048):
    """An RSA key, made once for all providers of this process, as making one takes long."""
    if name not in _rsa_keys:
        _rsa_keys[name] = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return _rsa_keys[name]


class Key:
    """A signing key. `kind` is an algorithm or, for EdDSA, the curve's name."""

    def __init__(self, kind, kid=None, private=None):
        self.kind = kind
        self.alg = "EdDSA" if kind in EDWARDS else kind
        self.kid = kid or f"kid-{kind}"
        self.private = private or self._generate()

    def _generate(self):
        if self.kind in EDWARDS:
            return EDWARDS[self.kind].generate()
        if self.kind in CURVES:
            return ec.generate_private_key(CURVES[self.kind][1]())
        return rsa_key(self.kind)

    def jwk(self, **changes):
        """The public key as Keycloak lists it. A change to None takes the member out."""
        members = {"kid": self.kid, "kty": "RSA", "alg": self.alg, "use": "sig"}
        public = self.private.public_key()
        if self.kind in EDWARDS:
            raw = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
            members.update(kty="OKP", crv=self.kind, x=b64(raw))
        elif self.kind in CURVES:
            name, _, size = CURVES[self.kind]
            point = public.public_numbers()
            members.update(kty="EC", crv=name, x=b64(point.x.to_bytes(size, "big")),
                           y=b64(point.y.to_bytes(size, "big")))
        else:
            numbers = public.public_numbers()
            members.update(n=b64(_unsigned(numbers.n)), e=b64(_unsigned(numbers.e)))
        members.update(changes)
        return {name: value for name, value in members.items() if value is not None}

    def sign(self, data, alg=None):
        alg = alg or self.alg
        if alg == "EdDSA":
            return self.private.sign(data)
        digest = HASHES[alg[2:]]()
        if alg.startswith("RS"):
            return self.private.sign(data, padding.PKCS1v15(), digest)
        if alg.startswith("PS"):
            pss = padding.PSS(padding.MGF1(HASHES[alg[2:]]()), digest.digest_size)
            return self.private.sign(data, pss, digest)
        r, s = utils.decode_dss_signature(self.private.sign(data, ec.ECDSA(digest)))
        size = CURVES[self.kind][2]
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    def public_pem(self):
        return self.private.public_key().public_bytes(Encoding.PEM,
                                                      PublicFormat.SubjectPublicKeyInfo)


def signing_input(header, payload):
    """Header and payload are JSON text, or what is made into JSON."""
    return ".".join(b64(_json(part).encode()) for part in (header, payload))


def compact(header, payload, sign):
    """A JWS; `sign` makes the signature from the signing input."""
    data = signing_input(header, payload)
    return data + "." + b64(sign(data.encode()))


def hmac_sign(secret, alg="HS256"):
    digest = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}[alg]
    return lambda data: hmac.new(secret, data, digest).digest()


def at_hash(kind, access_token):
    """OpenID Connect Core 3.1.3.6; the hash of EdDSA is the curve's own."""
    data = access_token.encode()
    if kind == "Ed448":
        return b64(hashlib.shake_256(data).digest(32))
    name = "sha512" if kind == "Ed25519" else "sha" + kind[2:]
    digest = hashlib.new(name, data).digest()
    return b64(digest[:len(digest) // 2])


def decode(token):
    """(header, payload) of a JWS, unverified."""
    header, payload, _ = token.split(".")
    return json.loads(unb64(header)), json.loads(unb64(payload))


def _json(part):
    if isinstance(part, str):
        return part
    return json.dumps(part, ensure_ascii=False, separators=(",", ":"))


def _unsigned(number):
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
