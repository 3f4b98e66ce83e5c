"""Restarts under load: no request fails, no session is lost, none that was ended comes back."""

import threading
import time

import pytest

from support.client import Client
from support.expect import let_in, logged_in
from support.site import MARKER
from support.wrk import Wrk
from test_parallel import together
from test_renew import copy_of

PEOPLE = 200
BUSY = 8
SHMCB = "shmcb:${ROOT}/run/sessions(8000000)"


@pytest.fixture(params=["signed", "encrypted", "server", "redis"])
def site(request, new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    if request.param == "redis":
        redis = request.getfixturevalue("redis")
        return new_httpd(provider=provider, options={"modules": [redis.module]},
                         KCAuthSession="server", KCAuthSessionStore=redis.directive)
    return new_httpd(provider=provider, KCAuthSession=request.param, KCAuthSessionStore=SHMCB)


def test_ten_graceful_restarts_and_a_full_one(site, request, tmp_path):
    page = site.url("/protected/")
    everybody = together(BUSY, lambda _: [logged_in(site) for _ in range(PEOPLE // BUSY)])
    people = [client for some in everybody for client in some]
    ended = []
    for client in people[:20]:
        ended.append(copy_of(client))
        client.get(site.url("/oauth/logout"), follow=False)
    people = people[20:]
    with Wrk(page, people, MARKER, tmp_path) as load:
        for _ in range(10):
            site.graceful()
            time.sleep(0.3)
            assert all(client.fetch(page).status == 401 for client in ended[::5])
    assert (load.failed, load.broken) == (0, 0), load.last_failure
    assert load.served > len(people)
    if request.node.callspec.params["site"] == "server":
        return  # httpd's own store ends with httpd
    with Wrk(page, people, MARKER, tmp_path) as load:
        time.sleep(0.5)
        site.restart()
        time.sleep(0.5)
    assert load.failed == 0, load.last_failure  # some were refused, but nobody was logged out
    assert load.served > len(people)
    assert all(client.fetch(page).status == 401 for client in ended)
    for client in people:
        let_in(client.get(page, follow=False))


def test_logouts_and_renewals_in_the_middle_of_restarts(new_httpd, new_provider, kind):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession=kind, KCAuthRevalidate=1,
                      KCAuthSessionStore=SHMCB)
    over = threading.Event()
    trouble = []

    def live(_):
        while not over.is_set():
            client = logged_in(httpd)
            for _ in range(8):
                time.sleep(0.15)
                let_in(client.get(httpd.url("/protected/")))
            copy = copy_of(client)
            client.get(httpd.url("/oauth/logout"))
            trouble.extend(["came back"] * (copy.fetch(httpd.url("/protected/")).status != 401))

    with_restarts = threading.Thread(target=restarts, args=(httpd, over))
    with_restarts.start()
    together(BUSY, live)
    with_restarts.join()
    assert trouble == []
    assert Client().fetch(httpd.url("/protected/")).status == 401


def restarts(httpd, over):
    try:
        for _ in range(5):
            time.sleep(0.8)
            httpd.graceful()
    finally:
        over.set()
