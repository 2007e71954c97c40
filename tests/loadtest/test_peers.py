"""Peers are measured beside the sandbox: what they get wrong, or lose, is counted and does not end the run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from loadtest import load_generator
from loadtest.bench_table import build_brief_table, format_markdown
from loadtest.load_generator import MeasurementFailed
from loadtest.peers import PEERS
from loadtest.result import Result, build_rows
from loadtest.sample import Sample
from loadtest.sides import BARE, SANDBOX, HttpSide
from loadtest.workloads import find_workload
from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread

RIGHT, WRONG, ERROR, CLOSE = "right", "wrong", "error", "close"


@contextmanager
def serve(answer: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]) -> Iterator[str]:
    """Yield the URL of a server in a thread. At the end it waits until the clients have closed their connections."""
    loop = asyncio.new_event_loop()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):  # the client has closed the connection
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def stop() -> None:
        # asyncio leaks a connection that it has accepted but not yet set up when its server closes.
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(tasks)
        server.close()

    server = loop.run_until_complete(asyncio.start_server(handle, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def serve_judge(script: list[str]) -> Iterator[str]:
    """Yield the URL of a code-judge whose answers follow the script, over and over. It answers one test each."""
    turn = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal turn
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0])
            await reader.readexactly(length)
            kind, turn = script[turn % len(script)], turn + 1
            if kind == CLOSE:
                return
            body = orjson.dumps({"success": kind == RIGHT, "reason": "internal_error" if kind == ERROR else ""})
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))

    with serve(answer) as url:
        yield url


def measure(script: list[str], programs: int) -> Sample:
    workload = replace(find_workload("W1 single"), programs=programs, concurrency=1)
    with serve_judge(script) as url:
        return HttpSide("code-judge", url, PEERS["code-judge"], 1, may_fail=True).run(workload, 1.0)


def test_wrong_and_lost_verdicts_of_a_peer_are_counted_and_the_round_goes_on() -> None:
    sample = measure([RIGHT, WRONG, ERROR, CLOSE, RIGHT], 10)
    assert (sample.verdicts, sample.wrong, sample.lost) == (4, 2, 4)
    assert len(sample.latencies_s) == 6  # of those that were answered


def test_a_silent_peer_loses_its_verdicts_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_generator, "PATIENCE_S", 0.1)

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(-1)

    workload = replace(find_workload("W1 single"), programs=2, concurrency=1)
    with serve(hang) as url:
        sample = HttpSide("code-judge", url, PEERS["code-judge"], 1, may_fail=True).run(workload, 1.0)
    assert (sample.verdicts, sample.lost) == (0, 2)


def test_a_peer_that_is_not_there_is_not_measured() -> None:
    side = HttpSide("code-judge", "http://127.0.0.1:9", PEERS["code-judge"], 1, may_fail=True)
    with pytest.raises(MeasurementFailed):
        side.run(find_workload("W1 single"), 0.2)


def test_the_shares_are_shown_for_each_side() -> None:
    samples = {
        ("W1 single", SANDBOX): [Sample(verdicts=200, elapsed_s=1.0, latencies_s=[0.004])],
        ("W1 single", BARE): [Sample(verdicts=100, elapsed_s=1.0, latencies_s=[0.009])],
        ("W1 single", "code-judge"): [Sample(verdicts=90, elapsed_s=1.0, latencies_s=[0.02], wrong=4, lost=6)],
    }
    machine = {"cpu": "x", "cores": 2, "slots": 2, "rounds": 1, "seconds": 1.0}
    result = Result(machine, build_rows(samples), [])
    assert [(row.wrong_share, row.lost_share) for row in result.rows if row.side == "code-judge"] == [(0.04, 0.06)]
    text = format_markdown(result)
    assert "| W1 single | code-judge | 90.0 | 0.90 | 20.0 | 20.0 | 4.0% | 6.0% |" in text
    assert "| W1 single | ours | 200 | 2.00 |" in text
    assert len({line.count("|") for line in text.splitlines() if line.startswith("|")}) == 1
    assert build_brief_table(result).row_count == 3


@pytest.mark.docker
@pytest.mark.parametrize("kind", sorted(PEERS))
def test_the_dialect_of_each_peer_gets_right_verdicts(kind: str, live_service: Service, home: Path) -> None:
    """The service speaks the dialects of its peers, so it can stand in for each of them."""
    workload = replace(find_workload("W4 mixed"), programs=8, programs_per_core=0)
    with serve_in_thread(create_app(ApiSettings(home=home / "live"), live_service)) as url:
        path = f"/dialects/{kind.replace('-', '_')}"
        sample = HttpSide(kind, f"{url}{path}", PEERS[kind], 2, may_fail=True).run(workload, 1.0)
    assert sample.verdicts >= 8
    assert (sample.wrong, sample.lost) == (0, 0)
