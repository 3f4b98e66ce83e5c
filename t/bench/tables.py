"""What t/bench/run measures; each function prints a table and draws it."""

import concurrent.futures
import contextlib
import time

from bench import cpu, picture, servers
from support.client import Client
from support.httpd import Httpd
from support.wait import until
from support.wire import Reply

WAYS = {"keep-alive": True, "new connection": False}
OPEN, BASIC, PEER, OURS = 0, 3, 4, 2     # colours


def show(title, heads, rows):
    """A table as Markdown has it."""
    print(f"\n### {title}\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}")
    for row in rows:
        print("| " + " | ".join(cell if isinstance(cell, str) else f"{cell:.1f}" for cell in row)
              + " |", flush=True)


@contextlib.contextmanager
def world(*makers, pinned=True):
    """Starts a provider and the servers that the makers make for it; ends all of them."""
    running = []
    with servers.keycloak() as provider:
        try:
            made = [maker(provider) for maker in makers]
            for thing in made:
                httpd = thing if isinstance(thing, Httpd) else next(iter(thing.values())).httpd
                cpu.apart(httpd.start) if pinned else httpd.start()
                running.append(httpd)
            for thing in made:
                if isinstance(thing, dict):
                    for site in thing.values():
                        site.ready()
            yield provider, *made
        finally:
            for httpd in running:
                httpd.stop()
            cpu.everywhere()


# --- one request ----------------------------------------------------------------------------------

ROUNDS, SLICE = 4, 1


def requests():
    """What a request costs: rounds in which every page has its turn."""
    with world(lambda _: servers.bare(), servers.ours, servers.theirs) as (
            provider, bare, ours, theirs):
        many = servers.with_roles(provider, 300)
        sums = {}
        for _ in range(ROUNDS):
            for way, keep in WAYS.items():
                _round(sums, way, keep, bare, {**theirs, **ours}, many)
    _tell_requests(sums)


def _round(sums, way, keep, bare, sites, many):
    def measure(name, httpd, url, headers=()):
        sums.setdefault((name, way), cpu.Best()).add(
            cpu.load(httpd, url, headers, keep=keep, time=SLICE))

    measure("open page", bare, bare.url("/open/index.html"))
    cookie = {"Cookie": sites["signed"].login(many)}
    measure("open page, sent a cookie of 300 roles", bare, bare.url("/open/index.html"), cookie)
    measure("Basic {SHA}", bare, bare.url("/basic/index.html"), servers.BASIC_HEADER)
    for kind, site in sites.items():
        # A session is made just before: one that is a minute old is written again.
        measure(f"{kind}, no session", site.httpd, site.page("known"))
        for size, user in (("small", "alice"), ("300 roles", many)):
            cookie = {"Cookie": site.login(user)}
            measure(f"{kind}, {size}", site.httpd, site.page("admin"), cookie)


def _tell_requests(sums):
    names = dict.fromkeys(name for name, _ in sums)
    plain = {way: sums["open page", way] for way in WAYS}
    rows = []
    for name in names:
        row = [_full_name(name)]
        for way in WAYS:
            found = sums[name, way]
            row += [found.microseconds, f"{found.microseconds - plain[way].microseconds:+.1f}",
                    f"{found.rate:.0f}", f"{100 * found.rate / plain[way].rate:.0f} %"]
        rows.append(row)
    heads = ["page"] + [f"{head}, {way}" for way in WAYS
                        for head in ("CPU us", "over open", "requests/s", "of open")]
    show("CPU of httpd per request", heads, rows)
    picture.bars("bench-requests", "CPU of httpd per request", "microseconds",
                 [(way, [(_full_name(name), sums[name, way].microseconds, _colour(name))
                         for name in names]) for way in WAYS])


def _full_name(name):
    return f"mod_auth_openidc {name}" if name.startswith(servers.PEERS) else name


def _colour(name):
    if name.startswith(servers.PEERS):
        return PEER
    return OURS if name.startswith(servers.SEALINGS) else BASIC if "Basic" in name else OPEN


