"""One session that this host holds: its branch of a box, its numbered calls, and the answers to the latest calls."""

from __future__ import annotations

import asyncio
import time
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, NamedTuple

from sandbox.errors import (
    BadRequest,
    BoxError,
    EngineUnavailable,
    SandboxError,
    SequenceMismatch,
    SessionBusy,
    SessionEnded,
)
from sandbox.queue.session_records import SessionRecord
from sandbox.schema.session_processes import ProcessRequest
from sandbox.schema.sessions import CallStatus, SessionCall, SessionLanguage, SessionLimits
from sandbox.session_host.box_frames import MAX_PART_BYTES
from sandbox.session_host.call_answer import Answer, KeptAnswers, build_result, check_same
from sandbox.session_host.call_output import CallOutput, OnPart
from sandbox.session_host.contexts import SessionContexts
from sandbox.session_host.session_box import OnEvent, Reply, SessionBox

MAX_CELLS_CHARS = 4 << 20
WALL_GRACE_S = 20.0


@dataclass(slots=True)
class Family:
    """A session and its forks, which share one box with its memory and disk."""

    box: SessionBox
    memory_mb: int
    members: dict[int, LiveSession] = field(default_factory=dict)
    clean: bool = True  # every closed branch was proven clean


class RunningCall(NamedTuple):
    """The call that a session runs now."""

    number: int
    fingerprint: bytes
    task: asyncio.Task[Answer]
    tag: str  # of the request that started it


class LiveProcess:
    """A process of a session. `listeners` get the parts of its output, and `ended` becomes the answer."""

    def __init__(self, request: ProcessRequest) -> None:
        self.request = request
        self.pid = 0
        self.listeners: list[OnPart] = []
        self.ended: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()

    def send(self, part: Mapping[str, Any]) -> None:
        for listener in self.listeners:
            listener(part)


