"""Congestion control, and streams under it, against the API on a real port and against a server that refuses."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from sandbox.client import AsyncClient, Client, Retries, congestion
from sandbox.client.congestion import AsyncGate, CongestionWindow, Gate
from sandbox.errors import Refused, UnknownLanguage
from sandbox.schema import VerifyResult
from tests.api.fake_service import FakeService

VERIFY = {"language": "python", "code": "print(1)", "tests": [{"stdin": "", "expected": "1\n"}]}


def build_items(number: int) -> list[dict[str, Any]]:
    return [{**VERIFY, "code": str(index)} for index in range(number)]


# The window


def test_a_window_grows_by_a_step_per_full_window_and_halves_when_refused() -> None:
    now = 0.0
    window = CongestionWindow(100.0, clock=lambda: now)
    for _ in range(100):
        window.record_answer(1, 0.1)
    assert 100 + 0.7 * congestion.LIMIT_INCREASE < window.limit <= 100 + congestion.LIMIT_INCREASE
    before = window.limit
    window.record_refusal()
    window.record_refusal()  # within the interval, so it counts once
    assert window.limit == before / 2
    now = 1.0
    window.record_answer(1, congestion.LONG_QUEUE_TIME_S + 1)
    assert window.limit == before / 4
    for later in range(2, 40):
        now = float(later)
        window.record_refusal()
    assert window.limit == congestion.MIN_LIMIT
    window.record_answer(10**9, 0.0)
    assert window.limit == congestion.MAX_LIMIT


def test_a_lone_request_is_always_sent_and_others_wait_for_room() -> None:
    gate = Gate()
    gate.window.limit = 4
    entered = threading.Event()

    def enter() -> None:
        with gate.reserve(1):
            entered.set()

    with gate.reserve(10):  # larger than the window
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.1)
    assert entered.wait(5)
    thread.join()
    assert gate.window.in_flight == 0


async def test_tasks_wait_for_room_too_and_a_cancelled_one_keeps_none() -> None:
    gate = AsyncGate()
    gate.window.limit = 2

    async def hold(items: int, held: asyncio.Event) -> None:
        async with gate.reserve(items):
            await held.wait()

    first, second = asyncio.Event(), asyncio.Event()
    tasks = [asyncio.create_task(hold(2, first)), asyncio.create_task(hold(1, second))]
    await asyncio.sleep(0)
    assert gate.window.in_flight == 2
    tasks[1].cancel()
    first.set()
    await asyncio.wait(tasks)
    assert gate.window.in_flight == 0


def test_a_status_request_needs_no_room(url: str) -> None:
    with Client(url) as client, client._connection.gate.reserve(10_000):
        assert client.ready().ready


# Streams


def test_results_go_to_a_function_and_progress_is_reported(url: str) -> None:
    seen: dict[int, VerifyResult] = {}
    progress: list[tuple[int, int | None]] = []
    with Client(url) as client:
        client.verify_stream(
            build_items(30), on_result=seen.__setitem__, on_progress=lambda done, total: progress.append((done, total))
        )
        assert {index: seen[index].tests[0].message for index in seen} == {index: str(index) for index in range(30)}
        assert progress == [(done, 30) for done in range(1, 31)]
        assert [index for index, _ in client.execute_stream([], on_progress=lambda *_: None)] == []


async def test_async_results_go_to_a_function_or_a_coroutine_function(url: str) -> None:
    seen: dict[int, str] = {}

    async def take(index: int, result: VerifyResult) -> None:
        await asyncio.sleep(0)
        seen[index] = result.tests[0].message

    async with AsyncClient(url) as client:
        await client.verify_stream(build_items(30), on_result=take)
        assert seen == {index: str(index) for index in range(30)}
        order: list[int] = []
        await client.verify_stream(build_items(3), on_result=lambda index, _: order.append(index))
        assert sorted(order) == [0, 1, 2]


def test_a_stream_reads_no_further_than_its_window(url: str, service: FakeService) -> None:
    read: list[int] = []

    def generate() -> Iterator[dict[str, Any]]:
        for index, request in enumerate(build_items(25)):
            read.append(index)
            yield request

    with Client(url) as client:
        client._connection.gate.window.limit = 10
        results = client.verify_stream(generate())
        next(results)
        assert len(read) == 10
        assert len(list(results)) == 24
    assert len(service.submissions[0].requests) == 10
    assert sum(len(submitted.requests) for submitted in service.submissions) == 25


async def test_an_async_stream_reads_no_further_than_its_window(url: str, service: FakeService) -> None:
    read: list[int] = []

    def generate() -> Iterator[dict[str, Any]]:
        for index, request in enumerate(build_items(50)):
            read.append(index)
            yield request

    service.held = True
    async with AsyncClient(url) as client:
        client._connection.gate.window.limit = 10
        stream = client.verify_stream(generate())
        threading.Thread(target=lambda: service.set_result(service.wait_for_submission(), 1)).start()
        assert (await anext(stream))[0] == 1
        assert len(read) == 10
        await stream.aclose()  # type: ignore[attr-defined]
    assert client._connection.gate.window.in_flight == 0


async def test_results_arrive_while_items_are_still_being_generated(url: str) -> None:
    """A trainer does this while its model still generates."""
    rewarded = asyncio.Event()

    async def generate() -> AsyncIterator[dict[str, Any]]:
        yield build_items(1)[0]
        await asyncio.wait_for(rewarded.wait(), 10)  # the second item exists only after the first result
        yield {**VERIFY, "code": "second"}

    async with AsyncClient(url) as client:
        messages = []
        async for index, result in client.verify_stream(generate()):
            rewarded.set()
            messages.append((index, result.tests[0].message))
    assert messages == [(0, "0"), (1, "second")]


async def test_items_generated_together_go_in_one_request(url: str, service: FakeService) -> None:
    async def generate() -> AsyncIterator[dict[str, Any]]:
        for request in build_items(40):
            yield request

    async with AsyncClient(url) as client:
        assert len([index async for index, _ in client.verify_stream(generate())]) == 40
    assert [len(submitted.requests) for submitted in service.submissions] == [40]


async def test_an_error_of_an_item_or_its_source_ends_the_stream(url: str) -> None:
    async def fail_after_one() -> AsyncIterator[dict[str, Any]]:
        yield VERIFY
        raise RuntimeError("the model fell over")

    async with AsyncClient(url) as client:
        with pytest.raises(RuntimeError, match="fell over"):
            async for _ in client.verify_stream(fail_after_one()):
                pass
        with pytest.raises(UnknownLanguage):
            async for _ in client.verify_stream([{**VERIFY, "language": "cobol"}]):
                pass


async def test_an_async_stream_that_is_left_abandons_the_rest(url: str, service: FakeService) -> None:
    service.held = True
    async with AsyncClient(url) as client:
        stream = client.verify_stream(build_items(3))
        threading.Thread(target=lambda: service.set_result(service.wait_for_submission(), 1)).start()
        assert (await anext(stream))[0] == 1
        await stream.aclose()  # type: ignore[attr-defined]
        assert await asyncio.to_thread(service.wait_for_abandonment) == "job0"


class RefusingServer:
    """A service that refuses requests with more than `max_items`; if `broken`, it cuts its first answer short."""

    def __init__(self, max_items: int = 10**9, broken: bool = False) -> None:
        self.max_items = max_items
        self.broken = broken
        self.requests: list[tuple[int, str]] = []

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        import json

        items = json.loads(request.content)["items"]
        self.requests.append((len(items), request.headers.get("idempotency-key", "")))
        if len(items) > self.max_items:
            return httpx.Response(503, headers={"Retry-After": "0"}, json={"title": "full", "status": 503})
        results = [{"id": "a", "verdict": "accepted", "passed": 1, "total": 1, "score": 1.0, "tests": []}] * len(items)
        lines = [json.dumps({"index": index, "result": result}) for index, result in enumerate(results)]
        if self.broken and len(self.requests) == 1:
            return httpx.Response(200, text="\n".join(lines[:2]) + "\n")
        return httpx.Response(200, text="\n".join(lines) + "\n")


async def test_a_refusal_halves_the_requests_of_the_next_stream() -> None:
    service = RefusingServer(max_items=600)
    retries = Retries(attempts=2, first_delay_s=0.0)
    async with AsyncClient(transport=httpx.MockTransport(service), retries=retries) as client:
        with pytest.raises(Refused):
            await client.verify_batch([VERIFY] * 1_000)
        assert client._connection.gate.window.limit == congestion.INITIAL_LIMIT / 2
        assert len([index async for index, _ in client.verify_stream([VERIFY] * 1_000)]) == 1_000
    assert [items for items, _ in service.requests] == [1_000, 1_000, 512, 488]


async def test_with_a_key_a_broken_stream_repeats_the_whole_batch_and_yields_no_result_twice() -> None:
    service = RefusingServer(broken=True)
    retries = Retries(attempts=2, first_delay_s=0.0)
    async with AsyncClient(transport=httpx.MockTransport(service), retries=retries) as client:
        stream = client.verify_stream([VERIFY] * 5, idempotency_key="step-3")
        assert [index async for index, _ in stream] == [0, 1, 2, 3, 4]
    assert service.requests == [(5, "step-3-0"), (5, "step-3-0")]


def test_a_repeated_stream_with_its_key_runs_nothing_twice(url: str, service: FakeService) -> None:
    with Client(url) as client:
        assert len(list(client.verify_stream(build_items(3), idempotency_key="k"))) == 3
    assert service.submissions[0].idempotency_key == "k-0"
