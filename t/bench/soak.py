"""Memory and descriptors of httpd's children over many logins and requests: see t/bench/soak."""

import pathlib
import re
import sys
import time

from bench import cpu, servers
from bench.__main__ import machine
from bench.tables import show, world
from support.client import NAVIGATION, Client, Jar
from support.wait import until
from support.wire import Request
from test_parallel import together

TENTHS, PIECE = 10, 512
PEOPLE = 64                 # as many as there are workers: after a tenth each has done all
NOISE, ROOM = 1.1, 1024     # of memory: a tenth and 1 MiB
# What glibc keeps aside, by arenas and by threads, grows for hours, until each of them has seen
# every size: it would look like a leak, and hide one.
NOTHING_ASIDE = {"MALLOC_ARENA_MAX": "1", "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0"}


def main(logins=100_000, requests=5_000_000):
    print(machine(), flush=True)
    rows = []
    def make(provider):
        return servers.ours(provider, server=f"KCAuthMaxCalls {PEOPLE}\n", env=NOTHING_ASIDE)

    with world(make, pinned=False) as (provider, sites):
        httpd = next(iter(sites.values())).httpd
        for tenth in range(1, TENTHS + 1):
            begin = time.monotonic()
            _log_in(provider, list(sites.values()), logins // TENTHS)
            middle = time.monotonic()
            _ask(list(sites.values()), requests // TENTHS)
            seconds = [middle - begin, time.monotonic() - middle]
            rows.append(_look(httpd))
            print(tenth, rows[-1], "%.0f s, %.0f s" % tuple(seconds), flush=True)
    _tell(rows, logins, requests)
    print(f"\n{machine()}")
    return _grown(rows)


# --- load -----------------------------------------------------------------------------------------

def _log_in(provider, sites, count):
    """Every way of keeping sessions in turn. The provider forgets between two pieces, or it would
    grow."""
    for first in range(0, count, PIECE):
        size = min(PIECE, count - first)
        together(PEOPLE, lambda person: [_one_login(provider, sites[number % len(sites)])
                                         for number in range(person, size, PEOPLE)])
        provider.reset()
        Jar.ever.clear()


def _one_login(provider, site):
    """The provider's page is left out: it is asked in this process."""
    client = Client()
    begun = client.get(site.page("admin"), follow=False)
    answer = provider.answer(Request("authorization", "GET", "", begun.query, {}, b""))
    done = client.request("GET", answer.headers["Location"], NAVIGATION)
    assert done.status == 303 and client.jar.named("kcauth(_[2-8])?"), done.text


def _ask(sites, count):
    """Every fifth slice with a new connection for each request."""
    turn = 0
    while count > 0:
        site = sites[turn % len(sites)]
        cookie = {"Cookie": site.login()}
        count -= cpu.load(site.httpd, site.page("admin"), cookie, keep=turn % 5 != 4,
                          clients=PEOPLE).requests
        turn += 1


# --- what is found --------------------------------------------------------------------------------

def _look(httpd):
    """{pid: (KiB of its own, descriptors)}, when all connections are closed."""
    until(lambda: not _connections(httpd), "the last connection", seconds=60, pause=0.5)
    found = {}
    for child in sorted(httpd._children(), key=int):
        status = pathlib.Path(f"/proc/{child}/status").read_text()
        if re.search(r"^Threads:\t1$", status, re.MULTILINE):
            continue        # the daemon of mod_cgid
        found[child] = (int(re.search(r"RssAnon:\s+(\d+)", status)[1]),
                        len(list(pathlib.Path(f"/proc/{child}/fd").iterdir())))
    return found


def _connections(httpd):
    """Established ones from us to its ports."""
    ports = {f"{port:04X}" for port in httpd.ports}
    lines = pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]
    return [line for line in lines
            if line.split()[3] == "01" and line.split()[1].partition(":")[2] in ports]


def _tell(rows, logins, requests):
    show("A long run: KiB of memory, and descriptors, of each child",
         ["logins", "requests", *(f"child {n}" for n in range(1, len(rows[0]) + 1))],
         [[f"{logins * tenth // TENTHS:,}", f"{requests * tenth // TENTHS:,}",
           *(f"{memory:,}, {descriptors}" for memory, descriptors in row.values())]
          for tenth, row in enumerate(rows, 1)])


def _grown(rows):
    """1 when the last tenth has more than the first, beyond noise, or other processes."""
    first, last = rows[0], rows[-1]
    if first.keys() != last.keys():
        print("children ended on the way")
        return 1
    grown = [child for child in first
             if last[child][0] > first[child][0] * NOISE + ROOM
             or last[child][1] > first[child][1] * NOISE + TENTHS]
    print("grown:" if grown else "nothing grew", *grown)
    return 1 if grown else 0


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
