"""Keycloak hangs in every place where it can, with 100 people at it: what others notice."""

import concurrent.futures
import statistics
import time

from bench import servers
from bench.tables import show, world
from support.client import Client
from support.provider import DROP
from support.wire import Reply

CROWD, PROBES, SECONDS, DUE = 100, 500, 10, 30
HANG = Reply(hang=True)

PREFORK = """
StartServers 64
ServerLimit 64
MinSpareServers 1
MaxSpareServers 64
MaxRequestWorkers 64
MaxConnectionsPerChild 0
KeepAliveTimeout 5
"""
MPMS = {"event": servers.CALM, "prefork": PREFORK}

# where it hangs: (the lie, what the crowd does)
PLACES = {"nowhere": ({}, "log in"),
          "token endpoint": ({"token_reply": HANG}, "log in"),
          "discovery": ({"discovery_reply": HANG}, "log in"),
          "keys": ({"jwks_reply": HANG}, "log in"),
          "logout (revocation endpoint)": ({"revocation_reply": HANG}, "log out"),
          "renewal of 100 sessions": ({"token_reply": HANG}, "renew")}


def hangs():
    """A table: 500 probes each of two pages, and one more login, while 100 people wait."""
    rows = [[mpm, place, *_experiment(mpm, *PLACES[place])] for mpm in MPMS for place in PLACES]
    show(f"Keycloak hangs for {SECONDS} s, {CROWD} people are at it (64 workers, {PROBES} probes "
         "each, milliseconds)",
         ["MPM", "hangs", "public: median", "worst", "logged in: median", "worst",
          "one more login"], rows)


def _experiment(mpm, lie, act):
    def make(provider):
        # Where there is no page to send people to, a logout asks Keycloak, and so has to wait.
        provider.lie(discovery={"end_session_endpoint": DROP})
        return servers.ours(provider, kinds=("server" if act == "log out" else "signed",), mpm=mpm,
                            tuning=MPMS[mpm], more=f"KCAuthTimeout {SECONDS}\n"
                            f"KCAuthRevalidate {DUE}")

    with world(make, pinned=False) as (provider, sites):
        site, = sites.values()
        people = [_person(site) for _ in range(0 if act == "log in" else CROWD)]
        time.sleep(DUE if act == "renew" else 0)
        insider = _person(site).jar.header(site.page("admin"))
        if not lie.keys().isdisjoint(["discovery_reply", "jwks_reply"]):
            _forget_metadata(site, lambda: provider.lie(**lie))
        provider.lie(**lie)
        with concurrent.futures.ThreadPoolExecutor(CROWD + 2) as pool:
            for number in range(CROWD):
                pool.submit(ACTS[act], site, people[number] if people else None)
            time.sleep(1)
            probes = [pool.submit(_probe, site.page("open"), {}),
                      pool.submit(_probe, site.page("admin"), {"Cookie": insider})]
            one_more = _one_more(site)
            found = [milliseconds for probe in probes for milliseconds in probe.result()]
            provider.reset()
        return [*found, one_more]


def _person(site):
    client = _nobody(site)
    assert client.login(site.page("admin")).status == 200
    return client


def _nobody(site):
    return Client(site.provider.ca_file, 3 * SECONDS)


def _forget_metadata(site, lie):
    """Nothing is known from before, so that logins have to ask."""
    site.httpd.halt()
    for file in (site.httpd.root / "kcauth").glob("realm-*"):
        file.unlink()
    lie()
    site.httpd.start()


ACTS = {"log in": lambda site, _: _nobody(site).login(site.page("admin")),
        "log out": lambda site, person: person.get(site.url("/oauth/logout"), follow=False),
        "renew": lambda site, person: person.get(site.page("admin"))}


def _probe(url, headers):
    """Median and worst, in milliseconds."""
    took = []
    for _ in range(PROBES):
        began = time.monotonic()
        assert Client().request("GET", url, headers).status == 200
        took.append(1000 * (time.monotonic() - began))
        time.sleep(0.005)
    return statistics.median(took), max(took)


def _one_more(site):
    began = time.monotonic()
    status = _nobody(site).login(site.page("admin")).status
    return f"{status} in {1000 * (time.monotonic() - began):.0f} ms"
