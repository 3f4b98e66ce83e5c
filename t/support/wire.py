"""The wire below the scripted provider: requests as they came, answers and how they are carried."""

import base64
import dataclasses
import http.server
import socket
import urllib.parse


@dataclasses.dataclass
class Reply:
    """An answer on the wire, and how it is carried."""
    status: int = 200
    body: bytes = b""
    headers: dict = dataclasses.field(default_factory=dict)
    delay: float = 0        # seconds before the first byte
    hang: bool = False      # never a byte, until the provider is reset or the peer goes
    cut: bool = False       # half of the body, then the connection is closed
    trickle: float = 0      # seconds between the bytes of a chunked body

    def like(self, **changes):
        return dataclasses.replace(self, **changes)


@dataclasses.dataclass
class Request:
    """What a client sent."""
    endpoint: str
    method: str
    path: str
    query: dict
    headers: dict
    body: bytes

    @property
    def form(self):
        return dict(urllib.parse.parse_qsl(self.body.decode(), keep_blank_values=True))

    @property
    def basic(self):
        """(id, secret) of the Authorization header, form-decoded as RFC 6749 2.3.1 says."""
        scheme, _, value = self.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return None
        pair = base64.b64decode(value).decode().split(":", 1)
        return tuple(urllib.parse.unquote_plus(part) for part in pair)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256
    allow_reuse_address = True

    def __init__(self, *args):
        self._open = set()
        super().__init__(*args)

    def get_request(self):
        """Who connects and is gone at once leaves nobody to be accepted: shutdown() would wait."""
        self.socket.settimeout(1)
        return super().get_request()

    def process_request(self, request, client_address):
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self):
        """Kept connections too: a provider that is down answers nobody."""
        for request in list(self._open):
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def handle_error(self, request, client_address):
        """A peer that goes away is what many tests do."""


def handler(provider):
    """What answers for the provider: by its route(), answer() and wait()."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        timeout = 30

        def _serve(self):
            parts = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("Content-Length") or 0)
            request = Request(provider.route(parts.path), self.command, self.path,
                              dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)),
                              {name.lower(): value for name, value in self.headers.items()},
                              self.rfile.read(length))
            self._send(provider.answer(request))

        do_GET = do_POST = do_HEAD = do_PUT = do_DELETE = _serve

        def _send(self, reply):
            if reply.hang:
                provider.wait(30)
                self.close_connection = True
                return
            if reply.delay:
                provider.wait(reply.delay)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.trickle:
                self._trickle(reply)
                return
            if "Content-Length" not in reply.headers:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if reply.cut:
                self.wfile.write(reply.body[:len(reply.body) // 2])
                self.close_connection = True
                return
            self.wfile.write(reply.body)

        def _trickle(self, reply):
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for byte in reply.body:
                self.wfile.write(b"1\r\n%c\r\n" % byte)
                self.wfile.flush()
                provider.wait(reply.trickle)
            self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_):
            """Quiet; tests read Provider.requests."""

    return Handler
