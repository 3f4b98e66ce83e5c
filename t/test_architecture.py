"""The house of docs/architecture.md: floors, headers, names, message ids."""

import os
import pathlib
import re
import subprocess

import pytest

SOURCE = pathlib.Path(__file__).parent.parent / "mod_kcauth"
FILES = sorted(SOURCE.rglob("*.[ch]"))
# What each room may include of the others. Arrows go down only.
BELOW = {
    "base": {"base"},
    "jose": {"jose", "base"},
    "session": {"session", "base"},
    "oidc": {"oidc", "jose", "base"},
    "httpd": {"httpd", "session", "oidc", "jose", "base"},
}
HTTPD_HEADERS = re.compile(r"(ap_|http|httpd|mod_|util_|unixd|scoreboard|mpm_|os)\w*\.h")
named = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(SOURCE)))


def includes(file):
    return re.findall(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', file.read_text(), re.MULTILINE)


def room_of(file):
    return file.relative_to(SOURCE).parts[0] if file.parent != SOURCE else None


def test_rooms():
    assert {room_of(file) for file in FILES} == {None, *BELOW}
    assert [file.name for file in SOURCE.glob("*.[ch]")] == ["mod_kcauth.c"]


@named
def test_only_the_front_includes_httpd_s_headers(file):
    if room_of(file) in (None, "httpd"):
        return
    for _, header in includes(file):
        assert not HTTPD_HEADERS.fullmatch(header), header


@named
def test_arrows_go_down_only(file):
    room = room_of(file)
    for kind, header in includes(file):
        if kind == '"' and "/" in header and room:
            assert header.split("/")[0] in BELOW[room], header


@named
def test_only_a_room_s_own_header_is_for_others(file):
    for kind, header in includes(file):
        parts = header.split("/")
        if kind == '"' and len(parts) == 2 and parts[0] != room_of(file):
            # httpd/ is no library: mod_kcauth.c, its table of contents, includes what it names.
            assert parts[1] == f"{parts[0]}.h" or parts[0] == "httpd", header


@named
def test_files_are_short(file):
    assert len(file.read_text().splitlines()) < 600


def test_message_ids_are_used_once():
    used = {}
    for file in FILES:
        code = re.sub(r"/\*.*?\*/", "", file.read_text(), flags=re.DOTALL)
        for identity in re.findall(r'"(KC\d{4})', code):
            used.setdefault(identity, []).append(file.name)
    assert used
    assert {identity: files for identity, files in used.items() if len(files) > 1} == {}


def read_elf(*options):
    return subprocess.run([*options, os.environ["KCAUTH_MODULE"]], check=True,
                          stdout=subprocess.PIPE, text=True).stdout


def test_module_is_hardened():
    """Full RELRO, no executable stack, no writable code; stack protector and _FORTIFY_SOURCE, whose
    place the sanitizers take."""
    dynamic, segments = read_elf("readelf", "-dW"), read_elf("readelf", "-lW")
    assert "BIND_NOW" in dynamic and "TEXTREL" not in dynamic
    assert "GNU_RELRO" in segments
    assert re.search(r"GNU_STACK .* RW +0x", segments)
    if os.environ.get("KCAUTH_SANITIZED") not in ("address", "thread"):
        undefined = read_elf("nm", "-D", "--undefined-only")
        assert "__stack_chk_fail" in undefined
        assert re.search(r"__\w+_chk\b", undefined)


def test_module_exports_one_name():
    names = {line.split()[-1] for line in read_elf("nm", "-D", "--defined-only").splitlines()}
    assert {name for name in names if not name.startswith("__asan")} == {"kcauth_module"}
