"""Ports and certificates for servers on loopback."""

import datetime
import ipaddress
import itertools
import os
import random
import socket
import ssl

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_ports = list(range(20000 + _worker, 32000, _workers))
random.Random(os.getpid()).shuffle(_ports)
_next_port = itertools.cycle(_ports)


def free_port():
    """A port of 127.0.0.1 that nobody listens on, below the ephemeral ones. Each worker of xdist
    has ports of its own, and none is given out twice before all were: what was found free may be
    taken a while later only."""
    for port in _next_port:
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Authority:
    """A certificate authority of our own, and the certificates that it gives out."""

    def __init__(self, folder):
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("Test CA")
        cert = self._sign(self._name, self._key.public_key(), x509.BasicConstraints(True, None))
        self.ca_file = self._write("ca.pem", _pem(cert))

    def certificate(self, *names):
        """(certificate file, key file) for host names or addresses."""
        key = ec.generate_private_key(ec.SECP256R1())
        alt = x509.SubjectAlternativeName([_general_name(name) for name in names])
        cert = self._sign(_name(names[0]), key.public_key(), alt)
        private = key.private_bytes(serialization.Encoding.PEM,
                                    serialization.PrivateFormat.PKCS8,
                                    serialization.NoEncryption())
        return (self._write(names[0] + ".crt", _pem(cert)),
                self._write(names[0] + ".key", private))

    def server_context(self, *names):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.certificate(*names))
        return context

    def _sign(self, subject, public_key, *extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        builder = (x509.CertificateBuilder()
                   .subject_name(subject)
                   .issuer_name(self._name)
                   .public_key(public_key)
                   .serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(hours=1))
                   .not_valid_after(now + datetime.timedelta(days=2)))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        return builder.sign(self._key, hashes.SHA256())

    def _write(self, name, data):
        path = self._folder / name
        path.write_bytes(data)
        return path


def _name(common_name):
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def _general_name(name):
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)
