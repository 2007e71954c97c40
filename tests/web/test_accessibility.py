"""Accessibility: axe-core finds nothing in any view, and phones have room; takes a screenshot of each view."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from sandbox.api.app import create_app
from sandbox.client import Client
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer
from tests.sessions.session_hosts import SessionHosts
from tests.web.conftest import PHONE_VIEWPORT, TIMEOUT_MS, OpenPage, Visit, fill_program

pytestmark = [pytest.mark.timeout(300), pytest.mark.docker]
PLACES = 4
PROGRAM = "# sums\na, b = map(int, input().split())\nprint(a + b if a > 0 else 'none')\n"


# Light and dark views differ in their colors, and those of a desktop and a phone in their layout, so only one gets all
# rules. Contrast is the rule that takes most of the time.
AXE_RULES: dict[str, dict[str, object]] = {
    "light": {},
    "dark": {"runOnly": {"type": "rule", "values": ["color-contrast"]}},
    "phone": {"rules": {"color-contrast": {"enabled": False}}},
}
AXE_CONTEXT = {"exclude": [[".recent tbody tr:nth-child(n+8)"]]}  # the same as the rows before


def assert_accessible(page: Page, name: str) -> None:
    """Check the page, which is `light`, `dark` or `phone`, with axe-core, and the sizes of controls on a phone."""
    # Selectors of each element that passes a rule take most of the time on a long page.
    options = {"resultTypes": ["violations"], "selectors": False, **AXE_RULES[name]}
    violations = Axe().run(page, AXE_CONTEXT, options).response["violations"]
    assert [(rule["id"], node["html"], node["failureSummary"]) for rule in violations for node in rule["nodes"]] == []
    if name == "phone":
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= PHONE_VIEWPORT["width"], "the page is wider than the phone"
        small = "[...document.querySelectorAll('#main button:not(.link, .cell), #main select, nav a')]"
        heights = page.evaluate(
            f"{small}.filter((e) => e.checkVisibility()).map((e) => e.getBoundingClientRect().height)"
        )
        assert min(heights, default=40) >= 40, "a finger needs more room"


def _judge_in_playground(one: Visit, name: str) -> None:
    page = one.page
    fill_program(page, PROGRAM)
    page.get_by_role("tab", name="Tests").click()
    page.get_by_role("button", name="Verify").click()
    expect(page.locator(".diff")).to_be_visible()
    assert_accessible(page, name)
    one.take_screenshot(f"playground-{name}")
    page.get_by_label("Examples").select_option("A pytest file, with one failure")
    page.get_by_role("textbox", name="Program").press("Control+F")
    expect(page.get_by_role("textbox", name="Find")).to_be_visible()
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_role("list", name="Parts")).to_be_visible()
    assert_accessible(page, name)
    one.take_screenshot(f"playground-pytest-{name}")


def _check_live_view(one: Visit, name: str) -> None:
    page = one.page
    page.get_by_role("link", name="Live").click()
    expect(page.locator(".recent tbody tr")).not_to_have_count(0)
    expect(page.locator(".slot")).not_to_have_count(0)
    sessions = page.get_by_role("region", name="Sessions", exact=True)
    expect(sessions.get_by_role("list", name="Session hosts")).to_contain_text("3 of 4 open")
    rows = sessions.locator("tbody tr")
    expect(rows).to_have_count(3)
    parent = rows.nth(2).locator("td").first.text_content() or ""
    expect(rows.nth(0).locator("td")).to_contain_text(
        [re.compile(r"\w{12}…"), "python", re.compile(" (s|min)$"), re.compile(" (s|min)$"), parent]
    )
    rates = page.get_by_role("region", name="Verdicts per second")
    rates.get_by_role("button", name="1 h").click()
    expect(rates.locator("rect")).not_to_have_count(0)
    rates.get_by_role("img").press("ArrowLeft")
    expect(rates.locator(".chart-value")).not_to_have_count(0)
    assert_accessible(page, name)
    one.take_screenshot(f"live-{name}")
    page.locator(".recent tbody button").first.click()
    expect(page.locator("#detail-dialog")).to_be_visible()
    assert_accessible(page, name)
    page.keyboard.press("Escape")


def _vote(one: Visit, name: str) -> None:
    page = one.page
    page.get_by_role("link", name="Vote").click()
    page.locator("#vote").get_by_role("button", name="Example").click()
    page.get_by_role("button", name="Vote", exact=True).click()
    page.locator("[data-cell='3-2']").click()
    assert_accessible(page, name)
    one.take_screenshot(f"vote-{name}")
    page.get_by_role("button", name="Sample report").click()
    page.get_by_role("button", name="Measure", exact=True).click()
    expect(page.locator("#quality-findings")).to_be_visible()
    assert_accessible(page, name)
    one.take_screenshot(f"quality-{name}")


def _compare_runs(one: Visit, name: str) -> None:
    page = one.page
    page.get_by_role("link", name="Runs").click()
    expect(page.get_by_role("checkbox", name="grpo/seed=1")).to_be_checked()  # the latest
    page.get_by_role("checkbox", name="grpo/seed=0").check()
    expect(page.locator(".series-line")).to_have_count(8)
    page.get_by_role("img", name="Mean reward").hover()
    expect(page.get_by_role("region", name="Mean reward").locator(".chart-value")).to_have_count(2)
    assert_accessible(page, name)
    one.take_screenshot(f"runs-{name}")
    assert len(page.evaluate("location.hash").removeprefix("#runs/").split(",")) == 2
    page.reload()
    expect(page.get_by_role("checkbox", checked=True)).to_have_count(2)


def _judge_a_file(one: Visit, name: str) -> None:
    page = one.page
    page.get_by_role("link", name="Batch").click()
    page.locator("#batch").get_by_role("button", name="Example", exact=True).click()
    page.get_by_role("button", name="Judge").click()
    expect(page.get_by_role("list", name="Verdicts")).to_contain_text("Accepted: 1")
    expect(page.get_by_role("button", name="Judge again")).to_be_visible()
    assert_accessible(page, name)
    one.take_screenshot(f"batch-{name}")


@pytest.fixture(scope="module")
def runs(url: str) -> None:
    """Two training runs of five steps. The answers of the first one become right."""
    tests = [[{"stdin": "3", "expected": "6"}]]
    answers = ["print(int(input()) * 2)", "print(7)", "print(", "while True: pass"]
    for step in range(5):
        for run, share in (("grpo/seed=0", step), ("grpo/seed=1", step // 2)):
            texts = [answers[0] if number < share else answers[1 + (number + step) % 3] for number in range(8)]
            completions = ["I give up." if text == "print(" else f"```python\n{text}\n```" for text in texts]
            body = {"run": run, "tests": tests, "completions": completions, "limits": {"cpu_time_s": 0.1}}
            response = httpx.post(f"{url}/reward", json=body, timeout=60)
            assert response.status_code == 200, response.text


@pytest.fixture(scope="module")
def sessions(live_service: Service, redis_server: RedisServer, home: Path) -> Iterator[None]:
    """A session of each language, and a fork, on a real session host."""
    assert live_service.check_readiness().ready
    folder = home / "web-sessions"
    folder.mkdir()
    settings = ApiSettings(home=folder, redis_url=redis_server.build_url())
    with (
        SessionHosts(settings) as hosts,
        serve_in_thread(create_app(settings)) as url,
        Client(url) as client,
    ):
        hosts.start(PLACES)
        with client.session(ttl_s=4_000) as session, client.session(language="bash"):
            session.fork()
            yield


@pytest.mark.usefixtures("sessions", "runs")
@pytest.mark.parametrize("name", AXE_RULES)
def test_every_view_can_be_read_by_everybody(visit: OpenPage, name: str) -> None:
    expect.set_options(timeout=TIMEOUT_MS)
    one = visit(phone=name == "phone", scheme="dark" if name == "dark" else "light")
    _judge_in_playground(one, name)
    _check_live_view(one, name)
    _compare_runs(one, name)
    _vote(one, name)
    _judge_a_file(one, name)


def test_the_colours_can_be_chosen_and_are_remembered(visit: OpenPage) -> None:
    page = visit(scheme="light").page
    grounds = {}
    for _ in range(3):
        button = page.locator("#theme")
        grounds[button.get_attribute("title")] = page.evaluate("getComputedStyle(document.body).backgroundColor")
        button.click()
    assert grounds["Color theme: auto"] == grounds["Color theme: light"] != grounds["Color theme: dark"]
    page.get_by_role("button", name="Color theme").click()
    page.reload()
    assert page.locator("#theme").get_attribute("title") == "Color theme: light"
