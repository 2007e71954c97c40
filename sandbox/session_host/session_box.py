"""The host's connection to the session supervisor in one box.

Several requests may be in progress at once. Each has a number, and the box's answers and events have the number of
their request. Everything that a box sends is untrusted (`box_frames`). An invalid or late answer fails its request. If
the connection breaks, or the box sends nothing for much longer, all requests fail, and the box is destroyed.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from sandbox.box.engine import BoxHandle
from sandbox.errors import BadRequest, BoxError, EngineUnavailable
from sandbox.runner import frames
from sandbox.runner.reports import replace_surrogates
from sandbox.schema.sessions import SessionLanguage, SessionRequest
from sandbox.session_host.box_frames import MAX_MESSAGE_CHARS, InvalidPart, build_error, read_frame

logger = logging.getLogger(__name__)

READY_TIMEOUT_S = 60.0
ANSWER_TIMEOUT_S = 60.0
LONG_TIMEOUTS_S = {"fork": 90.0, "snapshot": 120.0, "restore": 120.0}  # the box itself gives a fork 30 s
SILENT_TIMEOUT_S = 180.0  # a box that answers nothing for so long is broken
SEND_TIMEOUT_S = 5.0
STANDARD_IMAGE = "python"

BOX_KINDS = {SessionLanguage.PYTHON: "python", SessionLanguage.BASH: "shell"}


class Reply(NamedTuple):
    """An answer from the box, with its payload, such as the bytes of a file."""

    header: Mapping[str, Any]
    content: bytes = b""


OnEvent = Callable[[Mapping[str, Any], bytes], None]


@dataclass(slots=True)
class _Request:
    future: asyncio.Future[Reply]
    on_event: OnEvent | None = None
    sent_at: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class SessionBox:
    """A started box for sessions. Use it in one event loop. Calls `on_ended` when a branch's process dies."""

    handle: BoxHandle
    on_ended: Callable[[int, str], None] = lambda branch, reason: None
    on_lost: Callable[[str], None] = lambda reason: None
    on_request: Callable[[], None] = lambda: None
    uses: int = 0
    is_broken: bool = False
    image: str = STANDARD_IMAGE
    _prepared: Mapping[str, Any] | None = None
    _numbers: itertools.count[int] = field(default_factory=itertools.count)
    _requests: dict[int, _Request] = field(default_factory=dict)
    _loop: asyncio.AbstractEventLoop | None = None
    _heard_at: float = 0.0
    _silent_since: float | None = None

    @property
    def latest_request_at(self) -> float:
        """The monotonic time at which the latest request in progress was sent; 0 if there is none."""
        return next(reversed(self._requests.values())).sent_at if self._requests else 0.0

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

    async def prepare(self, options: Mapping[str, Any]) -> None:
        """Open branch 0 in advance, for a session that will want the same options. Raises as `ask` does."""
        await self.open(options)
        self._prepared = options

    async def open(self, options: Mapping[str, Any]) -> None:
        """Open branch 0, unless it is prepared with the same options. Raises as `ask` does."""
        prepared, self._prepared = self._prepared, None
        if prepared == options:
            return
        if prepared is not None:
            await self.ask({"do": "close", "branch": 0})
        await self.ask({"do": "open", "branch": 0, **options})

    async def ask(
        self,
        fields: Mapping[str, Any],
        payload: bytes = b"",
        *,
        on_event: OnEvent | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send a request and return its answer. A large payload is passed in a memfd.

        Raises BadRequest, NotFound or SessionBusy if the box refuses, SessionEnded if it no longer has the branch,
        EngineUnavailable if the answer is late, and BoxError if the box fails.
        """
        if timeout_s is None:
            timeout_s = LONG_TIMEOUTS_S.get(fields["do"], ANSWER_TIMEOUT_S)
        number, request = self._send(fields, payload, on_event)
        try:
            async with asyncio.timeout(timeout_s):
                return await request.future
        except TimeoutError:
            self._check_silence(request)
            raise EngineUnavailable(f"the box did not answer within {timeout_s:.0f} s") from None
        finally:
            self._requests.pop(number, None)

    def _send(self, fields: Mapping[str, Any], payload: bytes, on_event: OnEvent | None) -> tuple[int, _Request]:
        assert self._loop is not None
        if self.is_broken:
            raise BoxError("the box is gone")
        number = next(self._numbers)
        request = self._requests[number] = _Request(self._loop.create_future(), on_event)
        self.on_request()
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

    def _check_silence(self, late: _Request) -> None:
        """Give the box up if it has sent nothing at all for long, while this and earlier requests waited."""
        if self._heard_at >= late.sent_at:
            return
        if self._silent_since is None:
            self._silent_since = late.sent_at
        if time.monotonic() - self._silent_since >= SILENT_TIMEOUT_S:
            self._break(f"the box sent nothing for {SILENT_TIMEOUT_S:.0f} s")

    def disconnect(self) -> None:
        """Stop reading from the box before it is destroyed. All requests in progress fail."""
        if not self.is_broken:
            self.on_lost = lambda reason: None
            self._break("the box was closed")

    def _receive(self) -> None:
        try:
            header, payload, descriptors = frames.receive(self.handle.connection)
        except frames.FrameError as error:
            if isinstance(error.__cause__, RecursionError):  # the program's doing; its call gets no answer in time
                logger.warning("a box sent a frame that is nested too deeply")
                return
            self._break(f"the connection to the box broke: {error}")
            return
        self._heard_at, self._silent_since = time.monotonic(), None
        try:
            self._dispatch(header, payload, descriptors)
        except (TypeError, ValueError, KeyError, OSError) as error:
            self._break(f"the box sent an invalid frame: {error!r}")
        finally:
            frames.close_descriptors(descriptors)

    def _dispatch(self, header: dict[str, Any], payload: bytes, descriptors: list[int]) -> None:
        event = header.get("event")
        if event == "ended":
            self._prepared = None  # if it ended before a session used it, it is opened again
            reason = replace_surrogates(header.get("reason", ""))[:MAX_MESSAGE_CHARS]
            self.on_ended(int(header["branch"]), reason)
            return
        request = self._requests.get(int(header["id"]))
        if request is None or request.future.done():
            return
        try:
            header, payload = read_frame(header, payload, descriptors)
        except InvalidPart as error:
            _fail(request, header, error)
            return
        if event is not None and event != "done":
            if request.on_event is not None:
                request.on_event(header, payload)
        elif (failure := header.get("error")) is not None and event is None:
            request.future.set_exception(build_error(failure))
        else:
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


def _fail(request: _Request, header: Mapping[str, Any], error: InvalidPart) -> None:
    """Fail a request whose answer is invalid. A call has run, so it gets an answer that says so."""
    event = header.get("event")
    if event == "done":
        status = "error" if header.get("status") == "ok" else header.get("status")
        invalid = {"type": "InvalidAnswer", "message": str(error)}
        request.future.set_result(Reply({**header, "status": status, "result": None, "error": invalid}))
    elif event is None:
        request.future.set_exception(BadRequest(str(error)))
    # a display that cannot be shown is left out


def build_open_options(request: SessionRequest) -> dict[str, Any]:
    """Return the options with which a box opens the first branch of a session."""
    limits = request.limits
    return {
        "kind": BOX_KINDS[request.language],
        "environment": request.variables,
        "limits": {"processes": limits.processes, "file_mb": limits.file_mb, "disk_mb": limits.disk_mb},
    }
