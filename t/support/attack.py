"""What an attack sends, and what must not come of it."""

import re
import socket
import threading
import time

from support.client import Client
from support.net import free_port
from support.site import MARKER
from support.wait import until

ENDPOINTS = ["/login", "/login/callback", "/logout", "/renew", "/session", "/backchannel-logout",
             "/frontchannel-logout", "/k_logout", "/k_push_not_before", "/k_test_available"]


def harmless(answer):
    """Nobody got in, nothing fell over."""
    assert answer.status != 500, answer.text
    assert MARKER not in answer.text
    return answer


def stays_here(answer, httpd, provider=None):
    """A redirect, if it is one, leads to this site or to the provider's login page."""
    harmless(answer)
    homes = [httpd.url("/")] + ([provider.url("auth") + "?", provider.url("logout") + "?"]
                                if provider else [])
    if answer.location:
        assert answer.location.startswith(tuple(homes)), answer.location
    return answer


def login_at(httpd, host):
    """Logs in at a virtual host whose name nobody resolves: the client, and the last answer."""
    client, headers = Client(), {"Host": host}

    def begin():
        answer = client.get(httpd.url("/oauth/login?next=/protected/"), headers, follow=False)
        return answer if answer.status != 503 or time.monotonic() > deadline else None

    deadline = time.monotonic() + 1.5  # the metadata may be on its way
    answer = until(begin, "an answer of the login")
    if answer.status == 302:
        back = client.get(answer.location, follow=False).location
        answer = client.get(back, headers, follow=False)
    return client, answer


def exchange(httpd, data, port=None):
    """Sends the bytes and no more; all bytes that come back until httpd closes."""
    if isinstance(data, str):
        data = data.encode("latin-1")
    with socket.create_connection(("127.0.0.1", port or httpd.port), 15) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        return read_all(sock)


def read_all(sock):
    got = b""
    try:
        while part := sock.recv(65536):
            got += part
    except ConnectionResetError:
        pass
    return got


def statuses(raw):
    """Of all answers in the bytes of a connection."""
    return [int(status) for status in re.findall(rb"^HTTP/1\.[01] (\d{3})", raw, re.MULTILINE)]


def harmless_bytes(raw):
    assert MARKER.encode() not in raw, raw
    assert 500 not in statuses(raw), raw
    return raw


class Backend:
    """Takes what a proxy sends, byte by byte, and answers each request with 200."""

    def __init__(self, headers=""):
        self.port = free_port()
        self.headers = headers
        self.heads = []
        self._listener = None

    def start(self):
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=64)
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def stop(self):
        self._listener.close()

    def names(self):
        """The names of all header lines that arrived, in small letters."""
        return [line.partition(":")[0].strip().lower()
                for head in self.heads for line in head.split("\r\n")[1:]]

    def _accept(self):
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            connection.settimeout(5)
            data = b""
            try:
                while b"\r\n\r\n" not in data:
                    part = connection.recv(65536)
                    if not part:
                        return
                    data += part
                head, _, body = data.decode("latin-1").partition("\r\n\r\n")
                self.heads.append(head)
                while not _is_whole(head, body):
                    part = connection.recv(65536)
                    if not part:
                        return
                    body += part.decode("latin-1")
                text = f"{MARKER}\n{head}"
                connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{self.headers}"
                                   f"Content-Length: {len(text)}\r\nConnection: close\r\n\r\n{text}"
                                   .encode("latin-1"))
            except OSError:
                pass


def _is_whole(head, body):
    if re.search(r"^transfer-encoding:.*chunked", head, re.IGNORECASE | re.MULTILINE):
        return body.endswith("0\r\n\r\n") or re.search(r"0\r\n([^\r\n]+\r\n)*\r\n$", body)
    length = re.search(r"^content-length: *(\d+)", head, re.IGNORECASE | re.MULTILINE)
    return not length or len(body) >= int(length[1])
