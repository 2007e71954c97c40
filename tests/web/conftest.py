"""A headless Chromium with a real API and real workers. Screenshots go to `tests-output/web`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Page, sync_playwright

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread

SCREENSHOTS = Path(__file__).resolve().parents[2] / "tests-output" / "web"
TIMEOUT_MS = 30_000
DESKTOP_VIEWPORT = {"width": 1280, "height": 860}
PHONE_VIEWPORT = {"width": 390, "height": 844}

OpenPage = Callable[..., "Visit"]


def fill_program(page: Page, code: str) -> None:
    """Replace the program in the editor, as a paste would."""
    page.get_by_role("textbox", name="Program").fill(code)


def expect_program(page: Page, code: str) -> None:
    """Wait until the editor contains exactly this program."""
    page.wait_for_function(
        "code => [...document.querySelectorAll('.cm-line')].map((line) => line.textContent).join('\\n') === code",
        arg=code,
    )


@dataclass
class Visit:
    """An open page, its complaints, and the addresses that it requested."""

    page: Page
    console_errors: list[str] = field(default_factory=list)
    requested_urls: list[str] = field(default_factory=list)

    def take_screenshot(self, name: str, *, whole: bool = True) -> None:
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        self.page.evaluate("scrollTo(0, 0)")
        self.page.screenshot(path=SCREENSHOTS / f"{name}.png", full_page=whole)


# Per module, not per session: Playwright keeps an event loop running, and tests of coroutines need their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("no chromium here: apt-get install chromium")
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except Error as error:
            pytest.skip(f"chromium does not start: {error}")
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def url(live_service: Service, home: Path) -> Iterator[str]:
    with serve_in_thread(create_app(ApiSettings(home=home / "live"), live_service)) as url:
        yield url


@pytest.fixture
def visit(browser: Browser, url: str) -> Iterator[OpenPage]:
    """Open the page, and check that it has no errors and sends no requests to other servers."""
    visits: list[Visit] = []
    with ExitStack() as stack:

        def open_page(fragment: str = "", *, at: str = url, phone: bool = False, scheme: str = "light") -> Visit:
            context = browser.new_context(
                viewport=PHONE_VIEWPORT if phone else DESKTOP_VIEWPORT,  # type: ignore[arg-type]
                color_scheme=scheme,  # type: ignore[arg-type]
                is_mobile=phone,
                has_touch=phone,
            )
            stack.callback(context.close)
            context.set_default_timeout(TIMEOUT_MS)
            one = Visit(context.new_page())
            one.page.on("pageerror", lambda error: one.console_errors.append(str(error)))
            one.page.on("console", lambda said: one.console_errors.extend([said.text] if said.type == "error" else []))
            one.page.on("request", lambda request: one.requested_urls.append(request.url))
            one.page.goto(f"{at}/{fragment}")
            one.page.wait_for_selector("html[data-ready]")
            visits.append(one)
            return one

        yield open_page
    for one in visits:
        assert not one.console_errors
        assert all(address.startswith(("http://127.0.0.1:", "data:", "blob:")) for address in one.requested_urls)
