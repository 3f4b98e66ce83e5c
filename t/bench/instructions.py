"""Instructions of httpd per request, counted by callgrind: the figure that does not depend on the
machine's mood. One process serves all pages, so that start and watchdog do not count; what is kept
and compared is the ratio to the open page of the same run.

    t/bench/instructions            prints them, and fails when one is over the baseline
    t/bench/instructions --keep     writes t/bench/baseline.json
"""

import json
import pathlib
import re
import shutil
import socket
import sys
import tempfile

from bench import servers
from support.client import Client
from support.httpd import Httpd

BASELINE = pathlib.Path(__file__).with_name("baseline.json")
TOLERANCE = 1.10
WARM_UP, COUNTED = 20, 100
ONE_PROCESS = "MaxKeepAliveRequests 0\nKeepAliveTimeout 30\n"


class Counted(Httpd):
    """An httpd of one process below callgrind."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self._out = pathlib.Path(tempfile.mkdtemp(prefix="callgrind-", dir=self.root))
        self._out.chmod(0o777)
        self._dumps = 0

    def _command(self):
        # What only the session endpoint does writes down what was counted, and counts anew.
        return ["valgrind", "-q", "--tool=callgrind", "--separate-threads=yes",
                "--dump-before=kc_session_handler", f"--callgrind-out-file={self._out}/out",
                *super()._command(), "-X"]

    def _wait(self, condition, what, seconds=120):
        super()._wait(condition, what, seconds)

    def _starts(self):
        """A single process does not log that it begins."""
        return int(self._listens())

    def stop(self):
        """At once: a single process that is told to end does so in the middle of what it does."""
        self._process.kill()
        self._process.wait()
        Httpd.live.remove(self)
        shutil.rmtree(self.root)

    def instructions(self):
        """Those of the thread that serves, since the last call."""
        self._dumps += 1
        Client().request("GET", self.url("/oauth/session", port=self.ports[1]), cookies=False)
        dump = (self._out / f"out.{self._dumps}-01").read_text()
        return int(re.search(r"^totals: (\d+)", dump, re.MULTILINE)[1])


def requests(site, folder, headers, count, keep):
    """Sends them one after the other; each has to be answered by the page."""
    lines = [f"GET /{folder}/index.html HTTP/1.1", "Host: localhost",
             *(f"{name}: {value}" for name, value in headers.items())]
    if not keep:
        lines.append("Connection: close")
    data = ("\r\n".join(lines) + "\r\n\r\n").encode()
    sock = None
    for _ in range(count):
        sock = sock or socket.create_connection(("127.0.0.1", site.port), 60)
        sock.sendall(data)
        answer = _read(sock)
        assert answer.startswith(b"HTTP/1.1 200 "), answer
        if not keep:
            assert sock.recv(1) == b""
            sock.close()
            sock = None
    if sock:
        sock.close()


def _read(sock):
    answer = b""
    while not answer.endswith(servers.PAGE.encode()):
        more = sock.recv(65536)
        assert more, answer
        answer += more
    return answer


def per_request(site, folder, headers, keep):
    requests(site, folder, headers, WARM_UP, keep)
    site.httpd.instructions()
    for_nothing = site.httpd.instructions()
    requests(site, folder, headers, COUNTED, keep)
    return (site.httpd.instructions() - for_nothing) / COUNTED


def count():
    """{way: {page: instructions}}"""
    with servers.keycloak() as provider:
        sites = servers.ours(provider, make=Counted, mpm="prefork", tuning=ONE_PROCESS)
        httpd = sites["signed"].httpd.start()
        try:
            return _count(provider, sites)
        finally:
            httpd.stop()


def _count(provider, sites):
    many = servers.with_roles(provider, 300)
    ways = {"keep-alive": True, "new connection": False}
    first = sites["signed"].ready()
    found = {way: {"open": per_request(first, "open", {}, keep),
                   "basic": per_request(first, "basic", servers.BASIC_HEADER, keep)}
             for way, keep in ways.items()}
    for kind, site in sites.items():
        site.ready()
        for title, user in ((kind, "alice"), (f"{kind}, 300 roles", many)):
            cookie = {"Cookie": site.login(user)}
            for way, keep in ways.items():
                found[way][title] = per_request(site, "admin", cookie, keep)
    return found


def ratios(found):
    return {way: {page: round(number / pages["open"], 3) for page, number in pages.items()
                  if page not in ("open", "basic")} for way, pages in found.items()}


def over(found, kept):
    """What is more than a tenth above what is kept."""
    return [f"{page} ({way}): {ratio} of an open page, {kept[way][page]} is kept"
            for way, pages in ratios(found).items() for page, ratio in pages.items()
            if ratio > kept[way][page] * TOLERANCE]


def show(found):
    for way, pages in found.items():
        print(f"\nInstructions per request, {way}\n")
        for page, number in pages.items():
            more = number - pages["open"]
            print(f"{page:24}{number:10.0f}{more:+10.0f}{number / pages['open']:8.3f}")


def main():
    found = count()
    show(found)
    if "--keep" in sys.argv[1:]:
        BASELINE.write_text(json.dumps(ratios(found), indent=4) + "\n")
        return 0
    worse = over(found, json.loads(BASELINE.read_text()))
    print("\n".join(["", *worse]) if worse else "")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
