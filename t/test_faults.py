"""What fails below httpd: children are killed, the disk is full, descriptors run out, the clock jumps.

Each time: nobody gets in who should not, who is logged in stays so, and the server goes on."""

import os
import pathlib
import resource
import secrets
import shutil
import signal
import threading
import time

import pytest

from support.client import Client
from support.expect import let_in, logged_in, refused, table
from support.httpd import HttpdError
from support.notices import logout_token, post_logout_token
from support.site import PAGES
from support.wait import until
from test_parallel import together
from test_renew import copy_of

HOUR = 3600


def hanging(honest):
    return honest.like(hang=True)


def attempt(work):
    """Work whose connection may be lost."""
    try:
        return work()
    except OSError:
        return None


# Children that are killed

def both_log_in(httpd):
    return together(2, lambda _: Client().login(httpd.url("/protected/")).status) == [200, 200]


def test_child_is_killed_in_the_middle_of_logins(new_httpd, new_provider):
    """What it had under way is forgotten: the bulkhead has all its places again."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthMaxCalls=2, KCAuthTimeout=60)
    insider = logged_in(httpd)
    for _ in range(2):
        provider.lie(token_reply=hanging)
        asked = provider.count("token")
        people = [threading.Thread(target=attempt,
                                   args=(lambda: Client().login(httpd.url("/protected/")),))
                  for _ in range(2)]
        for person in people:
            person.start()
        until(lambda: provider.count("token") == asked + 2, "two that wait")
        refused(Client().login(httpd.url("/protected/")), httpd, 503, "KC0231")
        httpd.kill_children()
        for person in people:
            person.join()
        provider.tell_the_truth()
        until(lambda: both_log_in(httpd), "httpd to see that its child is gone")
        let_in(insider.get(httpd.url("/protected/"), follow=False))


def test_child_is_killed_in_the_middle_of_a_renewal(new_httpd, new_provider, clock):
    """The session goes on; somebody else renews it when the flight's time is over."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthRevalidate=5, KCAuthTimeout=60, clock=clock)
    client = logged_in(httpd)
    clock.set(6)
    provider.lie(token_reply=hanging)
    asked = provider.count("token")
    other = threading.Thread(target=attempt,
                             args=(lambda: copy_of(client).get(httpd.url("/protected/")),))
    other.start()
    until(lambda: provider.count("token") > asked, "the renewal")
    httpd.kill_children()
    other.join()
    provider.tell_the_truth()
    asked = provider.count("token")
    let_in(client.get(httpd.url("/protected/")))
    assert provider.count("token") == asked
    clock.set(6 + 66)
    let_in(client.get(httpd.url("/protected/")))
    assert provider.count("token") == asked + 1


def test_child_is_killed_that_fetches_for_all(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    provider.lie(discovery_reply=hanging)
    httpd = new_httpd(provider=provider, wait=False, KCAuthTimeout=3)
    until(lambda: provider.count("discovery"), "the fetch")
    httpd.kill_children()
    assert Client().get(httpd.url("/")).status == 200
    provider.tell_the_truth()
    until(lambda: Client().get(httpd.url("/protected/"), follow=False).status == 302,
          "another to fetch", seconds=20)


class Lookups:
    """Cookies that are nobody's: each has to be looked for in the store, with its lock."""

    def __init__(self, httpd, count):
        self._url = httpd.url("/protected/")
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._work) for _ in range(count)]

    def __enter__(self):
        for thread in self._threads:
            thread.start()

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _work(self):
        while not self._over.is_set():
            attempt(lambda: look_up(self._url, 30))


def look_up(url, timeout):
    cookie = {"Cookie": f"kcauth={secrets.token_urlsafe(32)}"}
    return Client(timeout=timeout).request("GET", url, cookie)


def stopped_with_the_lock(httpd, probes=400):
    """Stops children until the others wait for one of them: that one has the lock."""
    for _ in range(probes):
        for child in httpd._children():
            os.kill(int(child), signal.SIGSTOP)
            if attempt(lambda: look_up(httpd.url("/protected/"), 0.3)) is None:
                return child
            os.kill(int(child), signal.SIGCONT)
    raise AssertionError("no child was met with the lock")


