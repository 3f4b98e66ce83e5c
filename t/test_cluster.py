"""Two servers behind mod_proxy_balancer, no stickiness, Redis behind both."""

import os
import re
import time
import urllib.parse

import pytest

from support.client import Client
from support.expect import let_in, logged_in, table
from support.httpd import Httpd
from support.notices import admin_action, logout_token, post_admin_action, post_logout_token
from support.site import seen
from test_parallel import together
from test_renew import copy_of, let_pass

PROXY = ["proxy", "proxy_http", "proxy_balancer", "lbmethod_byrequests", "slotmem_shm"]
BALANCER = """
<Proxy "balancer://nodes">
    BalancerMember "http://127.0.0.1:{0}" retry=1
    BalancerMember "http://127.0.0.1:{1}" retry=1
</Proxy>
ProxyPreserveHost On
ProxyPass "/" "balancer://nodes/"
<Location "/">
    Require all granted
</Location>
"""


class Cluster:
    def __init__(self, front, nodes, provider, redis):
        self.front = front
        self.nodes = nodes
        self.provider = provider
        self.redis = redis

    def answers(self, client, path="/protected/"):
        """What each node says to a script with the client's cookies."""
        return [copy_of(client).fetch(node.url(path)).status for node in self.nodes]

    def is_over_everywhere(self, client, seconds=5):
        """It takes two seconds where nothing else keeps the processors busy."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.answers(client) == [401, 401]:
                return True
            time.sleep(0.05)
        return False


@pytest.fixture
def new_cluster(new_httpd, new_provider, redis, kind):
    fronts = []

    def make(**directives):
        provider = new_provider(kinds=["ES256"])
        front = Httpd("", modules=PROXY, mpm=os.environ.get("KCAUTH_MPM", "event"))
        fronts.append(front)
        directives = {"KCAuthSession": kind, "KCAuthSessionStore": redis.directive,
                      "KCAuthSessionKey": "k" * 40, "KCAuthBaseURL": front.url(""), **directives}
        nodes = [new_httpd(provider=provider, options={"modules": [redis.module]}, **directives)
                 for _ in range(2)]
        front.configure(BALANCER.format(*(node.port for node in nodes)))
        front.start()
        return Cluster(front, nodes, provider, redis)

    yield make
    for front in fronts:
        front.stop()


@pytest.fixture
def cluster(new_cluster):
    return new_cluster()


def test_session_is_good_on_both(cluster):
    client = logged_in(cluster.front)
    assert cluster.answers(client) == [200, 200]
    sids = {seen(client.get(node.url("/protected/show")))["KC_SID"] for node in cluster.nodes}
    assert len(sids) == 1


def test_a_thousand_requests(cluster):
    people = [logged_in(cluster.front) for _ in range(8)]

    def use(number):
        return [people[number].get(cluster.front.url("/protected/"), follow=False).status
                for _ in range(125)]

    assert together(8, use) == [[200] * 125] * 8
    assert cluster.provider.count("token") == 8


def test_logins_at_once_whose_callback_reaches_the_other_node(cluster):
    def login(number):
        return Client().login(cluster.front.url(f"/protected/?{number}")).url

    assert together(10, login) == [cluster.front.url(f"/protected/?{n}") for n in range(10)]


def test_logout_reaches_both(cluster):
    client, other = logged_in(cluster.front), logged_in(cluster.front)
    copy = copy_of(client)
    assert cluster.answers(copy) == [200, 200]
    client.get(cluster.front.url("/oauth/logout"), follow=False)
    assert cluster.is_over_everywhere(copy)
    assert cluster.answers(other) == [200, 200]


@table("notice", [
    ("sid", lambda provider, sid: logout_token(provider, sid=sid)),
    ("sub", lambda provider, _: logout_token(provider, sub=provider.users["alice"].sub)),
])
def test_back_channel_logout_at_one_node_reaches_the_other(cluster, notice):
    client = logged_in(cluster.front)
    sid = seen(client.get(cluster.front.url("/protected/show")))["KC_SID"]
    assert post_logout_token(cluster.nodes[0], notice(cluster.provider, sid)).status == 200
    assert cluster.answers(client)[0] == 401
    assert cluster.is_over_everywhere(client)
    later = logged_in(cluster.front)
    let_pass(2)
    assert cluster.answers(later) == [200, 200]


def test_logout_of_everybody_reaches_both(cluster):
    clients = [logged_in(cluster.front) for _ in range(3)]
    token = admin_action(cluster.provider, "LOGOUT")
    assert post_admin_action(cluster.nodes[1], "k_logout", token).status == 204
    assert all(cluster.is_over_everywhere(client) for client in clients)


def test_logouts_at_both_nodes_at_once_are_all_heard(cluster):
    """Both write the same entry of the store."""
    clients = [logged_in(cluster.front) for _ in range(12)]
    sids = [seen(client.get(cluster.front.url("/protected/show")))["KC_SID"]
            for client in clients]

    def end(number):
        node = cluster.nodes[number % 2]
        return post_logout_token(node, logout_token(cluster.provider, sid=sids[number])).status

    assert together(12, end) == [200] * 12
    begin = time.monotonic()
    assert all(cluster.is_over_everywhere(client) for client in clients)
    assert time.monotonic() - begin < 10


def test_made_up_logouts_leave_room_for_proven_ones(cluster):
    """What anybody can send to the front channel takes a share of what servers tell each other."""
    client = logged_in(cluster.front)
    sid = seen(client.get(cluster.front.url("/protected/show")))["KC_SID"]

    def make_up(number):
        for turn in range(100):
            query = urllib.parse.urlencode({"iss": cluster.provider.issuer,
                                            "sid": f"{number}-{turn}"})
            url = cluster.nodes[0].url("/oauth/frontchannel-logout?" + query)
            assert Client().get(url, follow=False).status == 200

    together(8, make_up)
    assert cluster.nodes[0].log.lines("KC0970")
    let_pass(3)  # the background tells them
    told, = (value for value in cluster.redis.entries().values()
             if re.match(b"[0-9a-f]{16}-", value))
    assert 300 < len(told.split()) < 1200
    post_logout_token(cluster.nodes[0], logout_token(cluster.provider, sid=sid))
    assert cluster.is_over_everywhere(client)


def test_node_that_was_down_hears_what_was_ended_meanwhile(cluster):
    client = logged_in(cluster.front)
    sid = seen(client.get(cluster.front.url("/protected/show")))["KC_SID"]
    cluster.nodes[1].kill()
    post_logout_token(cluster.nodes[0], logout_token(cluster.provider, sid=sid))
    cluster.nodes[1].start()
    assert cluster.is_over_everywhere(client)


def test_loss_of_a_node_logs_nobody_out(cluster):
    people = [logged_in(cluster.front) for _ in range(8)]
    gone = logged_in(cluster.front)
    copy = copy_of(gone)
    gone.get(cluster.front.url("/oauth/logout"), follow=False)
    let_pass(2)

    def use(number):
        for turn in range(40):
            if number == 0 and turn == 10:
                cluster.nodes[0].kill()
            answer = people[number].get(cluster.front.url("/protected/"), follow=False)
            assert answer.status in (200, 502, 503), answer.status

    together(8, use)
    for client in people:
        let_in(client.get(cluster.front.url("/protected/"), follow=False))
    assert copy.fetch(cluster.front.url("/protected/")).status == 401
    cluster.nodes[0].start()
    for client in people:
        assert cluster.answers(client) == [200, 200]
    assert cluster.is_over_everywhere(copy)


def test_store_away_for_a_while_loses_no_logout(cluster, kind):
    """What was ended meanwhile is told when the store is back."""
    client = logged_in(cluster.front)
    sid = seen(client.get(cluster.front.url("/protected/show")))["KC_SID"]
    cluster.redis.kill()
    post_logout_token(cluster.nodes[0], logout_token(cluster.provider, sid=sid))
    # For a second a copy may stand for the store; then nobody knows whether there is a session.
    assert cluster.answers(client)[0] in ((401, 503) if kind == "server" else (401,))
    cluster.redis.start()
    assert cluster.is_over_everywhere(client, seconds=15)


@table("rotation", [("without-rotation", False), ("with-rotation", True)])
def test_both_nodes_together_make_one_call(new_cluster, clock, rotation):
    cluster = new_cluster(KCAuthRevalidate=30, clock=clock)
    provider = cluster.provider
    provider.rotation = rotation
    client = logged_in(cluster.front)
    late = [copy_of(client) for _ in range(4)]
    provider.users["alice"].client_roles = {"webapp": ["admin", "editor"]}
    provider.lie(token_reply=lambda reply: reply.like(delay=0.3))
    clock.forward(30)

    def look(_):
        return copy_of(client).get(cluster.front.url("/protected/"))

    for answer in together(30, look):
        let_in(answer)
    clock.forward(2)  # a second later both know
    for other in late:
        roles = seen(other.get(cluster.front.url("/protected/show")))["KC_ROLES"]
        assert roles == "admin,editor"
    assert provider.count("token") == 2 and provider.count("authorization") == 1
