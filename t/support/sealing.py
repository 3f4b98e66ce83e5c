"""Seals as the module makes them, for a test that knows the secret."""

import hashlib
import hmac
import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from support.jose import b64, unb64

KINDS = ["signed", "encrypted"]
VERSION = 1


class Seal:
    """Of the session cookies of one site, which is configured with this KCAuthSessionKey."""

    def __init__(self, kind, secret, provider, cookie="kcauth", version=VERSION):
        self.kind = kind
        self.version = bytes([version])
        parts = ("session", cookie, provider.issuer, provider.client_id)
        info = self.version + bytes([KINDS.index(kind)])
        info += b"".join(len(part).to_bytes(4, "big") + part.encode() for part in parts)
        self._key = HKDF(hashes.SHA256(), 32, None, info).derive(secret.encode())

    def make(self, record):
        if self.kind == "signed":
            data = self.version + record
            return b64(data + self._mac(data))
        nonce = os.urandom(12)
        return b64(self.version + nonce + AESGCM(self._key).encrypt(nonce, record, self.version))

    def open(self, text):
        """The record in it."""
        sealed = unb64(text)
        assert sealed[:1] == self.version
        if self.kind == "signed":
            assert hmac.compare_digest(self._mac(sealed[:-32]), sealed[-32:])
            return sealed[1:-32]
        return AESGCM(self._key).decrypt(sealed[1:13], sealed[13:], self.version)

    def _mac(self, data):
        return hmac.digest(self._key, data, hashlib.sha256)
