"""`/live` and its events: one read per second for all clients, and no result is sent twice."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import ExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from sandbox.api.app import create_app
from sandbox.api.http_limits import build_timeout_protocol
from sandbox.api.routes import live
from sandbox.config import ApiSettings
from sandbox.errors import QueueUnavailable
from sandbox.schema.live import LiveLane, LiveResult, LiveView
from tests.api.fake_service import FakeService
from tests.api.threaded_server import serve_in_thread


def _build_result(number: int) -> LiveResult:
    return LiveResult(
        id=f"job{number}",
        kind="verify",
        language="python",
        lane="rl",
        verdict="accepted",
        passed=1,
        total=1,
        at=float(number),
        queued_s=0.001,
        took_s=0.002,
        worker="host-1-0",
    )


def _build_view(*numbers: int) -> LiveView:
    lanes = [LiveLane(name="rl", queued=3, oldest_s=1.5)]
    return LiveView(at=1.0, slots=[], lanes=lanes, seconds=[], recent=[_build_result(number) for number in numbers])


async def _collect_events(app: FastAPI, number: int) -> list[tuple[str, Any]]:
    """Collect the first events without a network."""
    cache = live.LiveViewCache(app.state.context)
    stream = live._stream_events(cache)
    lines = [await anext(stream) for _ in range(number)]
    await stream.aclose()  # type: ignore[attr-defined]
    return [_parse_event(line) for line in lines]


def _parse_event(text: str) -> tuple[str, Any]:
    kind, data, *rest = text.split("\n")
    assert rest == ["", ""]
    return kind.removeprefix("event: "), json.loads(data.removeprefix("data: "))


async def test_one_look_tells_slots_lanes_and_results(http: httpx.AsyncClient, service: FakeService) -> None:
    service.live_view = _build_view(2, 1)
    view = (await http.get("/live")).json()
    assert view["lanes"] == [{"name": "rl", "queued": 3, "oldest_s": 1.5}]
    assert [one["id"] for one in view["recent"]] == ["job2", "job1"]


async def test_the_history_goes_back_for_at_most_a_day(http: httpx.AsyncClient) -> None:
    assert (await http.get("/live/history")).json() == {"at": 3_600.0, "step_s": 60, "periods": []}
    assert (await http.get("/live/history?hours=24")).json()["at"] == 24 * 3_600.0
    for hours in ("0", "25", "day"):
        assert (await http.get(f"/live/history?hours={hours}")).status_code == 422


async def test_events_tell_each_result_once(
    app: FastAPI, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "REFRESH_INTERVAL_S", 0.0)
    service.live_view = _build_view(2, 1)
    (kind, first), (_, second) = await _collect_events(app, 2)
    assert kind == "view"
    assert [one["id"] for one in first["recent"]] == ["job2", "job1"]
    assert second["recent"] == []


async def test_events_go_on_when_the_queue_does_not_answer_for_a_while(
    app: FastAPI, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "REFRESH_INTERVAL_S", 0.0)
    cache = live.LiveViewCache(app.state.context)
    stream = live._stream_events(cache)
    assert _parse_event(await anext(stream))[0] == "view"
    service.refusal = QueueUnavailable("Redis does not answer")
    kind, problem = _parse_event(await anext(stream))
    assert (kind, problem["status"]) == ("problem", 503)
    service.refusal = None
    assert _parse_event(await anext(stream))[0] == "view"


async def test_many_who_watch_cost_one_look(app: FastAPI, service: FakeService) -> None:
    looks = 0

    def count_look() -> LiveView:
        nonlocal looks
        looks += 1
        return _build_view()

    service.get_live_view = count_look  # type: ignore[method-assign]
    cache = live.LiveViewCache(app.state.context)
    await asyncio.gather(*(cache.get_view() for _ in range(50)))
    assert looks == 1


async def test_a_queue_that_does_not_answer_is_a_problem_from_the_start(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    service.refusal = QueueUnavailable("Redis does not answer")
    answer = await http.get("/live/events")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_server_that_stops_does_not_wait_for_who_watches(settings: ApiSettings, service: FakeService) -> None:
    app = create_app(settings, service)
    with ExitStack() as client:
        with serve_in_thread(app, protocol=build_timeout_protocol(20)) as url:
            answer = client.enter_context(httpx.stream("GET", f"{url}/live/events"))
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = answer.iter_lines()
            assert next(lines) == "event: view"
            stopped_at = time.monotonic()
        assert time.monotonic() - stopped_at < 3, "it waited for the stream's end"
