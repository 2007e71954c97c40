"""The guide in a browser: its menu, search, copy buttons and colors."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.web.conftest import TIMEOUT_MS, OpenPage
from tests.web.test_accessibility import AXE_RULES, assert_accessible

pytestmark = [pytest.mark.timeout(300), pytest.mark.docker]


@pytest.fixture(autouse=True)
def _set_expect_timeout() -> None:
    expect.set_options(timeout=TIMEOUT_MS)


@pytest.mark.parametrize("name", AXE_RULES)
def test_a_page_can_be_read_by_everybody(visit: OpenPage, url: str, name: str) -> None:
    one = visit("guide/how-to/judge.md", phone=name == "phone", scheme="dark" if name == "dark" else "light")
    expect(one.page.locator("main h1")).to_be_visible()
    assert_accessible(one.page, name)
    one.take_screenshot(f"guide-{name}")
    if name == "phone":  # the longest page, in colors of the other one
        one.page.goto(f"{url}/guide/reference/rest.md")
        assert_accessible(one.page, name)


def test_the_search_finds_a_section_and_leads_to_it(visit: OpenPage, url: str) -> None:
    page = visit("guide/how-to/judge.md").page
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type("fork interpreter session")
    found = page.locator(".found li a")
    expect(found.first).to_contain_text("Keep state in sessions")
    found.first.click()
    expect(page).to_have_url(f"{url}/guide/how-to/sessions.md#fork-a-session")
    page.get_by_role("searchbox").fill("xyzzy plugh")
    expect(page.get_by_text("Nothing found")).to_be_visible()
    page.get_by_role("navigation", name="Guide").get_by_role("link", name="Tutorial").click()
    page.get_by_role("link", name="Next").click()
    expect(page.locator("main h1")).to_have_text("Run programs")


def test_an_example_can_be_copied(visit: OpenPage) -> None:
    page = visit("guide/tutorial.md").page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    example = page.locator(".example").first
    example.get_by_role("button", name="Copy").click()
    expect(example.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == example.locator("pre").text_content()
