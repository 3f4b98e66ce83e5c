"""Everything at once, from many threads: what TSan watches, and what must hold meanwhile."""

import itertools
import os
import random
import threading
import time

import pytest

from support.client import Client
from support.expect import let_in, logged_in
from support.notices import admin_action, logout_token, post_admin_action, post_logout_token
from support.site import PAGES, seen, settings
from test_renew import copy_of

PLACES = {"signed": ("signed", None), "encrypted": ("encrypted", None),
          "server": ("server", "shmcb:${ROOT}/run/sessions(8000000)"),
          "redis": ("server", "redis"), "cookies-and-redis": ("encrypted", "redis")}
SECONDS = 6 if os.environ.get("KCAUTH_SANITIZED") == "thread" else 1.5
KEYS = ["a" * 40, "b" * 40]
FINE = (200, 401, 403)


@pytest.fixture(params=PLACES)
def site(request, new_provider, new_httpd):
    """(httpd, provider, reconfigure): roles are a second old at the most."""
    kind, store = PLACES[request.param]
    provider = new_provider(kinds=["ES256"])
    modules = []
    if store == "redis":
        redis = request.getfixturevalue("redis")
        store, modules = redis.directive, [redis.module]
    directives = {"KCAuthSession": kind, "KCAuthSessionStore": store, "KCAuthRevalidate": 1,
                  "KCAuthSessionIdle": 4}

    def config(keys):
        return settings(provider, KCAuthSessionKey=keys, **directives) + PAGES

    httpd = new_httpd(config(KEYS), options={"modules": modules})
    return httpd, provider, lambda keys: httpd.configure(config(keys))


class Race:
    """Threads that do one thing again and again, until time is up or one of them fails."""

    def __init__(self):
        self.over = threading.Event()
        self.trouble = []
        self.done = {}

    def run(self, workers):
        threads = [threading.Thread(target=self._repeat, args=(worker,)) for worker in workers]
        for thread in threads:
            thread.start()
        self.over.wait(SECONDS)
        self.over.set()
        for thread in threads:
            thread.join()
        assert self.trouble == []
        assert len(self.done) == len(set(workers)), f"only some came to anything: {self.done}"

    def _repeat(self, work):
        try:
            while not self.over.is_set():
                work()
                self.done[work] = self.done.get(work, 0) + 1
        except Exception as trouble:  # the others are told, and the test fails
            self.trouble.append(f"{work.__name__}: {trouble!r}")
            self.over.set()


def test_refresh_logout_revocation_and_rotation_at_once(site):
    httpd, provider, reconfigure = site
    keys = itertools.cycle([KEYS, KEYS[::-1]])
    shared = [logged_in(httpd) for _ in range(4)]
    page, show = httpd.url("/protected/"), httpd.url("/protected/show")

    def browse():
        """Several connections of one person, whose session others renew and end."""
        client = random.choice(shared)
        status = copy_of(client).fetch(page, follow=True).status
        assert status in FINE, status
        copy_of(client).get(httpd.url("/oauth/session"), follow=False)

    def come_and_go():
        client = Client()
        if client.login(page).status == 200:
            old = copy_of(client)
            client.get(httpd.url("/oauth/logout"), follow=False)
            assert old.fetch(page).status == 401, "came back after a logout"

    def be_signed_out():
        client = Client()
        if client.login(page).status != 200:
            return
        answer = client.fetch(show, follow=True)
        if answer.status == 200:
            token = logout_token(provider, sid=seen(answer)["KC_SID"])
            assert post_logout_token(httpd, token).status == 200
            assert client.fetch(page, follow=True).status == 401, "came back after a notice"

    def sign_in_again():
        shared[random.randrange(len(shared))] = fresh = Client()
        assert fresh.login(page).status in FINE

    def sign_out_everybody():
        time.sleep(0.4)
        token = logout_token(provider, sub=provider.users["alice"].sub)
        assert post_logout_token(httpd, token).status == 200
        assert post_admin_action(httpd, "k_logout", admin_action(provider, "LOGOUT")).status == 204

    def make_up_logouts():
        url = httpd.url("/oauth/frontchannel-logout?sid=nobody&iss=") + provider.issuer
        assert Client().get(url).status == 200

    def rotate_here():
        time.sleep(0.7)
        reconfigure(next(keys))
        httpd.graceful()

    provider.rotate("ES256")  # all of them meet a key that is not known yet
    Race().run([browse] * 4 + [come_and_go] * 2 + [be_signed_out] * 2 +
               [sign_in_again, sign_out_everybody, make_up_logouts, rotate_here])
    let_in(Client().login(page))
