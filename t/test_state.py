"""The state of a login under way: one cookie a login, good once, in this browser."""

from support.client import Client
from support.expect import SESSION, STATE, let_in, logged_in, refused, table
from support.site import MARKER

CALLBACK = "/oauth/login/callback"


def begun(httpd, client, target="/protected/"):
    """A login up to the moment that the provider sends the browser back: the callback's URL."""
    first = client.get(httpd.url(target), follow=False)
    return client.get(first.location, follow=False).location


def test_state_of_another_browser(httpd, provider, client):
    """Login CSRF: the attacker's callback URL in the victim's browser."""
    url = begun(httpd, Client())
    refused(client.get(url), httpd, 400, "KC0501")
    assert not client.jar.named(SESSION)
    assert provider.count("token") == 0


def test_state_of_another_login_of_this_browser_needs_its_own_cookie(httpd, provider, client):
    first, second = begun(httpd, client, "/protected/?1"), begun(httpd, client, "/protected/?2")
    assert let_in(client.get(second)).url == httpd.url("/protected/?2")
    assert let_in(client.get(first)).url == httpd.url("/protected/?1")


def test_callback_is_good_once(httpd, provider, client):
    url = begun(httpd, client)
    cookies = client.jar.header(url)
    let_in(client.get(url))
    again = Client()
    refused(again.get(url, {"Cookie": cookies}), httpd, 400, "KC0503")
    assert not again.jar.named(SESSION)
    assert provider.count("token") == 1


def test_state_is_spent_before_the_code_is_sent(httpd, provider, client):
    provider.lie(token={"id_token": "nonsense"})
    url = begun(httpd, client)
    cookies = client.jar.header(url)
    refused(client.get(url), httpd, 502, "KC0302")
    provider.tell_the_truth()
    refused(Client().get(url, {"Cookie": cookies}), httpd, 400, "KC0503")
    assert provider.count("token") == 1


def test_old_callback_with_a_session_goes_on_to_the_site(httpd, provider, client):
    """The back button after a login."""
    url = begun(httpd, client)
    let_in(client.get(url))
    answer = client.get(url)
    assert answer.status == 200
    assert answer.url.startswith(httpd.url("/"))
    assert provider.count("token") == 1


def test_two_tabs(httpd, client):
    tabs = [begun(httpd, client, f"/protected/?{tab}") for tab in range(2)]
    for number, url in enumerate(tabs):
        assert let_in(client.get(url)).url == httpd.url(f"/protected/?{number}")


def test_sixteen_tabs(httpd, client):
    tabs = [begun(httpd, client, f"/protected/?{tab}") for tab in range(16)]
    for number, url in enumerate(tabs):
        assert let_in(client.get(url)).url == httpd.url(f"/protected/?{number}")


def test_twenty_tabs_end_well(httpd, client):
    """The oldest four lost their slot; once there is a session they go on without a login."""
    tabs = [begun(httpd, client, f"/protected/?{tab}") for tab in range(20)]
    for url in reversed(tabs):
        answer = client.get(url)
        assert answer.status == 200
    let_in(client.get(httpd.url("/protected/")))


@table("query", [
    ("nothing", ""),
    ("empty", "?"),
    ("code-only", "?code=abc"),
    ("state-only", "?state=abc"),
    ("state-empty", "?code=abc&state="),
    ("state-unknown", "?code=abc&state=0.AAAAAAAAAAAAAAAAAAAAAA"),
    ("state-slot-99", "?code=abc&state=99.AAAAAAAAAAAAAAAAAAAAAA"),
    ("state-slot-negative", "?code=abc&state=-1.AAAAAAAAAAAAAAAAAAAAAA"),
    ("state-huge", "?code=abc&state=" + "A" * 7000),
    ("state-twice", "?code=abc&state=a&state=b"),
    ("code-twice", "?code=a&code=b&state=a"),
    ("bad-escape", "?code=%zz&state=a"),
    ("nul", "?code=a%00b&state=a"),
    ("newline", "?code=a%0d%0aX:y&state=a"),
    ("markup", "?error=%3Cscript%3Ealert(1)%3C/script%3E&state=a"),
    ("many", "?" + "&".join(f"a{n}=b" for n in range(1000))),
])
def test_callback_with_parameters_that_make_no_sense(httpd, provider, client, query):
    answer = client.get(httpd.url(CALLBACK + query))
    refused(answer, httpd, 400, "KC050[14]")
    assert "<script" not in answer.text
    assert provider.asked == []


def test_callback_with_duplicate_parameters_of_a_good_login(httpd, provider, client):
    """RFC 6749 3.1: parameters MUST NOT be included more than once."""
    url = begun(httpd, client)
    refused(client.get(url + "&code=another"), httpd, 400, "KC0504")
    assert provider.count("token") == 0


def test_error_page_leads_to_a_new_login(httpd, provider, client):
    """The link of the page starts a login for the same target."""
    import html
    import re
    provider.lie(authorization=lambda honest: {"error": "access_denied", "state": honest["state"],
                                               "iss": honest["iss"]})
    answer = client.login(httpd.url("/protected/?a=1&b=2"))
    assert answer.status == 403
    provider.tell_the_truth()
    links = [html.unescape(link) for link in re.findall('href="([^"]+)"', answer.text)]
    link = next(link for link in links if link.startswith("/oauth/login"))
    assert let_in(client.get(httpd.url(link))).url == httpd.url("/protected/?a=1&b=2")


@table("change", [
    ("flipped", lambda value: value[:20] + ("A" if value[20] != "A" else "B") + value[21:]),
    ("cut", lambda value: value[:-4]),
    ("longer", lambda value: value + "AAAA"),
    ("empty", lambda value: ""),
    ("other", lambda value: "A" * len(value)),
])
def test_state_cookie_that_was_changed(httpd, provider, client, change):
    url = begun(httpd, client)
    cookie, = client.jar.named(STATE)
    cookie.value = change(cookie.value)
    refused(client.get(url), httpd, 400, "KC0501")
    assert provider.count("token") == 0
    assert not client.jar.named(SESSION)


def test_state_cookies_swapped_between_slots(httpd, provider, client):
    begun(httpd, client, "/protected/?1")
    url = begun(httpd, client, "/protected/?2")
    one, two = client.jar.named(STATE)
    one.value, two.value = two.value, one.value
    refused(client.get(url), httpd, 400, "KC0501")
    assert provider.count("token") == 0


def test_session_cookie_is_no_state(httpd, provider, client):
    url = begun(httpd, client)
    state, = client.jar.named(STATE)
    other = logged_in(httpd)
    session, = other.jar.named(SESSION)
    state.value = session.value
    refused(client.get(url), httpd, 400, "KC0501")


def test_state_cookie_is_no_session(httpd, client):
    client.get(httpd.url("/protected/"), follow=False)
    state, = client.jar.named(STATE)
    answer = client.get(httpd.url("/protected/"), {"Cookie": f"kcauth={state.value}"},
                        follow=False)
    assert answer.status == 302
    assert MARKER not in answer.text


@table("method", [(method, method) for method in ("POST", "PUT", "DELETE", "OPTIONS", "HEAD")])
def test_callback_takes_get_only(httpd, provider, client, method):
    url = begun(httpd, client)
    answer = client.request(method, url)
    assert answer.status in (400, 405, 501, 303, 302)
    assert method == "HEAD" or not client.jar.named(SESSION)