def test_child_is_killed_with_the_lock_of_the_store(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession="server",
                      KCAuthSessionStore="dbm:${ROOT}/run/sessions",
                      options={"mpm": "event", "modules": ["socache_dbm"]})
    client = logged_in(httpd)
    with Lookups(httpd, 4):
        httpd.kill_child(stopped_with_the_lock(httpd))
        let_in(client.get(httpd.url("/protected/"), follow=False))
    let_in(client.get(httpd.url("/protected/"), follow=False))
    logged_in(httpd)


def test_children_are_killed_at_work_in_the_store(new_httpd, new_provider):
    """The cache in shared memory, at any moment."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession="server",
                      KCAuthSessionStore="shmcb:${ROOT}/run/sessions(1000000)")
    client = logged_in(httpd)
    with Lookups(httpd, 4):
        for _ in range(3):
            httpd.kill_children()
            until(lambda: attempt(lambda: let_in(client.get(httpd.url("/protected/"),
                                                            follow=False))), "a child")
    logged_in(httpd)


# The disk

def test_full_disk_at_start(new_httpd, new_provider):
    """No table of revocations, no start; what is there already is enough."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider)
    state = httpd.root / "kcauth"
    for file in state.iterdir():
        # All their room is taken: nothing that is written to them later needs more.
        info = file.stat()
        assert info.st_blocks * 512 >= info.st_size
    httpd.halt()
    (state / "revoked").unlink()
    httpd.limits = {resource.RLIMIT_FSIZE: 1_000_000}
    with pytest.raises(HttpdError, match="KC0147"):
        httpd.start()
    httpd.limits = {}
    httpd.start()
    let_in(Client().login(httpd.url("/protected/")))


def test_full_disk_at_run_time(new_httpd, new_provider):
    """No file can grow, the log neither."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider)
    client, other = logged_in(httpd), logged_in(httpd)
    for child in httpd._children():
        httpd.limit_child(child, fsize=0)
    httpd.log.mark()
    let_in(client.get(httpd.url("/protected/"), follow=False))
    ended = copy_of(other)
    other.get(httpd.url("/oauth/logout"), follow=False)
    assert ended.fetch(httpd.url("/protected/")).status == 401
    logged_in(httpd)
    assert httpd.log.text() == ""
    for child in httpd._children():
        httpd.limit_child(child, fsize="unlimited")
    assert ended.fetch(httpd.url("/protected/")).status == 401
    logged_in(httpd)
    httpd.log.wait_for("KC0500")


@table("folder", [("no-folder", "/dev/null/kcauth"), ("read-only", "/proc/kcauth")])
def test_state_folder_that_cannot_be_written_at_start(new_httpd, new_provider, folder):
    with pytest.raises(HttpdError, match="KC0144"):
        new_httpd(provider=new_provider(kinds=["ES256"]), KCAuthStateDir=folder)


def test_state_folder_that_is_gone_at_run_time(new_httpd, new_provider):
    """What it holds is in memory."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider)
    client, other = logged_in(httpd), logged_in(httpd)
    shutil.rmtree(httpd.root / "kcauth")
    ended = copy_of(other)
    other.get(httpd.url("/oauth/logout"), follow=False)
    assert ended.fetch(httpd.url("/protected/")).status == 401
    let_in(client.get(httpd.url("/protected/"), follow=False))
    logged_in(httpd)


# Descriptors

def closing(honest):
    """No connection is kept, whose descriptor would serve the next call."""
    return honest.like(headers={**honest.headers, "Connection": "close"})


def leave_one_descriptor(httpd):
    for child in httpd._children():
        taken = {int(entry.name) for entry in pathlib.Path(f"/proc/{child}/fd").iterdir()}
        httpd.limit_child(child, nofile=next(n for n in range(1024) if n not in taken) + 1)


