"""Calm: a Keycloak that hangs ties up a fixed share of the workers, and nobody else notices."""

import threading
import time

import pytest

from support.client import Client
from support.expect import let_in, logged_in, refused
from support.provider import DROP
from support.wait import until

CALLS = 4
CROWD = 20
PATIENCE = 3  # KCAuthTimeout


def hanging(honest):
    return honest.like(hang=True)


class Hang:
    """An answer that never comes, and how many waited for it at once."""

    def __init__(self):
        self.begun = []

    def __call__(self, honest):
        self.begun.append(time.monotonic())
        return honest.like(hang=True)

    def at_once(self):
        return max(sum(begun <= other < begun + PATIENCE * 0.9 for other in self.begun)
                   for begun in self.begun)


def crowd(httpd, acts=None):
    """Logs in from many browsers at once, or does what is said; returns the threads and what was
    answered."""
    results = []
    acts = acts or [lambda: Client().login(httpd.url("/protected/"))] * CROWD
    threads = [threading.Thread(target=lambda act=act: results.append(act())) for act in acts]
    for thread in threads:
        thread.start()
    return threads, results


def end_of(threads):
    for thread in threads:
        thread.join(60)


def turned_away(results):
    return [answer for answer in results if "KC0231" in answer.text]


def worst_of_a_page(httpd, insider):
    """The longest that a public page, and one for who is logged in, take meanwhile."""
    worst = 0
    visitor = Client()
    for _ in range(50):
        begun = time.monotonic()
        assert visitor.get(httpd.url("/plain/index.html")).status == 200
        if insider:
            let_in(insider.get(httpd.url("/protected/"), follow=False))
        worst = max(worst, time.monotonic() - begun)
        time.sleep(0.02)
    return worst


def all_are_told(results):
    assert len(results) == CROWD
    for answer in results:
        assert answer.status == 503 and answer.headers["Retry-After"]
    assert turned_away(results)


def nobody_notices(httpd, insider, usual):
    """Pages that need no Keycloak are as quick as at other times."""
    worst = worst_of_a_page(httpd, insider)
    assert worst < usual + PATIENCE * 0.7, f"a page took {worst:.3f} s, {usual:.3f} s at other times"


def one_more_is_told_at_once(httpd, hang):
    until(lambda: len(hang.begun) >= CALLS, "all places to be taken")
    begun = time.monotonic()
    refused(Client().login(httpd.url("/protected/")), httpd, 503, "KC0231")
    assert time.monotonic() - begun < PATIENCE * 0.7


def test_token_endpoint_that_hangs(new_httpd, new_provider):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthMaxCalls=CALLS, KCAuthTimeout=PATIENCE)
    insider = logged_in(httpd)
    usual = worst_of_a_page(httpd, insider)
    hang = Hang()
    provider.lie(token_reply=hang)
    threads, results = crowd(httpd)
    one_more_is_told_at_once(httpd, hang)
    nobody_notices(httpd, insider, usual)
    end_of(threads)
    all_are_told(results)
    assert hang.at_once() <= CALLS
    provider.reset()
    let_in(Client().login(httpd.url("/protected/")))


def test_renewals_that_hang(new_httpd, new_provider, clock):
    """All sessions fall due in the moment that Keycloak hangs: each goes on as it is."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthMaxCalls=CALLS, KCAuthTimeout=PATIENCE,
                      KCAuthRevalidate=60, clock=clock)
    people = [logged_in(httpd) for _ in range(CROWD)]
    clock.set(61)
    insider = logged_in(httpd)
    usual = worst_of_a_page(httpd, insider)
    hang = Hang()
    provider.lie(token_reply=hang)
    threads, results = crowd(httpd, [lambda person=person: person.get(httpd.url("/protected/"))
                                     for person in people])
    one_more_is_told_at_once(httpd, hang)
    nobody_notices(httpd, insider, usual)
    end_of(threads)
    assert len(results) == CROWD
    for answer in results:
        let_in(answer)
    assert hang.at_once() <= CALLS


def test_logouts_that_hang(new_httpd, new_provider):
    """A provider without a logout page is asked to revoke tokens."""
    provider = new_provider(kinds=["ES256"])
    provider.lie(discovery={"end_session_endpoint": DROP})
    httpd = new_httpd(provider=provider, KCAuthMaxCalls=CALLS, KCAuthTimeout=PATIENCE,
                      KCAuthSession="server")
    people = [logged_in(httpd) for _ in range(CROWD)]
    insider = logged_in(httpd)
    usual = worst_of_a_page(httpd, insider)
    hang = Hang()
    provider.lie(revocation_reply=hang)
    threads, results = crowd(httpd, [
        lambda person=person: person.get(httpd.url("/oauth/logout"), follow=False)
        for person in people])
    one_more_is_told_at_once(httpd, hang)
    nobody_notices(httpd, insider, usual)
    end_of(threads)
    assert [answer.status for answer in results] == [302] * CROWD
    assert all(person.fetch(httpd.url("/protected/")).status == 401 for person in people)
    assert hang.at_once() <= CALLS


@pytest.mark.parametrize("what", ["discovery_reply", "jwks_reply"])
def test_metadata_that_hang(new_httpd, new_provider, what):
    provider = new_provider(kinds=["ES256"])
    provider.lie(**{what: hanging})
    httpd = new_httpd(provider=provider, wait=False, KCAuthMaxCalls=CALLS, KCAuthTimeout=PATIENCE)
    usual = worst_of_a_page(httpd, None)
    threads, results = crowd(httpd)
    nobody_notices(httpd, None, usual)
    end_of(threads)
    all_are_told(results)
    provider.reset()
    until(lambda: Client().login(httpd.url("/protected/")).status == 200, "the metadata")


def test_default_is_a_quarter_of_the_workers(new_httpd, new_provider):
    """The bench's servers have 64 threads, or 24 processes."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthTimeout=PATIENCE)
    hang = Hang()
    provider.lie(token_reply=hang)
    threads, results = crowd(httpd)
    end_of(threads)
    all_are_told(results)
    assert 0 < hang.at_once() <= 16