# --- one login ------------------------------------------------------------------------------------

LOGINS, LOGIN_ROUNDS = 30, 4


def logins():
    """What a login costs, from the first redirect to the page."""
    with world(servers.ours, servers.theirs) as (_, ours, theirs):
        sites = {**theirs, **ours}
        sums = {kind: cpu.Best() for kind in sites}
        for turn in range(LOGIN_ROUNDS + 1):
            for kind, site in sites.items():
                found = _log_in(site)
                if turn:            # the first one opens connections
                    sums[kind].add(found)
    show("CPU of httpd per login", ["module", "CPU us", "of mod_auth_openidc client-cookie"],
         [[_full_name(kind), found.microseconds,
           f"{100 * found.microseconds / sums['client-cookie'].microseconds:.0f} %"]
          for kind, found in sums.items()])
    picture.bars("bench-logins", "CPU of httpd per login", "microseconds",
                 [("", [(_full_name(kind), found.microseconds, _colour(kind))
                        for kind, found in sums.items()])])


def _log_in(site):
    before, began = cpu.seconds(site.httpd), time.monotonic()
    for _ in range(LOGINS):
        site.login()
    return cpu.Sample(LOGINS, cpu.seconds(site.httpd) - before, time.monotonic() - began)


# --- Keycloak hangs -------------------------------------------------------------------------------

CROWDS, HANG = (0, 16, 64, 200), 6.0


def outage():
    """The token endpoint takes requests and does not answer; people try to log in."""
    rows, groups = [], []
    for name, maker in (("mod_kcauth", lambda p: servers.ours(p, kinds=("signed",))),
                        ("mod_auth_openidc", lambda p: servers.theirs(p, kinds=("shm",)))):
        worst = [_hang(maker, crowd) for crowd in CROWDS]
        colour = OURS if name == "mod_kcauth" else PEER
        for what in ("public", "logged in"):
            rows.append([f"{name}, {what}", *(_limited(found[what]) for found in worst)])
            groups.append((f"{name}, {what} page",
                           [(f"{crowd} people logging in", found[what], colour)
                            for crowd, found in zip(CROWDS, worst)]))
    show("Keycloak's token endpoint hangs: the worst latency of a page, milliseconds (64 workers)",
         ["module, page", *(f"{crowd} log in" for crowd in CROWDS)], rows)
    picture.bars("bench-outage", "Worst latency while Keycloak hangs", "milliseconds", groups)


def _limited(milliseconds):
    return f"over {HANG:.0f} s" if milliseconds >= 1000 * HANG else f"{milliseconds:.1f}"


def _hang(maker, crowd):
    with world(maker) as (provider, sites):
        site, = sites.values()
        pages = {"public": (site.page("open"), {}),
                 "logged in": (site.page("admin"), {"Cookie": site.login()})}
        answers = [Client().get(site.page("admin"), follow=False) for _ in range(min(crowd, 1))]
        provider.lie(token_reply=Reply(hang=True))
        with concurrent.futures.ThreadPoolExecutor(crowd + 2) as pool:
            for _ in range(crowd):
                pool.submit(_try_to_log_in, site)
            if answers:
                until(lambda: provider.count("token") > 1, "the first token request")
                time.sleep(0.5)
            watched = {what: pool.submit(_worst, url, headers)
                       for what, (url, headers) in pages.items()}
            found = {what: future.result() for what, future in watched.items()}
            provider.reset()
        return found


def _try_to_log_in(site):
    try:
        Client(site.provider.ca_file, timeout=2 * HANG).login(site.page("admin"))
    except OSError:
        pass


def _worst(url, headers):
    """Milliseconds of the slowest of the requests of some seconds."""
    worst, end = 0, time.monotonic() + HANG
    while time.monotonic() < end:
        began = time.monotonic()
        try:
            assert Client(timeout=HANG).request("GET", url, headers).status == 200
        except OSError:
            return 1000 * HANG
        worst = max(worst, 1000 * (time.monotonic() - began))
        time.sleep(0.02)
    return worst
