"""Redis and memcached, on a port of the test's."""

import atexit
import functools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile

from support.net import free_port
from support.wait import until


class StoreServer:
    """A server that httpd may keep sessions in; its content is gone when it stops."""

    module = spec = None

    def __init__(self):
        self.port = free_port()
        self.directive = f"{self.spec}:127.0.0.1:{self.port}"
        self._folder = tempfile.mkdtemp(prefix="kcauth-store-")
        self._process = None

    def start(self):
        self._process = subprocess.Popen(self.command(), cwd=self._folder,
                                         stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                         stderr=subprocess.DEVNULL)
        until(self._listens, f"{self.spec} to listen")
        return self

    def kill(self):
        """As a crash: no goodbye. start() begins again on the same port."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self):
        """It takes connections, but says nothing more, until go_on()."""
        self._process.send_signal(signal.SIGSTOP)
        until(self._stands_still, f"{self.spec} to stop")

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)

    def stop(self):
        self.kill()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _stands_still(self):
        """Each thread is stopped by itself."""
        threads = pathlib.Path(f"/proc/{self._process.pid}/task").glob("*/stat")
        return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in threads)

    def _listens(self):
        with socket.socket() as sock:
            return sock.connect_ex(("127.0.0.1", self.port)) == 0


class Redis(StoreServer):
    module, spec = "socache_redis", "redis"

    def command(self):
        return ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--save", "",
                "--appendonly", "no"]

    def entries(self):
        """{key: value} of all that it holds."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            stream = sock.makefile("rwb")
            return {key: _ask(stream, b"GET", key) for key in _ask(stream, b"KEYS", b"*")}

    def readings(self):
        """How often an entry was asked for."""
        with socket.create_connection(("127.0.0.1", self.port), 5) as sock:
            said = _ask(sock.makefile("rwb"), b"INFO", b"commandstats").decode()
            found = re.search(r"^cmdstat_get:calls=(\d+)", said, re.MULTILINE)
            return int(found[1]) if found else 0


class Memcached(StoreServer):
    module, spec = "socache_memcache", "memcache"

    def command(self):
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        return ["memcached", "-l", "127.0.0.1", "-p", str(self.port), "-U", "0", *user]


@functools.cache
def of_this_run():
    """The server that KCAUTH_STORE names, for all tests of the run; None without."""
    name = os.environ.get("KCAUTH_STORE")
    if not name:
        return None
    store = {Redis.spec: Redis, Memcached.spec: Memcached}[name]().start()
    atexit.register(store.stop)
    return store


def _ask(stream, *words):
    """One command in Redis's protocol, and its answer."""
    stream.write(b"*%d\r\n" % len(words))
    for word in words:
        stream.write(b"$%d\r\n%s\r\n" % (len(word), word))
    stream.flush()
    return _answer(stream)


def _answer(stream):
    kind, number = stream.read(1), int(stream.readline())
    if kind == b"*":
        return [_answer(stream) for _ in range(number)]
    assert kind == b"$", kind
    return stream.read(number + 2)[:-2]
