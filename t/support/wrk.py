"""wrk, as people who use a site all the time."""

import pathlib
import re
import signal
import subprocess

LUA = pathlib.Path(__file__).with_name("sessions.lua")


class Wrk:
    """Runs until the block ends. Afterwards `served` answers were the page, `failed` were not, and
    `broken` requests had none."""

    def __init__(self, url, clients, marker, folder, connections=64):
        cookies = folder / "cookies"
        cookies.write_text("".join(client.jar.header(url) + "\n" for client in clients))
        self._command = ["wrk", "-t", "2", "-c", str(connections), "-d", "3600", "--timeout", "20",
                         "-s", str(LUA), url, "--", str(cookies), marker]

    def __enter__(self):
        self._process = subprocess.Popen(self._command, stdin=subprocess.DEVNULL, text=True,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGINT)
        said = self._process.communicate(timeout=60)[0]
        found = re.search(r"^result: (\d+) (\d+) (\d+) (.*)", said, re.MULTILINE)
        assert found, said
        self.served, self.failed, self.broken = (int(found[n]) for n in (1, 2, 3))
        self.last_failure = found[4]
