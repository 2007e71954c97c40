"""The live view of the page lists session hosts and open sessions."""

from __future__ import annotations

from playwright.sync_api import expect

from sandbox.schema.live import LiveSession, LiveSessions, LiveView
from sandbox.schema.sessions import SessionHost
from tests.web.conftest import OpenPage

NOW = 1_800_000_000.0


def test_the_live_view_lists_hosts_and_sessions(visit: OpenPage) -> None:
    page = visit().page
    sessions = LiveSessions(
        hosts=[SessionHost(id="h1", name="one", places=8, open=1, warm=2, draining=True)],
        latest=[
            LiveSession(id="session-1", language="python", created_at=NOW - 60, expires_at=NOW + 60, host="one"),
        ],
    )
    view = LiveView(at=NOW, slots=[], lanes=[], seconds=[], recent=[], sessions=sessions).model_dump_json()
    page.route(
        "**/live/events",
        lambda route: route.fulfill(content_type="text/event-stream", body=f"event: view\ndata: {view}\n\n"),
    )
    page.get_by_role("link", name="Live").click()
    card = page.get_by_role("region", name="Sessions", exact=True)
    expect(card.get_by_role("list", name="Session hosts")).to_contain_text("draining")
    rows = card.get_by_role("region", name="Table of open sessions").get_by_role("row")
    expect(rows.last).to_contain_text("session-1")
    expect(rows.last).to_contain_text("python")
