"""What many virtual hosts cost at the start: time of `httpd -t` and of a graceful restart, and memory,
with the module and without."""

import os
import pathlib
import resource

from bench.tables import show
from support.httpd import Httpd

HOSTS, ROUNDS = 500, 5

HOST = """
<VirtualHost 127.0.0.1:${PORT}>
    ServerName host%(number)d.test
    %(host)s
    <Location "/page%(number)d">
        %(location)s
    </Location>
</VirtualHost>
"""

CLIENT = """
KCAuthDiscoveryURL "https://127.0.0.1:9/realms/bench"
KCAuthClientID "client%s"
KCAuthClientSecret "a secret of this bench"
"""

PROTECTED = "AuthType Keycloak\nRequire kc-role admin"

# In front of the hosts, in each host, in each Location.
KINDS = {"without the module": ("", "", "AuthType None\nRequire all granted"),
         "one client for all hosts": (CLIENT % "", "", PROTECTED),
         "a client for each host": ("", CLIENT % "%(number)d", PROTECTED)}


def start():
    rows, plain = [], None
    for kind, parts in KINDS.items():
        few, many = _measured(parts, 1), _measured(parts, HOSTS)
        plain = plain or many
        rows.append([kind, *(f"{1000 * many[what]:.0f} ({many[what] / plain[what]:.1f} x)"
                             for what in ("test", "restart")),
                     (many["memory"] - few["memory"]) / (HOSTS - 1)])
    show(f"{HOSTS} virtual hosts with a Location each",
         ["", "httpd -t, CPU ms", "graceful restart, CPU ms", "memory per host, KiB"], rows)


def _measured(parts, hosts):
    """CPU seconds of `httpd -t` and of the parent at a graceful restart, and its memory in KiB."""
    front, *_ = parts
    module = os.environ["KCAUTH_MODULE"] if "KCAuth" in "".join(parts) else None
    config = front + "".join(_host(number, parts) for number in range(hosts))
    httpd = Httpd(config, module=module, modules=["socache_shmcb"], log_level="warn notice")
    test = min(_configtest(httpd) for _ in range(ROUNDS))
    httpd.start()
    try:
        restart = min(_graceful(httpd) for _ in range(ROUNDS))
        return {"test": test, "restart": restart, "memory": _memory(httpd._process.pid)}
    finally:
        httpd.stop()


def _host(number, parts):
    _, host, location = parts
    return HOST % {"number": number, "host": host % {"number": number}, "location": location}


def _configtest(httpd):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    code, words = httpd.configtest()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert code == 0, words
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _graceful(httpd):
    before = _cpu(httpd._process.pid)
    httpd.graceful()
    return _cpu(httpd._process.pid) - before


def _cpu(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _memory(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Anonymous:"):
            return int(line.split()[1])
    raise AssertionError(f"no memory of {pid}")
