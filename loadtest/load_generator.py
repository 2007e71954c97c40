"""The load generator: HTTP/1.1 over persistent connections, kept light because it shares the measured cores.

Request bodies are built before the clock starts. A response is collected as bytes and parsed when it is complete. Only
a chunked response (a stream of results) records the time at which each piece arrived.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from urllib.parse import urlsplit

from loadtest.sample import Sample, WrongVerdict

CONTENT_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
CHUNKED_ENCODING = re.compile(rb"\r\ntransfer-encoding: *chunked", re.IGNORECASE)
END_OF_CHUNKS = b"\r\n0\r\n\r\n"
MAX_PREBUILT_BYTES = 96 << 20
RESPONSE_TIMEOUT_S = 900.0
PATIENCE_S = 120.0  # with a service that may fail
PAUSE_AFTER_LOSS_S = 0.05


class MeasurementFailed(Exception):
    """A side does not answer, or rejects requests, so there is nothing to measure."""


@dataclass(slots=True)
class Response:
    """One response; `arrival_times_s` has the time of each piece of a chunked one."""

    status: int
    pieces: list[bytes]
    arrival_times_s: list[float]
    chunked: bool

    @property
    def body(self) -> bytes:
        raw = b"".join(self.pieces)
        return b"".join(chunk for chunk, _ in iterate_chunks(raw)) if self.chunked else raw

    def iterate_timed_lines(self) -> Iterator[tuple[float, bytes]]:
        """Yield each line of the body with the time at which its end arrived."""
        ends, total = [], 0
        for piece, arrived in zip(self.pieces, self.arrival_times_s, strict=True):
            total += len(piece)
            ends.append((total, arrived))
        at = iter(ends)
        end, arrived = next(at)
        for chunk, place in iterate_chunks(b"".join(self.pieces)):
            while place > end:
                end, arrived = next(at)
            for line in chunk.splitlines():
                yield arrived, line


def iterate_chunks(raw: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the chunks of a chunked body with the offsets of their ends in the raw bytes."""
    place = 0
    while True:
        end_of_size = raw.index(b"\r\n", place)
        size = int(raw[place:end_of_size].split(b";")[0], 16)
        if not size:
            return
        place = end_of_size + 2 + size + 2
        yield raw[end_of_size + 2 : place - 2], place


@dataclass(slots=True)
class CheckResult:
    """The result of checking a response: verdicts, the CPU time of their programs, and `Sample.tail_s`."""

    verdicts: int
    program_cpu_s: float = 0.0
    tail_s: float | None = None


@dataclass(slots=True)
class Request:
    """A request in pieces, so that large parts are shared, and the check of its response."""

    pieces: list[bytes]
    check: Callable[[Response], CheckResult]
    expected: int = 1  # verdicts


def build_post_request(
    host: str,
    path: str,
    body: list[bytes],
    check: Callable[[Response], CheckResult],
    stream: bool = False,
    expected: int = 1,
) -> Request:
    accept = "application/x-ndjson" if stream else "application/json"
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nAccept: {accept}\r\n"
        f"Content-Length: {sum(map(len, body))}\r\n\r\n"
    )
    if sum(map(len, body)) < 65_536:
        return Request([b"".join([head.encode(), *body])], check, expected)
    return Request([head.encode(), *body], check, expected)


