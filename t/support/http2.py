"""A client of HTTP/2: all requests of a list go out at once, each on a stream of its own."""

import socket
import ssl

import h2.config
import h2.connection
import h2.events

from support.client import Response


def http2(url_of_site, requests, ca_file=None, name="localhost"):
    """The answers, in the order of the requests, which are lists of (header, value) pairs."""
    port = int(url_of_site.rpartition(":")[2].strip("/"))
    with socket.create_connection(("127.0.0.1", port), 20) as sock:
        if ca_file:
            context = ssl.create_default_context(cafile=ca_file)
            context.set_alpn_protocols(["h2"])
            sock = context.wrap_socket(sock, server_hostname=name)
            assert sock.selected_alpn_protocol() == "h2"
        with sock:
            return _exchange(sock, requests)


def get(url, *cookies):
    """The headers of a navigation; each cookie is a header field, as browsers send them."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    return [(":method", "GET"), (":scheme", scheme), (":authority", host), (":path", "/" + path),
            ("accept", "text/html"), *(("cookie", cookie) for cookie in cookies if cookie)]


def _exchange(sock, requests):
    # An attacker's headers are not held to the rules.
    connection = h2.connection.H2Connection(h2.config.H2Configuration(
        client_side=True, header_encoding="utf-8", validate_outbound_headers=False,
        normalize_outbound_headers=False))
    connection.initiate_connection()
    streams = {}
    for headers in requests:
        stream = connection.get_next_available_stream_id()
        connection.send_headers(stream, headers, end_stream=True)
        streams[stream] = Response("", 0, {}, b"")
    open_streams = set(streams)
    sock.sendall(connection.data_to_send())
    while open_streams and (data := sock.recv(65536)):
        for event in connection.receive_data(data):
            answer = streams.get(getattr(event, "stream_id", None))
            if isinstance(event, h2.events.ResponseReceived):
                answer.headers = dict(event.headers)
                answer.status = int(answer.headers[":status"])
            elif isinstance(event, h2.events.DataReceived):
                answer.body += event.data
                connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                open_streams.discard(event.stream_id)
            elif isinstance(event, h2.events.ConnectionTerminated):
                open_streams.clear()
        sock.sendall(connection.data_to_send())
    return list(streams.values())
