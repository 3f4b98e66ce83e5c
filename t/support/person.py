"""A person at a browser, as far as Keycloak's pages go: the login form, its buttons, its cookies."""

import html
import re
import urllib.parse

from support.client import NAVIGATION, Client, Jar, query_of

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Person(Client):
    """Every user's password is the user's name."""

    def __init__(self, name, ca_file=None):
        super().__init__(ca_file, timeout=60)
        self.name = name
        self.jar = _Jar()

    def login(self, url):
        """Goes to a page, logs in where Keycloak asks, and ends where that leads."""
        answer = self.get(url)
        return self.answer_form(answer) if at_login_form(answer) else answer

    def answer_form(self, page, follow=True, **fields):
        """Sends Keycloak's form on this page: name and password, or other fields and buttons."""
        assert "action=" in page.text, f"no form: {page.status} {page.text}"
        fields = fields or {"username": self.name, "password": self.name, "credentialId": ""}
        found = re.search(r'<form[^>]*\baction="([^"]*)"', page.text)
        action = urllib.parse.urljoin(page.url, html.unescape(found[1]))
        hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
        body = urllib.parse.urlencode({**dict(hidden), **fields}).encode()
        return self._walk("POST", action, body, {**NAVIGATION, **FORM}, follow,
                          initiator=page.url)

    def request(self, method, url, *arguments, **options):
        answer = super().request(method, url, *arguments, **options)
        Jar.ever.update(query_of(part)["code"] for part in (url, answer.location or "")
                        if "code" in query_of(part))
        return answer


def at_login_form(page):
    return 'id="kc-form-login"' in page.text


class _Jar(Jar):
    """Browsers count http://localhost as secure, and so does Keycloak, which marks its cookies."""

    def take(self, response):
        if "/realms/" in response.url:
            lines = response.set_cookies
            del response.headers["Set-Cookie"]
            for line in lines:
                response.headers["Set-Cookie"] = re.sub(
                    r";\s*(Secure|SameSite=None)\b", "", line, flags=re.IGNORECASE)
        super().take(response)
