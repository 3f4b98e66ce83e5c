"""Another version of the module: what it left in cookies and files is read, or done without."""

import os

import pytest

from support.client import Client
from support.expect import SESSION, let_in, logged_in, sent_to_login, table
from support.sealing import KINDS, VERSION, Seal
from support.site import seen
from test_renew import copy_of

SECRET = "k" * 40
COUNTS = bytes([6, 5])  # of times and of lists, as this version writes them
LENGTHS_AT = len(COUNTS) + 6 * 8 + 4
LISTS_AT = LENGTHS_AT + 5 * 4


@pytest.fixture(params=KINDS)
def site(request, new_httpd, new_provider, clock):
    """(httpd, provider, seal) of each kind that keeps the record in the cookie."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession=request.param, KCAuthSessionKey=SECRET,
                      clock=clock)
    return httpd, provider, Seal(request.param, SECRET, provider)


def change_record(client, seal, change, into=None):
    cookie, = client.jar.named(SESSION)
    record = seal.open(cookie.value)
    assert record.startswith(COUNTS)
    cookie.value = (into or seal).make(change(record))


def one_more_of_each(record):
    """As a later version may write it: a time, a string and a list that this one does not know."""
    strings = int.from_bytes(record[LENGTHS_AT:LENGTHS_AT + 4], "big")
    lists_end = LISTS_AT + strings
    return (bytes([7, 6]) + record[2:LENGTHS_AT - 4] + b"\0\0\0\0\0\0\0\7" +
            record[LENGTHS_AT - 4:LENGTHS_AT] + (strings + 8).to_bytes(4, "big") +
            record[LENGTHS_AT + 4:LISTS_AT] + b"\0\0\0\6" + record[LISTS_AT:lists_end] +
            b"\0\5later\0" + record[lists_end:] + b"\0\3new\0")


@table("change", [
    ("before", lambda record: record[len(COUNTS):]),  # had no counts
    ("later", one_more_of_each),
])
def test_record_of_the_version_before_and_after(site, clock, change):
    httpd, provider, seal = site
    client = logged_in(httpd)
    change_record(client, seal, change)
    env = seen(client.get(httpd.url("/protected/show"), follow=False))
    assert (env["REMOTE_USER"], env["KC_ROLES"], env["KC_EMAIL"]) == ("alice", "admin",
                                                                     "alice@example.org")
    clock.forward(70)  # a session in use is written again once a minute
    let_in(client.get(httpd.url("/protected/"), follow=False))
    cookie, = client.jar.named(SESSION)
    assert seal.open(cookie.value).startswith(COUNTS)
    let_in(client.get(httpd.url("/protected/"), follow=False))
    assert provider.count("token") == 1


@table("change, version", [
    ("sealed-by-an-older-version", lambda record: record, VERSION - 1),
    ("sealed-by-a-newer-version", lambda record: record, VERSION + 1),
    ("too-few-times", lambda record: bytes([5, 5]) + record[10:], VERSION),
    ("too-few-lists", lambda record: bytes([6, 4]) + record[2:], VERSION),
    ("more-than-there-is", lambda record: bytes([255, 255]) + record[2:], VERSION),
    ("nothing", lambda record: b"", VERSION),
])
def test_record_that_cannot_be_read_is_a_silent_new_login(site, change, version):
    httpd, provider, seal = site
    client = logged_in(httpd)
    change_record(client, seal, change, Seal(seal.kind, SECRET, provider, version=version))
    answer = client.get(httpd.url("/protected/?x=1"), follow=False)
    sent_to_login(answer, provider)
    assert let_in(client.get(answer.location)).url == httpd.url("/protected/?x=1")
    httpd.log.wait_for("KC070[12]")
    assert not httpd.log.lines(r"\[kcauth:(warn|error|crit)\]")


# The state folder

def state(httpd, name):
    file, = (httpd.root / "kcauth").glob(name)
    return file


def cut(file):
    os.truncate(file, file.stat().st_size // 2)


def longer(file):
    with file.open("ab") as stream:
        stream.write(b"x" * 4096)


def other_layout(file):
    with file.open("r+b") as stream:
        first = stream.read(1)
        stream.seek(0)
        stream.write(bytes([first[0] ^ 2]))


@table("change", [("smaller", cut), ("larger", longer), ("of-the-same-size", other_layout)])
def test_revocations_of_another_version_end_what_began_before(new_httpd, new_provider, change):
    """They cannot be read, so nobody knows what was ended."""
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider, KCAuthSession="signed")
    client, ended = logged_in(httpd), logged_in(httpd)
    copy = copy_of(ended)
    ended.get(httpd.url("/oauth/logout"), follow=False)
    httpd.halt()
    change(state(httpd, "revoked"))
    httpd.start()
    assert copy.fetch(httpd.url("/protected/")).status == 401
    let_in(client.login(httpd.url("/protected/")))
    httpd.restart()
    let_in(client.get(httpd.url("/protected/"), follow=False))
    assert copy.fetch(httpd.url("/protected/")).status == 401


@table("change", [
    ("smaller", cut), ("larger", longer),
    ("of-the-same-size", lambda file: file.write_bytes(os.urandom(file.stat().st_size))),
])
def test_metadata_of_another_version_are_asked_for_anew(new_httpd, new_provider, change):
    provider = new_provider(kinds=["ES256"])
    httpd = new_httpd(provider=provider)
    client = logged_in(httpd)
    httpd.halt()
    change(state(httpd, "realm-*"))
    before = provider.count("discovery")
    httpd.start()
    let_in(Client().login(httpd.url("/protected/")))
    assert provider.count("discovery") > before
    if client.jar.named("kcauth_id"):  # the record lies in the cookie too
        let_in(client.get(httpd.url("/protected/"), follow=False))
