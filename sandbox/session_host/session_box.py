"""The host's connection to the session supervisor in one box.

Several requests may be in progress at once. Each has a number, and the box's answers and events have the number of
their request. Everything that a box sends is untrusted: frames are limited in size, and the type of every field is
checked. If the connection breaks, all requests fail, and the box is destroyed.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sandbox.box.engine import BoxHandle
from sandbox.errors import BadRequest, BoxError, NotFound, SessionBusy
from sandbox.runner import frames

READY_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 30.0
SEND_TIMEOUT_S = 5.0
MAX_ARCHIVE_BYTES = 64 << 20
MAX_MESSAGE_CHARS = 2_000
BOX_FAILURES = {"ended", "exists", "internal", "not_started", "too_many_branches", "unknown_branch"}


class Reply(NamedTuple):
    """An answer from the box, with its payload, such as the bytes of a file."""

    header: Mapping[str, Any]
    content: bytes = b""


OnEvent = Callable[[Mapping[str, Any], bytes], None]


@dataclass(slots=True)
class _Request:
    future: asyncio.Future[Reply]
    on_event: OnEvent | None = None


@dataclass(slots=True)
class SessionBox:
    """A started box for sessions. Use it in one event loop. Calls `on_ended` when a branch's process dies."""

    handle: BoxHandle
    on_ended: Callable[[int, str], None] = lambda branch, reason: None
    on_lost: Callable[[str], None] = lambda reason: None
    uses: int = 0
    is_broken: bool = False
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _requests: dict[int, _Request] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None

    async def connect(self) -> None:
        """Wait for the supervisor's first frame. Raises BoxError."""
        self._loop = asyncio.get_running_loop()
        connection = self.handle.connection
        connection.settimeout(SEND_TIMEOUT_S)
        hello = asyncio.Event()
        self._loop.add_reader(connection, hello.set)
        try:
            async with asyncio.timeout(READY_TIMEOUT_S):
                await hello.wait()
            header, _, descriptors = frames.receive(connection)
            frames.close_descriptors(descriptors)
        except (TimeoutError, frames.FrameError) as error:
            self._loop.remove_reader(connection)
            raise BoxError(f"the session supervisor did not report that it is ready: {error}") from error
        if header.get("ready") is not True:
            self._loop.remove_reader(connection)
            raise BoxError("the session supervisor did not report that it is ready")
        self._loop.add_reader(connection, self._receive)

    async def ask(
        self,
        fields: Mapping[str, Any],
        payload: bytes = b"",
        *,
        on_event: OnEvent | None = None,
        timeout_s: float = ANSWER_TIMEOUT_S,
    ) -> Reply:
        """Send a request and return its answer. A large payload is passed in a memfd.

        Raises BadRequest, NotFound or SessionBusy if the box refuses, and BoxError if the box fails.
        """
        number, request = self._send(fields, payload, on_event)
        try:
            async with asyncio.timeout(timeout_s):
                return await request.future
        except TimeoutError:
            self._break(f"the box did not answer within {timeout_s:.0f} s")
            raise BoxError(f"the box did not answer within {timeout_s:.0f} s") from None
        finally:
            self._requests.pop(number, None)

    def _send(self, fields: Mapping[str, Any], payload: bytes, on_event: OnEvent | None) -> tuple[int, _Request]:
        assert self._loop is not None
        if self.is_broken:
            raise BoxError("the box is gone")
        number = next(self._numbers)
        request = self._requests[number] = _Request(self._loop.create_future(), on_event)
        header, lent = {**fields, "id": number}, []
        if len(payload) > frames.MAX_INLINE_BYTES:
            header["memory_file"] = len(payload)
            lent, payload = [frames.create_memory_file("payload", payload)], b""
        try:
            frames.send(self.handle.connection, header, lent, payload)
        except frames.ConnectionClosed as error:
            del self._requests[number]
            self._break(f"the connection to the box broke: {error}")
            raise BoxError("the box is gone") from error
        finally:
            frames.close_descriptors(lent)
        return number, request

    def disconnect(self) -> None:
        """Stop reading from the box before it is destroyed. All requests in progress fail."""
        if not self.is_broken:
            self.on_lost = lambda reason: None
            self._break("the box was closed")

    def _receive(self) -> None:
        try:
            header, payload, descriptors = frames.receive(self.handle.connection)
        except frames.FrameError as error:
            self._break(f"the connection to the box broke: {error}")
            return
        try:
            self._dispatch(header, payload, descriptors)
        except (TypeError, ValueError, KeyError, OSError) as error:
            self._break(f"the box sent an invalid frame: {error!r}")
        finally:
            frames.close_descriptors(descriptors)

    def _dispatch(self, header: dict[str, Any], payload: bytes, descriptors: list[int]) -> None:
        if "large" in header:  # the rest of the header, which is too large for a frame
            header |= json.loads(_read_part(descriptors, header["large"]))
        if "memory_file" in header:
            payload = _read_part(descriptors, header["memory_file"])
        event = header.get("event")
        if event == "ended":
            self.on_ended(int(header["branch"]), str(header.get("reason", ""))[:MAX_MESSAGE_CHARS])
            return
        request = self._requests.get(int(header["id"]))
        if request is None:
            return
        if event is not None and event != "done":
            if request.on_event is not None:
                request.on_event(header, payload)
            return
        if request.future.done():
            return
        if (failure := header.get("error")) is not None and event is None:
            request.future.set_exception(_build_error(failure))
            return
        request.future.set_result(Reply(header, payload))

    def _break(self, reason: str) -> None:
        if self.is_broken:
            return
        self.is_broken = True
        assert self._loop is not None
        self._loop.remove_reader(self.handle.connection)
        for request in self._requests.values():
            if not request.future.done():
                request.future.set_exception(BoxError(reason))
        self._requests.clear()
        self.on_lost(reason)


def _read_part(descriptors: list[int], size: object) -> bytes:
    """Read the next descriptor, a memfd of `size` bytes, and close it. Raises ValueError."""
    if not isinstance(size, int) or not 0 <= size <= MAX_ARCHIVE_BYTES or not descriptors:
        raise ValueError(f"a part of {size} bytes, the maximum is {MAX_ARCHIVE_BYTES}")
    return frames.read_memory_file(descriptors.pop(0), size)


def _build_error(failure: Mapping[str, Any]) -> Exception:
    message = str(failure.get("message", ""))[:MAX_MESSAGE_CHARS]
    code = failure.get("code")
    if code == "busy":
        return SessionBusy(message or "the session runs another call, and it runs one at a time")
    if code == "not_found":
        return NotFound(message)
    if code in BOX_FAILURES:
        return BoxError(message)
    return BadRequest(message)