def test_out_of_descriptors(new_httpd, new_provider):
    """A connection is possible, a call to Keycloak, or to a store, is not. A child of the worker MPM
    that meets this while it accepts gives up what it listens with, and so has descriptors again."""
    provider = new_provider(kinds=["ES256"])
    provider.lie(discovery_reply=closing, jwks_reply=closing, token_reply=closing)
    httpd = new_httpd(provider=provider, KCAuthSession="signed", options={"mpm": "event"})
    client, waiting = logged_in(httpd), Client()
    callback = waiting.get(waiting.get(httpd.url("/protected/"), follow=False).location,
                           follow=False).location
    time.sleep(0.5)
    leave_one_descriptor(httpd)
    refused(waiting.get(callback), httpd, 503, "KC0[12]..")
    assert client.get(httpd.url("/oauth/session"), follow=False).status == 200
    for child in httpd._children():
        httpd.limit_child(child, nofile=1024)
    let_in(client.get(httpd.url("/protected/"), follow=False))
    logged_in(httpd)


# The clock

def honest_at(provider, seconds):
    """The provider's tokens, as by a clock that is so far ahead."""
    def moved(claims):
        return {name: value + seconds if name in ("exp", "iat", "auth_time") else value
                for name, value in claims.items()}

    provider.lie(id_token=moved, access_token=moved)


@pytest.fixture
def set_back_and_forth(new_httpd, new_provider, clock):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSessionIdle=2 * HOUR, clock=clock)
    return httpd, provider


@table("seconds", [("forward", HOUR), ("back", -HOUR)])
def test_clock_jumps(set_back_and_forth, clock, seconds):
    httpd, provider = set_back_and_forth
    page = httpd.url("/protected/")
    clients = [logged_in(httpd) for _ in range(4)]
    copies = [copy_of(client) for client in clients]
    sids = list(provider.sessions)
    clients[1].get(httpd.url("/oauth/logout"), follow=False)
    clock.set(seconds)
    clients[2].get(httpd.url("/oauth/logout"), follow=False)
    now = int(time.time()) + seconds
    token = logout_token(provider, sid=sids[3], iat=now, exp=now + 120)
    assert post_logout_token(httpd, token).status == 200
    for _ in range(2):
        let_in(clients[0].get(page))
        assert [copy.fetch(page).status for copy in copies[1:]] == [401] * 3
        # Keycloak's clock is another: its tokens are of another time.
        refused(Client().login(page), httpd, 502, "KC040[68]")
        honest_at(provider, seconds)
        client = Client()
        let_in(client.login(page))
        let_in(client.get(page, follow=False))
        provider.tell_the_truth()
    clock.set(0)
    let_in(clients[0].get(page))
    assert [copy.fetch(page).status for copy in copies[1:]] == [401] * 3
    logged_in(httpd)


def test_roles_are_asked_for_after_the_clock_was_set_back(set_back_and_forth, clock):
    """The next renewal does not lie an hour ahead."""
    httpd, provider = set_back_and_forth
    client = logged_in(httpd)
    clock.set(-HOUR)
    honest_at(provider, -HOUR)
    asked = provider.count("token")
    for _ in range(2):
        let_in(client.get(httpd.url("/protected/")))
        assert provider.count("token") == asked + 1


MANY_CHILDREN = """
StartServers 32
ServerLimit 32
MinSpareServers 1
MaxSpareServers 32
MaxRequestWorkers 32
"""


def test_an_hour_of_many_children(new_httpd, new_provider, clock):
    """A fetch at the start, one an hour later, whatever the number of children."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(PAGES + MANY_CHILDREN, provider=provider, clock=clock,
                      options={"mpm": "prefork"})
    assert len(httpd._children()) >= 32
    for minute in range(1, 62):
        clock.set(60 * minute)
        together(4, lambda _: Client().get(httpd.url("/protected/"), follow=False))
    until(lambda: provider.count("discovery") > 1, "the hourly fetch")
    time.sleep(1.5)
    assert (provider.count("discovery"), provider.count("jwks")) == (2, 2)