class HttpConnection(asyncio.Protocol):
    """A connection with one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._response: asyncio.Future[Response] | None = None
        self._current: Response | None = None
        self._head = b""
        self._bytes_left = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport) or hasattr(transport, "writelines")
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self._response is not None and not self._response.done():
            self._response.set_exception(MeasurementFailed(f"the connection was lost: {exc or 'closed by the server'}"))

    def send(self, request: Request) -> asyncio.Future[Response]:
        assert self._transport is not None
        self._response = asyncio.get_running_loop().create_future()
        self._head, self._current = b"", None
        self._transport.writelines(request.pieces)
        return self._response

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self._current is None:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            data = self._head[end + 4 :]
            self._current = self._begin_response(self._head[: end + 2])
        answer = self._current
        if data:
            answer.pieces.append(data)
            answer.arrival_times_s.append(now)
            self._bytes_left -= len(data)
        if self._is_complete(answer) and self._response is not None and not self._response.done():
            self._response.set_result(answer)

    def _begin_response(self, head: bytes) -> Response:
        length = CONTENT_LENGTH.search(head)
        self._bytes_left = int(length[1]) if length else 0
        return Response(int(head[9:12]), [], [], CHUNKED_ENCODING.search(head) is not None)

    def _is_complete(self, answer: Response) -> bool:
        if not answer.chunked:
            return self._bytes_left <= 0
        tail = b"".join(answer.pieces[-3:])
        return tail.endswith(END_OF_CHUNKS) or tail == END_OF_CHUNKS[2:]


@dataclass(slots=True)
class LoadRound:
    """A round: `concurrency` connections, each sending the next request as soon as the last one is answered.

    If the service `may_fail`, wrong verdicts are counted, and so are those that do not come: after an error, a lost
    connection or `PATIENCE_S` seconds of silence, the connection is opened again.
    """

    url: str
    requests: Iterator[Request]
    concurrency: int
    seconds: float
    may_fail: bool = False
    sample: Sample = field(default_factory=Sample)

    def run(self, send_all: bool) -> Sample:
        """Run the round; `send_all` sends all requests, however long it takes. Raises MeasurementFailed or
        WrongVerdict.
        """
        import uvloop

        stock = self._prebuild(send_all)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(self._run_all(stock, send_all))

    def _prebuild(self, send_all: bool) -> Iterator[Request]:
        """Build requests before the clock starts, as far as memory allows, and the rest later."""
        most = 1_000_000 if send_all else int(800 * self.seconds) + self.concurrency
        prebuilt, size = [], 0
        began = time.perf_counter()
        for request in islice(self.requests, most):
            prebuilt.append(request)
            size += sum(len(piece) for piece in request.pieces if len(piece) < 1 << 20)
            if not send_all and (size > MAX_PREBUILT_BYTES or time.perf_counter() - began > self.seconds):
                break
        return _chain_requests(prebuilt, self.requests)

    async def _run_all(self, requests: Iterator[Request], send_all: bool) -> Sample:
        loop = asyncio.get_running_loop()
        wires: list[HttpConnection] = []
        tasks: list[asyncio.Task[None]] = []
        try:
            for _ in range(self.concurrency):
                wires.append(await self._connect())
            began, cpu = time.perf_counter(), time.process_time()
            deadline = float("inf") if send_all else began + self.seconds
            # Not a TaskGroup, which would wrap the first failure in an exception group.
            tasks = [loop.create_task(self._run_connection(wire, requests, deadline)) for wire in wires]
            async with asyncio.timeout(self.seconds + RESPONSE_TIMEOUT_S):
                await asyncio.gather(*tasks)
        except (OSError, TimeoutError) as failure:
            raise MeasurementFailed(f"{self.url}: {str(failure) or 'no answer in time'}") from failure
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for wire in wires:
                wire.close()
        self.sample.elapsed_s = time.perf_counter() - began
        self.sample.cpu_s["generator"] = time.process_time() - cpu
        return self.sample

    async def _run_connection(self, wire: HttpConnection, requests: Iterator[Request], deadline: float) -> None:
        if self.may_fail:
            await self._run_failing_connection(wire, requests, deadline)
            return
        sample = self.sample
        for request in requests:
            began = time.perf_counter()
            answer = await wire.send(request)
            sample.latencies_s.append(time.perf_counter() - began)
            judged = request.check(answer)
            sample.verdicts += judged.verdicts
            sample.program_cpu_s += judged.program_cpu_s
            sample.tail_s = judged.tail_s
            if time.perf_counter() >= deadline:
                return

    async def _run_failing_connection(self, wire: HttpConnection, requests: Iterator[Request], deadline: float) -> None:
        sample = self.sample
        try:
            for request in requests:
                began = time.perf_counter()
                try:
                    async with asyncio.timeout(PATIENCE_S):
                        answer = await wire.send(request)
                    took_s = time.perf_counter() - began
                    judged = request.check(answer)
                except WrongVerdict as wrong:
                    sample.latencies_s.append(took_s)
                    sample.wrong += wrong.count
                    sample.verdicts += request.expected - wrong.count
                except (MeasurementFailed, OSError, TimeoutError, ValueError, LookupError, TypeError):
                    sample.lost += request.expected
                    wire.close()
                    await asyncio.sleep(PAUSE_AFTER_LOSS_S)  # a service that is down must not make this loop busy
                    wire = await self._connect()
                else:
                    sample.latencies_s.append(took_s)
                    sample.verdicts += judged.verdicts
                    sample.program_cpu_s += judged.program_cpu_s
                if time.perf_counter() >= deadline:
                    break
        finally:
            wire.close()

    async def _connect(self) -> HttpConnection:
        parts = urlsplit(self.url)
        loop = asyncio.get_running_loop()
        _, wire = await loop.create_connection(HttpConnection, parts.hostname or "127.0.0.1", parts.port or 80)
        return wire


def _chain_requests(prebuilt: list[Request], rest: Iterator[Request]) -> Iterator[Request]:
    """Yield the prebuilt requests, releasing each, then the rest."""
    prebuilt.reverse()
    while prebuilt:
        yield prebuilt.pop()
    yield from rest
