"""What every test asks of an answer."""

import re

import pytest

from support.client import Client
from support.site import MARKER

SESSION = r"(__Host-)?kcauth(_[2-8])?"
STATE = r"(__Secure-)?kcauth_state_([0-9]|1[0-5])"
ID_TOKEN = r"(__Secure-)?kcauth_id(_[2-8])?"
REFRESH_TOKEN = r"(__Secure-)?kcauth_refresh(_[2-8])?"


def table(names, rows):
    """Parametrizes a test; the first column of a row is the name of its case."""
    return pytest.mark.parametrize(names, [pytest.param(*row[1:], id=row[0]) for row in rows])


def let_in(answer):
    assert answer.status == 200, f"{answer.status} {answer.text}"
    assert MARKER in answer.text
    return answer


def sent_to_login(answer, provider):
    assert answer.status == 302, f"{answer.status} {answer.text}"
    assert answer.location.startswith(provider.url("auth") + "?"), answer.location
    assert MARKER not in answer.text
    return answer


def refused(answer, httpd, status, message):
    """An error page of ours: its id fits the expression, its reference finds the log line."""
    assert answer.status == status, f"{answer.status} {answer.text}\n{httpd.log.text()}"
    assert MARKER not in answer.text
    found = re.search(r"KC\d{4}", answer.text)
    assert found, answer.text
    assert re.fullmatch(message, found[0]), f"{found[0]}\n{httpd.log.text()}"
    httpd.log.wait_for(f"{found[0]}: .*{reference(answer)}")
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    if status == 503:
        assert int(answer.headers["Retry-After"]) > 0
    return answer


def reference(answer):
    """The reference of an error page, which the log line has as well."""
    found = re.search(r"Reference: KC\d{4} ([\w-]{6,})", answer.text)
    assert found, answer.text
    return found[1]


def login_fails(client, httpd, provider, status, message, path="/protected/"):
    """The provider's lie is found out: an error page, no session, and honesty helps."""
    answer = refused(client.login(httpd.url(path)), httpd, status, message)
    assert not client.jar.named(SESSION)
    assert not client.jar.named(ID_TOKEN)
    provider.tell_the_truth()
    let_in(client.login(httpd.url("/protected/")))
    return answer


def logged_in(httpd, path="/protected/"):
    """A client with a session."""
    client = Client()
    let_in(client.login(httpd.url(path)))
    return client


def no_secrets(text, secrets):
    """None of the secrets stands in the text."""
    leaked = [secret for secret in secrets if secret and secret in text]
    assert not leaked, f"{len(leaked)} secrets in the log, one of {len(leaked[0])} characters: " \
                       f"{leaked[0][:12]}...\n{text}"
