"""The way from httpd to Keycloak, which a test can break: a reverse proxy for KCAuthInternalURL."""

import http.client
import http.server
import threading

from support.net import free_port
from support.wire import Server

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class Relay:
    """Passes every call on. `trouble` breaks the calls to paths that end in its key:

    "close"     the connection ends without an answer, after Keycloak has worked
    "cut"       it ends in the middle of the answer's body
    callable    makes another body from Keycloak's
    a list      one of these a call, and no trouble after the last
    """

    def __init__(self, port):
        self.port = free_port()
        self.origin = f"http://127.0.0.1:{self.port}"
        self.trouble = {}
        self.calls = []
        self._to = port
        self._server = None

    def start(self):
        self._server = Server(("127.0.0.1", self.port), _handler(self))
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def stop(self):
        """Nobody listens any more; start() begins again on the same port."""
        self._server.shutdown()
        self._server.server_close()

    def count(self, endpoint):
        return len([path for path in self.calls if path.endswith("/" + endpoint)])

    def forward(self, method, path, headers, body):
        """(status, headers, body) of Keycloak."""
        self.calls.append(path)
        connection = http.client.HTTPConnection("127.0.0.1", self._to, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def trouble_of(self, path):
        what = next((what for end, what in self.trouble.items() if path.endswith(end)), None)
        if isinstance(what, list):
            return what.pop(0) if what else None
        return what


def _handler(relay):
    class Handler(http.server.BaseHTTPRequestHandler):
        # HTTP/1.0: no connection is kept, so that after stop() nobody is served.
        def _serve(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))) or None
            status, headers, answer = relay.forward(self.command, self.path,
                                                    dict(self.headers), body)
            trouble = relay.trouble_of(self.path)
            if callable(trouble):
                answer = trouble(answer)
            if trouble != "close":
                self._send(status, headers, answer, len(answer) // 2 if trouble == "cut" else None)

        do_GET = do_POST = _serve

        def _send(self, status, headers, body, length):
            self.send_response(status)
            for name, value in headers:
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:length])
            self.wfile.flush()

        def log_message(self, *_):
            """Says nothing."""

    return Handler
