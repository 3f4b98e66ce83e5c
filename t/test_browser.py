"""The tutorial as a person walks it, in a real browser, against a real Keycloak. Leaves pictures of
every page below build/screenshots."""

import os
import pathlib
import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from support.expect import table
from support.keycloak import ROOT

pytest_plugins = ["support.real"]
pytestmark = pytest.mark.browser

SCREENSHOTS = pathlib.Path(os.environ.get("KCAUTH_BUILD", ROOT / "build")) / "screenshots"
CHROMIUM = "/usr/bin/chromium"
FLAGS = """--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync
    --disable-background-networking --disable-component-update""".split()
FORGED = "/oauth/login/callback?code=x&state=forged"


@pytest.fixture(scope="module")
def chromium():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def new_context(chromium):
    """Makes browsers without any cookie, which fail the test when a page breaks its own policy."""
    made, complaints = [], []

    def make(**options):
        context = chromium.new_context(**options)
        context.set_default_timeout(15_000)
        context.on("console", lambda message: complaints.append(message.text)
                   if "Content Security Policy" in message.text
                   and "/realms/" not in message.page.url else None)
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()
    assert not complaints


@pytest.fixture
def page(new_context):
    return new_context().new_page()


def log_in(page, name):
    """On Keycloak's login page."""
    page.fill("#username", name)
    page.fill("#password", name)
    page.click("#kc-login")


def enter(page, url, name):
    """Opens a protected page as somebody."""
    page.goto(url)
    log_in(page, name)
    page.wait_for_url(url)


# The tutorial, walked


def test_the_tutorial_as_alice(demo, demo_realm, page):
    page.goto(demo.url("/"))
    expect(page.locator("h1")).not_to_contain_text("Hi,")
    page.locator("main").get_by_role("link", name="Login").click()
    page.wait_for_url(re.compile("/realms/LearningSoftware/"))
    log_in(page, "alice")
    page.wait_for_url(demo.url("/"))
    expect(page.locator("h1")).to_have_text("Hi, Alice Adams!")

    page.locator("main").get_by_role("link", name="Profile").click()
    expect(page.locator("h1")).to_have_text("Your profile")
    facts = page.locator("dd").all_inner_texts()
    assert facts == ["Alice Adams", "alice@example.org", "admin", demo_realm.user_id("alice")]

    page.get_by_role("navigation").get_by_role("link", name="Admin").click()
    expect(page.locator("h1")).to_have_text("Administration")
    page.get_by_text("What just happened").click()
    expect(page.locator("details code").last).to_contain_text("Require  kc-role admin")


def test_denial_as_bob(demo, page):
    page.goto(demo.url("/admin"))
    log_in(page, "bob")
    page.wait_for_url(demo.url("/admin"))
    expect(page.locator("h1")).to_have_text("This page is not for you")
    expect(page.locator("main")).to_contain_text("It needs the role admin")
    expect(page.locator("main")).to_contain_text("You are logged in as Bob Brown")


def test_dave_without_names_and_email(demo, page):
    enter(page, demo.url("/profile"), "dave")
    assert page.locator("dd").all_inner_texts()[:3] == ["dave", "none", "none"]


def test_logout_without_a_question(demo, demo_realm, page):
    enter(page, demo.url("/profile"), "carol")
    before = len(demo_realm.sessions("carol"))
    page.get_by_role("link", name="Logout").click()
    page.wait_for_url(re.compile(re.escape(demo.url("/logged-out.html"))))
    expect(page.locator("h1")).to_have_text("You are logged out")
    assert len(demo_realm.sessions("carol")) == before - 1
    page.goto(demo.url("/profile"))
    expect(page.locator("#kc-form-login")).to_be_visible()


# Turns that people take


def test_back_after_logout_shows_nobody(demo, page):
    enter(page, demo.url("/profile"), "alice")
    page.get_by_role("link", name="Logout").click()
    page.wait_for_url(re.compile(re.escape(demo.url("/logged-out.html"))))
    page.go_back()
    expect(page.locator("body")).not_to_contain_text("Alice Adams")
    expect(page.locator("#kc-form-login")).to_be_visible()


def test_back_to_the_login_page_after_the_login(demo, page):
    page.goto(demo.url("/"))
    enter(page, demo.url("/profile"), "alice")
    page.go_back()
    page.wait_for_url(re.compile(re.escape(demo.url("/"))))
    page.goto(demo.url("/profile"))
    expect(page.locator("h1")).to_have_text("Your profile")


