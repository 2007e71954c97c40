"""The state of a streamed response: what has arrived, and what to request after the connection breaks.

A stream splits raw bytes at newlines itself: `httpx.Response.iter_lines` also splits at U+2028 and U+0085, which
JSON strings may contain.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from sandbox.client.protocol import ENDED_STATUSES, Result, build_error_from_problem, build_headers, encode_batch
from sandbox.client.retries import StreamAttempts
from sandbox.errors import InfrastructureError
from sandbox.schema import Problem

Part_co = TypeVar("Part_co", covariant=True)

_OBJECT_ADAPTER = TypeAdapter(dict[str, Any])


class ResumableStream(Protocol[Part_co]):
    """A streamed response that can continue over several connections."""

    method: str
    path: str
    attempts: StreamAttempts

    @property
    def ended(self) -> bool: ...

    def start_request(self) -> tuple[Mapping[str, str], bytes | None]:
        """Return the headers and the body of the next request, which asks for the missing parts."""

    def parse_chunk(self, chunk: bytes) -> Iterator[Part_co]:
        """Yield the parts that this chunk of the response completes."""


class BlockSplitter:
    """Splits chunks of bytes into the blocks between separators."""

    def __init__(self, separator: bytes) -> None:
        self._separator = separator
        self._buffer = bytearray()

    def split(self, chunk: bytes) -> list[bytes]:
        """Return the blocks that this chunk completes."""
        # A line may be megabytes long, so no byte of it is searched or copied once per chunk.
        searched = max(0, len(self._buffer) - len(self._separator) + 1)
        self._buffer += chunk
        if self._buffer.find(self._separator, searched) < 0:
            return []
        *blocks, rest = bytes(self._buffer).split(self._separator)
        self._buffer = bytearray(rest)
        return blocks


@dataclass(frozen=True, slots=True)
class JobEvent:
    """An event of a job: `state`, `progress`, `completion` or `verdict`.

    Pass `id` as `after` to continue after this event. A `state` event, which holds the current job, has no id.
    """

    event: str
    data: dict[str, Any]
    id: int | None = None


class EventStream:
    """The server-sent events of a job until it ends; after a break, continues after the last event."""

    method = "GET"

    def __init__(self, job_id: str, after: int | None) -> None:
        self.path = f"/jobs/{quote(job_id, safe='')}/events"
        self.ended = False
        self.attempts = StreamAttempts(self.path)
        self._last_event_id = after
        self._last_status = ""
        self._splitter = BlockSplitter(b"\n\n")

    def start_request(self) -> tuple[Mapping[str, str], None]:
        """Return the headers of the next request; drop an event that the last connection cut off."""
        self._splitter = BlockSplitter(b"\n\n")
        headers = {"Accept": "text/event-stream"}
        if self._last_event_id is not None:
            headers["Last-Event-ID"] = str(self._last_event_id)
        return headers, None

    def parse_chunk(self, chunk: bytes) -> Iterator[JobEvent]:
        """Yield the events that this chunk completes."""
        for block in self._splitter.split(chunk):
            fields = dict(line.split(b": ", 1) for line in block.split(b"\n") if b": " in line)
            if b"data" in fields and (event := self._parse_event(fields)) is not None:
                self.attempts.reset()
                yield event

    def _parse_event(self, fields: dict[bytes, bytes]) -> JobEvent | None:
        """Return the event, or None for a state that the last connection already sent."""
        try:
            number = int(fields[b"id"]) if b"id" in fields else None
            event = JobEvent(fields[b"event"].decode(), _OBJECT_ADAPTER.validate_json(fields[b"data"]), number)
        except (ValueError, KeyError) as error:
            raise InfrastructureError(f"{self.path}: cannot parse an event of the service: {error}") from error
        if number is not None:
            self._last_event_id = number
        elif event.event == "state":
            known, self._last_status = self._last_status, str(event.data.get("status", ""))
            self.ended = self._last_status in ENDED_STATUSES
            return event if self._last_status != known else None
        return event


class BatchStream(Generic[Result]):
    """A batch whose results arrive line by line; after a break, requests the missing ones.

    `requests` maps each index in the whole stream to its encoded request. An idempotency key stands for the whole
    batch, so with a key every request repeats the whole batch, and results that already arrived are dropped.
    """

    method = "POST"

    def __init__(self, kind: str, requests: Mapping[int, bytes], result: type[Result], key: str = "") -> None:
        self.path = f"/{kind}/batch"
        self.attempts = StreamAttempts(self.path)
        self.pending = dict(requests)
        self._headers = {**build_headers(key), "Accept": "application/x-ndjson"}
        self._all_requests = self.pending.copy() if key else {}
        self._result: type[Result] = result
        self._sent_indices: list[int] = []
        self._splitter = BlockSplitter(b"\n")

    @property
    def ended(self) -> bool:
        return not self.pending

    def start_request(self) -> tuple[Mapping[str, str], bytes]:
        """Return the headers and the body of the next request; drop a line that the last connection cut off."""
        self._splitter = BlockSplitter(b"\n")
        requests = self._all_requests or self.pending
        self._sent_indices = list(requests)
        return self._headers, encode_batch(requests.values())

    def parse_chunk(self, chunk: bytes) -> Iterator[tuple[int, Result]]:
        """Yield each new result with its index in the whole stream; raise the error of an item that failed."""
        for line in self._splitter.split(chunk):
            index, result = self._parse_line(line)
            self.attempts.reset()
            if self.pending.pop(index, None) is not None:
                yield index, result

    def _parse_line(self, line: bytes) -> tuple[int, Result]:
        try:
            payload = _OBJECT_ADAPTER.validate_json(line)
            if "problem" in payload:
                raise build_error_from_problem(Problem.model_validate(payload["problem"]))
            return self._sent_indices[payload["index"]], self._result.model_validate(payload["result"])
        except (ValidationError, LookupError, TypeError) as error:
            raise InfrastructureError(f"{self.path}: cannot parse a line of the service: {error}") from error
