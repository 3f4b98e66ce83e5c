"""Many at once: logins, logged-in requests, restarts."""

import concurrent.futures

from support.client import Client
from support.expect import let_in, logged_in
from support.site import seen


def together(count, work):
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


def test_logins_at_once(httpd, provider):
    def login(number):
        client = Client()
        return client.login(httpd.url(f"/protected/?{number}")).url

    # A quarter of the 64 workers may wait for Keycloak at once (KCAuthMaxCalls).
    assert together(16, login) == [httpd.url(f"/protected/?{n}") for n in range(16)]
    assert provider.count("token") == 16


def test_nobody_sees_another_s_session(httpd, provider):
    clients = {}
    for person in ("alice", "bob", "carol", "dave"):
        provider.user = person
        clients[person] = logged_in(httpd)

    def look(number):
        person = list(clients)[number % 4]
        env = seen(clients[person].get(httpd.url("/protected/show")))
        return env["REMOTE_USER"] == person

    assert all(together(16, lambda n: all(look(n) for _ in range(5))))


def test_graceful_restart_in_the_middle_of_logins(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider)
    begun = []
    for _ in range(4):
        client = Client()
        first = client.get(httpd.url("/protected/"), follow=False)
        begun.append((client, client.get(first.location, follow=False).location))
    httpd.graceful()
    for client, callback in begun:
        let_in(client.get(callback))