class LiveSession:
    """An open session. Not thread-safe: use it in one event loop. `ends_at` and `used_at` are monotonic times."""

    def __init__(self, record: SessionRecord, family: Family, branch: int, ttl_s: float, idle_ttl_s: float) -> None:
        self.record = record
        self.family = family
        self.branch = branch
        self.idle_ttl_s = idle_ttl_s
        self.ends_at = time.monotonic() + ttl_s
        self.used_at = time.monotonic()
        self.cpu_time_s = 0.0
        self.contexts = SessionContexts()
        self.processes: dict[int, LiveProcess] = {}
        self.sequence = 0
        self.replayed = 0
        self.journaled = 0  # the number of the last call that was added to the journal
        self.unwritten: list[str] = []  # entries of the journal that Redis has not taken yet
        self.journal_bytes = 0
        self._cells: list[str] = []  # the code of all successful calls
        self._cells_chars = 0
        self._answers = KeptAnswers()
        self.ended_during_call = ""  # why the session was ended while a call ran, if it was
        self._running: RunningCall | None = None
        self._requests = 0  # requests to the box that are in progress
        self._idle = asyncio.Event()
        self._idle.set()

    @property
    def id(self) -> str:
        return self.record.session.id

    @property
    def limits(self) -> SessionLimits:
        return self.record.session.limits

    @property
    def is_running(self) -> bool:
        return self._running is not None

    @property
    def is_active(self) -> bool:
        """Whether the box works for this session: on a call, a fork or files."""
        return self._requests > 0

    @property
    def expires_in_s(self) -> float:
        """The number of seconds until the session expires, unless it gets another call."""
        idle_end = time.monotonic() if self.is_active else self.used_at
        return min(self.ends_at, idle_end + self.idle_ttl_s) - time.monotonic()

    def touch(self) -> None:
        self.used_at = time.monotonic()

    async def ask(
        self,
        fields: Mapping[str, Any],
        payload: bytes = b"",
        *,
        on_event: OnEvent | None = None,
        timeout_s: float | None = None,
    ) -> Reply:
        """Send a request for this session's branch to the box; see `SessionBox.ask`."""
        self._requests += 1
        self._idle.clear()
        try:
            return await self.family.box.ask(
                {**fields, "branch": self.branch}, payload, on_event=on_event, timeout_s=timeout_s
            )
        finally:
            self._requests -= 1
            self.touch()
            if not self._requests:
                self._idle.set()

    async def wait_until_idle(self, timeout_s: float) -> bool:
        """Wait for the requests in progress; return False if they do not end in time."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._idle.wait()
        except TimeoutError:
            return False
        return True

    def runs_call(self, tag: str) -> bool:
        """Return whether the session runs the call of the request with this tag now."""
        return self._running is not None and self._running.tag == tag

    async def execute(self, call: SessionCall, on_part: OnPart | None, tag: str = "") -> Answer:
        """Run a call, or return the answer of an earlier call with the same number.

        A call that the box refuses does not use up its number. Raises BadRequest, SessionBusy, SequenceMismatch,
        SessionEnded or BoxError.
        """
        number = self.sequence + 1 if call.sequence is None else call.sequence
        fingerprint = _compute_fingerprint(call)
        if (kept := self._answers.find(number, fingerprint)) is not None:
            return kept
        if self._running is not None:
            if call.sequence is not None and self._running.number == number:
                check_same(self._running.fingerprint, fingerprint, number)
                return await asyncio.shield(self._running.task)
            raise SessionBusy("the session runs another call, and it runs one at a time")
        if number != self.sequence + 1:
            known = "the answer to that call is no longer stored" if number <= self.sequence else "calls are missing"
            raise SequenceMismatch(f"the call has number {number}, and the next one is {self.sequence + 1}: {known}")
        self.sequence = number
        task = asyncio.get_running_loop().create_task(self._execute(call, number, fingerprint, on_part))
        self._running = RunningCall(number, fingerprint, task, tag)
        return await asyncio.shield(task)

    async def _execute(self, call: SessionCall, number: int, fingerprint: bytes, on_part: OnPart | None) -> Answer:
        output = CallOutput(on_part)
        try:
            reply = await self._run(call, output)
        except EngineUnavailable as error:  # nobody knows what the call has done
            raise SessionEnded(f"a call did not end: {error}") from error
        except BoxError:
            raise
        except SandboxError:
            self.sequence = number - 1
            raise
        finally:
            self._running = None
        is_command = call.command is not None and self.record.session.language is SessionLanguage.PYTHON
        result = build_result(reply.header, number, output, is_command)
        self.cpu_time_s += result.usage.cpu_time_s
        answer: Answer = {**result.model_dump(mode="json"), "replayed": self.replayed}
        self.replayed = 0
        if result.status is CallStatus.OK and call.code is not None and not call.context:
            self._add_cell(call.code)
        self._answers.add(number, fingerprint, answer)
        return answer

    async def _run(self, call: SessionCall, output: CallOutput) -> Reply:
        limits = call.limits
        cpu_time_s = min(limits.cpu_time_s, max(0.01, self.limits.cpu_time_s - self.cpu_time_s))
        stdin = call.stdin.encode()
        fields = {
            "do": "execute",
            "stdin": len(stdin),
            "limits": {
                "cpu_time_s": cpu_time_s,
                "wall_time_s": limits.effective_wall_time_s,
                "output_kb": limits.output_kb,
            },
        }
        fields |= self._build_options(call)
        return await self.ask(
            fields,
            self._build_source(call).encode() + stdin,
            on_event=output.add_event,
            timeout_s=limits.effective_wall_time_s + WALL_GRACE_S,
        )

    def _build_options(self, call: SessionCall) -> dict[str, Any]:
        """Return the fields for a call's context and variables. Raises BadRequest."""
        if self.record.session.language is SessionLanguage.PYTHON:
            return {**self.contexts.build_options(call.context), "variables": call.variables}
        if call.context or call.variables:
            raise BadRequest("`context` and `variables` of a call need a Python session")
        return {}

    async def read_content(self, fields: Mapping[str, Any]) -> bytes:
        """Return the content of a file or of a snapshot. Raises SandboxError."""
        return (await self.ask({**fields, "max_bytes": MAX_PART_BYTES})).content

    async def change_files(self, message: Mapping[str, Any]) -> Reply:
        """Put, delete or rename a file, make a directory, or restore a snapshot. Raises SandboxError."""
        fields = {name: message[name] for name in ("do", "path", "target") if name in message}
        return await self.ask(fields, b64decode(message.get("content", "")))

    def _build_source(self, call: SessionCall) -> str:
        """Return the source to run. In a Python session, a command runs in bash, as a child of the interpreter."""
        if call.code is not None or self.record.session.language is SessionLanguage.BASH:
            return call.code if call.code is not None else str(call.command)
        return f"__import__('subprocess').run(['/bin/bash', '-c', {call.command!r}]).returncode"

    def _add_cell(self, code: str) -> None:
        self._cells_chars += len(code)
        if self._cells_chars <= MAX_CELLS_CHARS:
            self._cells.append(code)

    def join_cells(self) -> str:
        """Return the code of all successful calls. Raises BadRequest if it is too long to be kept."""
        if self._cells_chars > MAX_CELLS_CHARS:
            raise BadRequest(
                f"the code of the session's calls has over {MAX_CELLS_CHARS >> 20} MiB; write it to a file", "file"
            )
        return "\n".join(self._cells)

    def fork_to(self, record: SessionRecord, branch: int) -> LiveSession:
        """Return a session for `branch`, which was forked from this session's branch."""
        child = LiveSession(record, self.family, branch, self.ends_at - time.monotonic(), self.idle_ttl_s)
        child.contexts = self.contexts.copy()
        child._cells = list(self._cells)
        child._cells_chars = self._cells_chars
        self.family.members[branch] = child
        return child

    def update_expiry(self) -> SessionRecord:
        """Return the record with the current time of expiry."""
        update = {"expires_at": time.time() + self.expires_in_s, "calls": self.sequence}
        session = self.record.session.model_copy(update=update)
        self.record = replace(self.record, session=session)
        return self.record


def _compute_fingerprint(call: SessionCall) -> bytes:
    """Return a digest of what a call runs."""
    what = (call.code, call.command, call.stdin, call.context, call.variables)
    return sha256(repr(what).encode("utf-8", "surrogatepass")).digest()