def test_back_from_the_login_page_and_on_again(demo, page):
    page.goto(demo.url("/"))
    page.locator("main").get_by_role("link", name="Profile").click()
    expect(page.locator("#kc-form-login")).to_be_visible()
    page.go_back()
    expect(page.locator("h1")).to_have_text("One login, every page")
    page.go_forward()
    log_in(page, "alice")
    page.wait_for_url(demo.url("/profile"))
    expect(page.locator("h1")).to_have_text("Your profile")


def test_two_tabs(demo, new_context):
    """Keycloak's own page may notice the other tab's login and go on by itself."""
    context = new_context()
    first, second = context.new_page(), context.new_page()
    first.goto(demo.url("/profile"))
    second.goto(demo.url("/admin"))
    log_in(first, "alice")
    first.wait_for_url(demo.url("/profile"))
    second.reload()
    if second.locator("#kc-login").count():
        log_in(second, "alice")
    second.wait_for_url(demo.url("/admin"))
    expect(second.locator("h1")).to_have_text("Administration")
    first.get_by_role("link", name="Logout").click()
    first.wait_for_url(re.compile(re.escape(demo.url("/logged-out.html"))))
    second.reload()
    expect(second.locator("#kc-form-login")).to_be_visible()


def test_cancel_at_keycloak_and_try_again(demo, demo_realm, page):
    demo_realm.change_client(consentRequired=True)
    try:
        page.goto(demo.url("/profile"))
        log_in(page, "alice")
        page.click('[name="cancel"]')
        expect(page.locator("h1")).to_have_text("That did not work")
        page.get_by_role("link", name="Try again").click()
        log_in(page, "alice")
        page.click('[name="accept"]')
        page.wait_for_url(demo.url("/profile"))
        expect(page.locator("h1")).to_have_text("Your profile")
    finally:
        demo_realm.change_client(consentRequired=False)


def test_keyboard_alone(demo, page):
    page.goto(demo.url("/"))
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    expect(page.locator("#content")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Login")
    page.keyboard.press("Enter")
    page.fill("#username", "alice")
    page.fill("#password", "alice")
    page.keyboard.press("Enter")
    page.wait_for_url(demo.url("/"))
    expect(page.locator("h1")).to_have_text("Hi, Alice Adams!")


# How the pages look, and to whom


@table("path, name, title", [
    ("home", "/", None, "One login, every page"),
    ("home-in", "/", "alice", "Hi, Alice Adams!"),
    ("home-dave", "/", "dave", "Hi, dave!"),
    ("profile", "/profile", "alice", "Your profile"),
    ("admin", "/admin", "alice", "Administration"),
    ("denied", "/admin", "bob", "This page is not for you"),
    ("error", FORGED, None, "That did not work"),
    ("not-found", "/nowhere", None, "There is no such page"),
    ("logged-out", "/logged-out.html", None, "You are logged out"),
])
def test_pages_of_the_demo(demo, new_context, request, path, name, title):
    saved = None
    if name:
        context = new_context()
        enter(context.new_page(), demo.url("/profile"), name)
        saved = context.storage_state()
    check_looks(request, new_context, demo.url(path), saved,
                lambda page: expect(page.locator("h1")).to_have_text(title))


def test_error_page_of_the_module(realm, new_httpd, new_context, request):
    httpd = new_httpd(provider=realm)
    check_looks(request, new_context, httpd.url(FORGED), None,
                lambda page: expect(page.locator("body")).to_contain_text(re.compile(r"KC05\d\d")))


def test_denial_page_of_the_module(realm, new_httpd, new_context, request):
    httpd = new_httpd(provider=realm)
    context = new_context()
    enter(context.new_page(), httpd.url("/admin/"), "bob")
    check_looks(request, new_context, httpd.url("/admin/"), context.storage_state(),
                lambda page: expect(page.locator("body")).to_contain_text("admin"))


def check_looks(request, new_context, url, saved, is_there):
    """Narrow and wide, light and dark: nothing sticks out sideways, and axe has nothing to say."""
    shown = re.sub(r"^test_|\[|\]", "-", request.node.name).strip("-")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        page = new_context(color_scheme=scheme, storage_state=saved).new_page()
        page.goto(url)
        is_there(page)
        for width, height in ((360, 740), (1280, 800)):
            page.set_viewport_size({"width": width, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            page.screenshot(path=SCREENSHOTS / f"{shown}-{width}-{scheme}.png", full_page=True)
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()
