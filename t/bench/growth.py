"""What a logged-in request costs over an open page while something grows."""

import random
import socket
import time

from bench import cpu, picture, servers
from bench.tables import show, world
from support.stores import Redis

SLICE, ROUNDS = 1, 2

# mod_kcauth/session/revocation.c
TABLE_FRONT, TABLE_WORDS, TAG_BITS, FIRST_MOMENT = 128, 16384 * 16, 23, 1577836800

CHILDREN = """
StartServers %(count)d
ServerLimit %(count)d
MinSpareServers 1
MaxSpareServers %(count)d
MaxRequestWorkers %(count)d
MaxConnectionsPerChild 0
MaxKeepAliveRequests 0
KeepAliveTimeout 30
"""


def growth():
    with world(servers.ours) as (provider, sites):
        panels = [_roles(provider, sites), _clients(sites)]
    panels += [_children(), _revocations(), _sessions()]
    for what, steps, curves in panels:
        show(f"CPU over an open page, microseconds: {what}", ["", *(f"{step:,}" for step in steps)],
             [[label, *values] for label, values in curves.items()])
    picture.lines("bench-growth", "CPU per request over an open page", "microseconds", panels)


def _added(sites, user="alice", clients=16, keep=True):
    """{kind: microseconds over the open page}: the best of the rounds of one server."""
    plain, known = cpu.Best(), {kind: cpu.Best() for kind in sites}
    for _ in range(ROUNDS):
        for kind, site in sites.items():
            plain.add(cpu.load(site.httpd, site.page("open"), keep=keep, clients=clients,
                               time=SLICE))
            cookie = {"Cookie": site.login(user)}
            known[kind].add(cpu.load(site.httpd, site.page("admin"), cookie, keep=keep,
                                     clients=clients, time=SLICE))
    return {kind: best.microseconds - plain.microseconds for kind, best in known.items()}


def _panel(what, steps, measured):
    """Turns [{kind: value}], one a step, into {kind: [values]}."""
    return what, steps, {kind: [step[kind] for step in measured] for kind in measured[0]}


def _roles(provider, sites):
    steps = [1, 10, 100, 300, 1000]
    return _panel("roles of the person", steps,
                  [_added(sites, servers.with_roles(provider, count)) for count in steps])


def _clients(sites):
    steps = [1, 8, 64, 512]
    return _panel("clients at once", steps, [_added(sites, clients=count) for count in steps])


def _children():
    steps = [1, 4, 16, 64]
    return _panel("children (prefork)", steps, [_with_children(count) for count in steps])


def _with_children(count):
    def make(provider):
        return servers.ours(provider, mpm="prefork", tuning=CHILDREN % {"count": count})

    # On all CPUs: a lock is felt only where processes run at the same time.
    with world(make, pinned=False) as (_, sites):
        return _added(sites, clients=count)


def _revocations():
    steps = [0, 1_000, 60_000]
    with world(servers.ours) as (_, sites):
        measured = []
        for count in steps:
            _fill_table(sites["signed"].httpd, count)
            # A kept connection looks at the table only when something is revoked.
            measured.append(_added(sites, keep=False))
    return _panel("entries in the table of revocations (new connection)", steps, measured)


def _fill_table(httpd, count):
    """The children have the file mapped: words of 8 bytes, a time above a tag. It is an hour ago,
    so that nobody is logged out by it."""
    entry_time = int(1000 * (time.time() - 3600 - FIRST_MOMENT)) << TAG_BITS
    dice = random.Random(count)
    with (httpd.root / "kcauth" / "revoked").open("r+b") as table:
        for word in dice.sample(range(TABLE_WORDS), count):
            table.seek(TABLE_FRONT + 8 * word)
            table.write((entry_time | dice.randrange(1 << TAG_BITS)).to_bytes(8, "little"))


def _sessions():
    steps = [0, 1_000, 100_000, 1_000_000]
    redis = Redis().start()
    try:
        def make(provider):
            return servers.ours(provider, kinds=("server",), modules=("socache_redis",),
                                server=f"KCAuthSessionStore {redis.directive}\n")

        with world(make) as (_, sites):
            measured, there = [], 0
            for count in steps:
                _fill_redis(redis, there, count)
                there = count
                measured.append(_added(sites, keep=False))
        return _panel("entries in a Redis store (new connection)", steps, measured)
    finally:
        redis.stop()


def _fill_redis(redis, begin, end):
    with socket.create_connection(("127.0.0.1", redis.port)) as sock:
        stream = sock.makefile("rb")
        for first in range(begin, end, 10_000):
            last = min(first + 10_000, end)
            sock.sendall(b"".join(b"*3\r\n$3\r\nSET\r\n$12\r\n%012d\r\n$64\r\n%s\r\n"
                                  % (number, b"x" * 64) for number in range(first, last)))
            for _ in range(first, last):
                assert stream.readline() == b"+OK\r\n"
