"""Code and documentation say the same: messages, directives, Require lines, tests that are named."""

import pathlib
import re
from collections import Counter

import pytest

ROOT = pathlib.Path(__file__).parent.parent
HTTPD = ROOT / "mod_kcauth/httpd"
LEVELS = {"config", "emerg", "crit", "error", "error (bg)", "warn", "notice", "info", "none"}


def code(path):
    """A C file without its comments."""
    return re.sub(r"/\*.*?\*/", "", path.read_text(), flags=re.DOTALL)


def docs(name):
    return (ROOT / "docs" / name).read_text()


def ids_in_code():
    return {found for file in (ROOT / "mod_kcauth").rglob("*.[ch]")
            for found in re.findall(r'"(KC\d{4})\b', code(file))}


def rows():
    """(id, level, cells) of each message in docs/operations.md."""
    for line in docs("operations.md").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.fullmatch(r"KC\d{4}", cells[0]):
            yield cells[0], cells[1], cells


def directives():
    """name -> handler, as in the command table."""
    table = code(HTTPD / "directives.c").partition("kc_directives[]")[2]
    return dict(re.findall(r'AP_INIT_\w+\(\s*"(\w+)",\s*(\w+)', table))


def refused():
    return {name for name, handler in directives().items() if handler == "refuse_later"}


def test_each_message_of_the_code_is_documented_once():
    counted = Counter(identity for identity, _, _ in rows())
    assert ids_in_code() == set(counted)
    assert [identity for identity, count in counted.items() if count > 1] == []


def test_messages_are_in_order_and_whole():
    listed = [identity for identity, _, _ in rows()]
    assert listed == sorted(listed)
    for identity, level, cells in rows():
        assert level in LEVELS, identity
        assert len(cells) == 5 and cells[3], identity


def test_documented_levels_are_those_of_the_code():
    """Directive errors are those that wrong() makes; notices and the like name their level."""
    level = {identity: level for identity, level, _ in rows()}
    for file in HTTPD.glob("*.c"):
        text = code(file)
        for identity in re.findall(r'\bwrong\(\s*cmd,\s*"(KC\d{4})"', text):
            assert level[identity] == "config", identity
        for name, identity in re.findall(
                r'APLOG_(?!MARK)(\w+)(?:\s*\|\s*APLOG_STARTUP)?,[^;"]*"(KC\d{4}): ', text):
            wanted = {"err": "error", "warning": "warn"}.get(name.lower(), name.lower())
            assert level[identity] == wanted, identity


def test_directives_are_found():
    assert len(directives()) > 25 and len(refused()) < 6


@pytest.mark.parametrize("name", directives())
def test_directive_has_an_entry(name):
    entry = re.search(rf"^### {name}\n(.*?)(?=^##|\Z)", docs("directives.md"),
                      re.MULTILINE | re.DOTALL)
    assert entry, f"no heading '### {name}' in docs/directives.md"
    if name in refused():
        assert "this version refuses" in entry[1].lower()
    else:
        for label in ("Syntax", "Default", "Context"):
            assert f"| {label} |" in entry[1], label


def test_entries_are_of_directives_that_exist():
    entries = re.findall(r"^### (KCAuth\w+)$", docs("directives.md"), re.MULTILINE)
    assert sorted(entries) == sorted(directives())


@pytest.mark.parametrize("name", sorted(set(directives()) - refused()))
def test_directive_is_in_the_file_that_admins_copy(name):
    assert re.search(rf"\b{name}\b", (ROOT / "conf/kcauth.conf").read_text())


def test_refused_directives_are_not_in_the_file_that_admins_copy():
    assert not refused() & set(re.findall(r"KCAuth\w+", (ROOT / "conf/kcauth.conf").read_text()))


def test_require_lines_are_documented():
    lines = set(re.findall(r'provide\(pool, "([\w-]+)"', code(HTTPD / "authz.c")))
    assert lines and lines == set(re.findall(r"^### Require (\S+)$", docs("directives.md"),
                                             re.MULTILINE))


def test_variables_and_headers_are_documented():
    text = docs("directives.md")
    names = re.findall(r'\{"(KC_\w+)", "(KC-[\w-]+)"\}', code(HTTPD / "identity.c"))
    assert names
    for variable, header in names:
        assert f"| `{variable}` | `{header}` |" in text
    for variable in re.findall(r'"(KC_\w+)"', code(HTTPD / "pages.c")):
        assert f"| `REDIRECT_{variable}` |" in text


def test_endpoints_are_documented():
    endpoints = re.findall(r'\{"(/[\w/-]+)", kc_\w+\}', code(HTTPD / "endpoints.c"))
    assert endpoints
    for endpoint in endpoints:
        row = rf"^\| [^|]*`/oauth{endpoint}`"
        assert re.search(row, docs("directives.md"), re.MULTILINE), endpoint


def test_hooks_are_documented_in_the_order_of_the_code():
    hooks = re.findall(r"ap_hook_\w+\((kc_\w+)", code(ROOT / "mod_kcauth/mod_kcauth.c"))
    listed = re.findall(r"^\| \w+.*? \| `(kc_\w+)`, (\S+)", docs("architecture.md"), re.MULTILINE)
    assert hooks and hooks == [name for name, _ in listed]
    for name, file in listed:
        assert re.search(rf"^\w+ {name}\(", code(ROOT / "mod_kcauth" / file.rstrip(",")),
                         re.MULTILINE), name


def test_files_that_the_architecture_names_exist():
    for path in re.findall(r"`((?:mod_kcauth|docs|conf|t)/[\w/.-]+)`", docs("architecture.md")):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("file", ["README.md", *(f"docs/{path.name}" for path in
                                                 sorted((ROOT / "docs").glob("*.md")))])
def test_links_lead_somewhere(file):
    path = ROOT / file
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        found = path.parent / name if name else path
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            anchors = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
                       for heading in headings}
            assert anchor in anchors, target


def test_tests_that_security_names_exist():
    named = re.findall(r"`(t/[\w/]+\.(?:py|c))::(test_\w+)`", docs("security.md"))
    assert named
    for file, name in named:
        pattern = rf"^def {name}\(" if file.endswith(".py") else rf"^static void {name}\("
        assert re.search(pattern, (ROOT / file).read_text(), re.MULTILINE), f"{file}::{name}"
