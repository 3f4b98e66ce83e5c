"""A browser as far as HTTP goes: cookies, redirects, the headers of a navigation and of a script.

Every host name is 127.0.0.1. Chrome's rules for cookies hold: prefixes, Secure, Path, Max-Age,
SameSite, 4096 bytes a cookie.
"""

import dataclasses
import html.parser
import http.client
import re
import socket
import ssl
import time
import urllib.parse

NAVIGATION = {
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.9",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-User": "?1",
    "Upgrade-Insecure-Requests": "1",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0.0.0 Safari/537.36",
}
SCRIPT = {
    "Accept": "*/*",
    "Accept-Language": "en-US,en;q=0.9",
    "Sec-Fetch-Dest": "empty",
    "Sec-Fetch-Mode": "cors",
    "Sec-Fetch-Site": "same-origin",
    "User-Agent": NAVIGATION["User-Agent"],
}


@dataclasses.dataclass
class Response:
    url: str
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    history: list = dataclasses.field(default_factory=list)

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def location(self):
        """Where a redirect leads, made absolute; None for another answer."""
        value = self.headers.get("Location")
        return urllib.parse.urljoin(self.url, value) if value else None

    @property
    def query(self):
        """The parameters of the redirect's target."""
        return query_of(self.location)

    @property
    def set_cookies(self):
        return self.headers.get_all("Set-Cookie") or []


def query_of(url):
    return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(url).query, keep_blank_values=True))


class Cookie:
    """One cookie of a Set-Cookie line. `refused` says why a browser would not keep it."""

    def __init__(self, line, url):
        pair, *rest = line.split(";")
        self.name, _, self.value = (part.strip() for part in pair.partition("="))
        self.attributes = {}
        for item in rest:
            name, _, value = item.strip().partition("=")
            self.attributes[name.lower()] = value
        parts = urllib.parse.urlsplit(url)
        self.host = parts.hostname
        self.path = self.attributes.get("path") or parts.path.rpartition("/")[0] or "/"
        self.secure = "secure" in self.attributes
        self.same_site = self.attributes.get("samesite", "Lax").lower()
        self.expires = self._expires()
        self.refused = self._refused(parts.scheme == "https")

    def _expires(self):
        if "max-age" in self.attributes:
            return time.time() + int(self.attributes["max-age"])
        if "expires" in self.attributes:
            date = self.attributes["expires"].replace("-", " ")
            return time.mktime(time.strptime(date, "%a, %d %b %Y %H:%M:%S GMT")) - time.timezone
        return None

    def _refused(self, https):
        if len(self.name) + len(self.value) > 4096:
            return "over 4096 bytes"
        if re.search(r"[\x00-\x1f\x7f]", self.value):
            return "control characters"
        if self.secure and not https:
            return "Secure over http"
        if self.same_site == "none" and not self.secure:
            return "SameSite=None without Secure"
        if self.name.startswith(("__Secure-", "__Host-")) and not self.secure:
            return "prefix without Secure"
        if self.name.startswith("__Host-") and (self.path != "/" or "domain" in self.attributes):
            return "__Host- with a path or domain"
        return None

    @property
    def expired(self):
        return self.expires is not None and self.expires <= time.time()

    def goes_to(self, parts, cross_site_post):
        path = parts.path or "/"
        below = path == self.path or (path.startswith(self.path)
                                      and (self.path.endswith("/") or path[len(self.path)] == "/"))
        return (parts.hostname == self.host and below and not self.expired
                and (parts.scheme == "https" or not self.secure)
                and not (cross_site_post and self.same_site != "none"))


