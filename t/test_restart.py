"""Restarts under load: no request fails, no session is lost, none that was ended comes back."""

import threading
import time

import pytest

from support.client import Client
from support.expect import let_in, logged_in
from support.site import MARKER
from test_parallel import together
from test_renew import copy_of

PEOPLE = 200
BUSY = 8


@pytest.fixture
def site(new_httpd, new_provider, kind):
    provider = new_provider(kinds=["ES256"])
    return new_httpd(provider=provider, KCAuthSession=kind,
                     KCAuthSessionStore="shmcb:${ROOT}/run/sessions(8000000)"), provider


class Load:
    """People who use the site all the time, each request on a connection of its own."""

    def __init__(self, httpd, people):
        self._url = httpd.url("/protected/")
        self._people = people
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._use, args=(n,)) for n in range(BUSY)]
        self.served = 0
        self.failed = []

    def __enter__(self):
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _use(self, number):
        mine = self._people[number::BUSY]
        while not self._over.is_set():
            for client in mine:
                try:
                    answer = client.get(self._url, follow=False)
                    if answer.status != 200 or MARKER not in answer.text:
                        self.failed.append(answer.status)
                    self.served += 1
                except OSError as trouble:
                    self.failed.append(repr(trouble))
                if self._over.is_set():
                    break


def test_ten_graceful_restarts_and_a_full_one(site, kind):
    httpd, _ = site
    everybody = together(BUSY, lambda _: [logged_in(httpd) for _ in range(PEOPLE // BUSY)])
    people = [client for some in everybody for client in some]
    ended = []
    for client in people[:20]:
        ended.append(copy_of(client))
        client.get(httpd.url("/oauth/logout"), follow=False)
    people = people[20:]
    with Load(httpd, people) as load:
        for _ in range(10):
            httpd.graceful()
            time.sleep(0.3)
            assert all(client.fetch(httpd.url("/protected/")).status == 401
                       for client in ended[::5])
    assert load.failed == [] and load.served > len(people)
    httpd.restart()
    assert all(client.fetch(httpd.url("/protected/")).status == 401 for client in ended)
    if kind == "server":
        return  # httpd's own store ends with httpd; test_store.py has those that do not
    for client in people:
        let_in(client.get(httpd.url("/protected/"), follow=False))


def test_logouts_and_renewals_in_the_middle_of_restarts(new_httpd, new_provider, kind):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession=kind, KCAuthRevalidate=1,
                      KCAuthSessionStore="shmcb:${ROOT}/run/sessions(8000000)")
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
