"""What conf/ promises: the demo's two scripts, its pages, and the file that admins copy."""

import os
import re
import shutil
import socket
import subprocess
import tempfile

import pytest

from support.client import Client
from support.demo import PAGES
from support.expect import table
from support.keycloak import ROOT
from support.net import free_port
from support.person import Person
from support.site import make_httpd

pytestmark = pytest.mark.keycloak


class Scripts:
    """conf/demo/up and conf/demo/down with ports and a state of their own."""

    def __init__(self):
        self.state = tempfile.mkdtemp(prefix="demo-test-", dir=ROOT / "build")
        self.port = free_port()
        self.env = dict(os.environ, DEMO_STATE=self.state, KEYCLOAK_PORT=str(free_port()),
                        HTTPD_PORT=str(self.port), JAVA_OPTS_KC_HEAP="-Xms32m -Xmx256m")

    def run(self, name, seconds=600, **env):
        with tempfile.TemporaryFile("w+") as said:
            status = subprocess.call(["sh", str(ROOT / "conf/demo" / name)],
                                     env=dict(self.env, **env), timeout=seconds,
                                     stdin=subprocess.DEVNULL, stdout=said, stderr=said)
            said.seek(0)
            return status, said.read()

    def url(self, path):
        return f"http://localhost:{self.port}{path}"

    def pids(self):
        return [int((ROOT / self.state / name).read_text())
                for name in ("keycloak.pid", "httpd.pid")]


@pytest.fixture(scope="module")
def scripts(_module):
    made = Scripts()
    status, said = made.run("up")
    try:
        assert status == 0, said
        assert made.url("/") in said
        assert "alice" in said
        yield made
    finally:
        made.run("down")
        shutil.rmtree(made.state)


def test_up_makes_a_site_to_log_in_to(scripts):
    answer = Person("alice").login(scripts.url("/admin"))
    assert answer.status == 200
    assert "Administration" in answer.text


def test_up_again_takes_seconds_and_starts_nothing(scripts):
    before = scripts.pids()
    status, said = scripts.run("up", seconds=15)
    assert status == 0, said
    assert "Starting" not in said and "Building" not in said
    assert scripts.pids() == before


def test_up_says_which_port_is_taken(scripts):
    """The demo itself holds it; another state does not know that."""
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as other:
        status, said = scripts.run("up", DEMO_STATE=other)
    assert status != 0
    assert f"port {scripts.port} is taken" in said


def test_down_stops_both_and_up_starts_them_again(scripts):
    assert scripts.run("down", seconds=60)[0] == 0
    for port in (scripts.port, int(scripts.env["KEYCLOAK_PORT"])):
        with socket.socket() as sock:
            assert sock.connect_ex(("127.0.0.1", port)) != 0
    status, said = scripts.run("up")
    assert status == 0, said
    assert "Fetching" not in said and "Building" not in said
    assert Client().get(scripts.url("/")).status == 200


def test_pages_show_lines_that_the_configuration_has():
    """"What just happened" on each page shows httpd.conf as it is."""
    conf = (ROOT / "conf/demo/httpd.conf").read_text()
    for page in PAGES.rglob("*.html"):
        for block in page.read_text().split("<pre><code>")[1:]:
            shown = block.split("</code>")[0].replace("&lt;", "<").replace("&gt;", ">")
            for piece in shown.split("\n\n"):
                assert piece in conf, f"{page.name}: {piece}"


@table("path, status", [("home", "/", 200), ("logged out", "/logged-out.html", 200),
                        ("no such page", "/nowhere", 404)])
def test_pages_go_out_with_strict_headers(scripts, path, status):
    answer = Client().get(scripts.url(path))
    assert answer.status == status
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "<script" not in answer.text


def test_admins_file_names_every_directive():
    table_of_ours = (ROOT / "mod_kcauth/httpd/directives.c").read_text()
    names = dict(re.findall(r'AP_INIT_\w+\(\s*"(KCAuth\w+)",\s*(\w+)', table_of_ours))
    assert len(names) > 20
    text = (ROOT / "conf/kcauth.conf").read_text()
    missing = {name for name, reader in names.items() if reader != "refuse_later"
               and not re.search(rf"^# ?{name}\b|^{name}\b", text, re.MULTILINE)}
    assert not missing


def test_admins_file_is_accepted_with_every_line_in_force(tmp_path):
    """conf/kcauth.conf, its defaults taken out of their comments."""
    for name in ("kcauth.secret", "kcauth.key"):
        (tmp_path / name).write_text("0123456789abcdef0123456789abcdef\n")
    lines = []
    for line in (ROOT / "conf/kcauth.conf").read_text().splitlines():
        if line.startswith("LoadModule"):
            continue
        line = line.removeprefix("#") if line[:1] == "#" and line[1:2] not in " " else line
        lines.append(line.replace("/etc/apache2", str(tmp_path)))
    in_force = [line for line in lines if line.startswith("KCAuth")]
    assert len(in_force) > 20
    httpd = make_httpd("\n".join(lines) + "\n")
    status, said = httpd.configtest()
    httpd.stop()
    assert status == 0, said