class Jar(dict):
    """(host, path, name) -> Cookie."""

    ever = set()  # the values of all cookies of all jars: what may stand in no log

    def take(self, response):
        for line in response.set_cookies:
            cookie = Cookie(line, response.url)
            if len(cookie.value) > 16:
                Jar.ever.add(cookie.value)
            key = (cookie.host, cookie.path, cookie.name)
            if cookie.refused:
                continue
            if cookie.expired:
                self.pop(key, None)
            else:
                self[key] = cookie

    def header(self, url, cross_site_post=False):
        parts = urllib.parse.urlsplit(url)
        sent = [cookie for cookie in self.values() if cookie.goes_to(parts, cross_site_post)]
        sent.sort(key=lambda cookie: -len(cookie.path))
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in sent)

    def named(self, pattern):
        """The live cookies whose whole name matches the regular expression."""
        return [cookie for cookie in self.values()
                if re.fullmatch(pattern, cookie.name) and not cookie.expired]


class Client:
    def __init__(self, ca_file=None, timeout=30):
        self.jar = Jar()
        self.timeout = timeout
        self._tls = ssl.create_default_context(cafile=ca_file) if ca_file else None

    def get(self, url, headers=(), follow=True):
        """A navigation, as from a link or the address bar. A header of None is not sent."""
        return self._walk("GET", url, None, {**NAVIGATION, **dict(headers)}, follow)

    def fetch(self, url, method="GET", headers=(), body=None, follow=False):
        """What a script of the page asks for."""
        return self._walk(method, url, body, {**SCRIPT, **dict(headers)}, follow)

    def submit(self, page, follow=True):
        """Sends the only form of a page, as a navigation."""
        form = _Form(page.text)
        action = urllib.parse.urljoin(page.url, form.action)
        headers = {**NAVIGATION, "Content-Type": "application/x-www-form-urlencoded"}
        return self._walk(form.method, action, urllib.parse.urlencode(form.fields).encode(),
                          headers, follow, initiator=page.url)

    def login(self, url):
        """Goes to a protected page and through the provider to wherever that leads."""
        answer = self.get(url)
        return self.submit(answer) if "document.forms[0].submit()" in answer.text else answer

    def request(self, method, url, headers=(), body=None, cookies=True, initiator=None):
        """One request with exactly these headers, and Host, cookies and length."""
        parts = urllib.parse.urlsplit(url)
        target = (parts.path or "/") + ("?" + parts.query if parts.query else "")
        sent = {"Host": parts.netloc, "Connection": "close", **dict(headers)}
        foreign = initiator and urllib.parse.urlsplit(initiator).hostname != parts.hostname
        cookie = self.jar.header(url, bool(foreign) and method == "POST") if cookies else ""
        if cookie and "Cookie" not in sent:
            sent["Cookie"] = cookie
        if body is not None:
            sent["Content-Length"] = str(len(body))
        lines = [f"{method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in sent.items() if value is not None]
        data = ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")
        response = self.raw(url, data + (body or b""), method)
        if cookies:
            self.jar.take(response)
        return response

    def raw(self, url, data, method="GET"):
        """Sends the bytes as they are to the host of the URL; one answer is read."""
        with self.connect(url) as sock:
            sock.sendall(data)
            answer = http.client.HTTPResponse(sock, method=method)
            answer.begin()
            return Response(url, answer.status, answer.msg, answer.read())

    def connect(self, url):
        parts = urllib.parse.urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        sock = socket.create_connection(("127.0.0.1", port), self.timeout)
        if parts.scheme == "https":
            sock = self._tls.wrap_socket(sock, server_hostname=parts.hostname)
        return sock

    def _walk(self, method, url, body, headers, follow, initiator=None):
        history = []
        while True:
            response = self.request(method, url, headers, body, initiator=initiator)
            response.history = history
            if not (follow and response.status in (301, 302, 303, 307, 308)):
                return response
            assert len(history) < 20, "endless redirects: " + " ".join(r.url for r in history)
            history = [*history, response]
            url = response.location
            if response.status not in (307, 308):
                method, body = "GET", None
                headers = {name: value for name, value in headers.items()
                           if name != "Content-Type"}


class _Form(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.action = ""
        self.method = "GET"
        self.fields = {}
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        if tag == "form":
            self.action = attrs.get("action", "")
            self.method = attrs.get("method", "GET").upper()
        elif tag == "input" and "name" in attrs:
            self.fields[attrs["name"]] = attrs.get("value", "")
