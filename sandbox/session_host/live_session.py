"""One session that this host holds: its branch of a box, its numbered calls, and the answers to the latest calls."""

from __future__ import annotations

import asyncio
import codecs
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, NamedTuple

from sandbox.errors import BoxError, SequenceMismatch, SessionBusy
from sandbox.queue.session_records import SessionRecord
from sandbox.schema.sessions import CallResult, CallStatus, SessionCall, SessionLanguage, SessionLimits
from sandbox.session_host.session_box import SessionBox

MAX_KEPT_ANSWERS = 8
MAX_KEPT_BYTES = 8 << 20
MAX_DISPLAYS = 256
MAX_DISPLAY_BYTES = 16 << 20
MAX_CELLS_CHARS = 4 << 20
WALL_GRACE_S = 20.0
# the fields of a result that the box fills in
BOX_FIELDS = (
    "status",
    "exit_code",
    "result",
    "error",
    "usage",
    "stdout_truncated",
    "stderr_truncated",
    "state",
    "reason",
)

Answer = dict[str, Any]
OnPart = Callable[[Mapping[str, Any]], None]


@dataclass(slots=True)
class Family:
    """A session and its forks, which share one box with its memory and disk."""

    box: SessionBox
    memory_mb: int
    members: dict[int, LiveSession] = field(default_factory=dict)
    clean: bool = True  # every closed branch was proven clean


class KeptAnswer(NamedTuple):
    """The answer to an earlier call, in case the call is repeated. `size` is in characters."""

    fingerprint: bytes
    answer: Answer
    size: int


class RunningCall(NamedTuple):
    """The call that a session runs now."""

    number: int
    fingerprint: bytes
    task: asyncio.Task[Answer]


class CallOutput:
    """Collects the events of one call, and passes each of them to `on_part` immediately."""

    def __init__(self, on_part: OnPart | None) -> None:
        self._on_part = on_part
        self._chunks: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in self._chunks}
        self.displays: list[dict[str, str]] = []
        self._display_bytes = 0

    def add_event(self, header: Mapping[str, Any], payload: bytes) -> None:
        if header["event"] == "output":
            stream = str(header["stream"])
            self._chunks[stream].append(payload)
            if self._on_part is not None and (text := self._decoders[stream].decode(payload)):
                self._on_part({"event": stream, "data": {"text": text}})
        elif header["event"] == "display":
            data = {str(kind): str(content) for kind, content in header["data"].items()}
            self._display_bytes += sum(map(len, data.values()))
            if len(self.displays) < MAX_DISPLAYS and self._display_bytes <= MAX_DISPLAY_BYTES:
                self.displays.append(data)
                if self._on_part is not None:
                    self._on_part({"event": "display", "data": data})

    def read(self, stream: str) -> str:
        return b"".join(self._chunks[stream]).decode(errors="replace")


class LiveSession:
    """An open session. Not thread-safe: use it in one event loop. `expires_at` and `used_at` are monotonic times."""

    def __init__(self, record: SessionRecord, family: Family, branch: int, ttl_s: float, idle_ttl_s: float) -> None:
        self.record = record
        self.family = family
        self.branch = branch
        self.idle_ttl_s = idle_ttl_s
        self.ends_at = time.monotonic() + ttl_s
        self.used_at = time.monotonic()
        self.cpu_time_s = 0.0
        self.sequence = 0
        self.replayed = 0
        self.cells: list[str] = []  # the code of all successful calls
        self.journaled = 0  # the number of the last call that was added to the journal
        self.unwritten: list[str] = []  # entries of the journal that Redis has not taken yet
        self._cells_chars = 0
        self._answers: OrderedDict[int, KeptAnswer] = OrderedDict()
        self._running: RunningCall | None = None

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
    def expires_in_s(self) -> float:
        """The number of seconds until the session expires, unless it gets another call."""
        idle_end = time.monotonic() if self.is_running else self.used_at
        return min(self.ends_at, idle_end + self.idle_ttl_s) - time.monotonic()

    def touch(self) -> None:
        self.used_at = time.monotonic()

    async def execute(self, call: SessionCall, on_part: OnPart | None) -> Answer:
        """Run a call, or return the answer of an earlier call with the same number.

        Raises SessionBusy, SequenceMismatch or BoxError.
        """
        number = self.sequence + 1 if call.sequence is None else call.sequence
        if (kept := self._answers.get(number)) is not None:
            _check_same(kept.fingerprint, call, number)
            return kept.answer
        if self._running is not None:
            if call.sequence is not None and self._running.number == number:
                _check_same(self._running.fingerprint, call, number)
                return await asyncio.shield(self._running.task)
            raise SessionBusy("the session runs another call, and it runs one at a time")
        if number != self.sequence + 1:
            known = "the answer to that call is no longer stored" if number <= self.sequence else "calls are missing"
            raise SequenceMismatch(f"the call has number {number}, and the next one is {self.sequence + 1}: {known}")
        self.sequence = number
        task = asyncio.get_running_loop().create_task(self._execute(call, number, on_part))
        self._running = RunningCall(number, _compute_fingerprint(call), task)
        try:
            return await asyncio.shield(task)
        finally:
            self.touch()

    async def _execute(self, call: SessionCall, number: int, on_part: OnPart | None) -> Answer:
        output = CallOutput(on_part)
        limits = call.limits
        fields = {
            "do": "execute",
            "branch": self.branch,
            "stdin": len(call.stdin.encode()),
            "limits": {
                "cpu_time_s": min(limits.cpu_time_s, max(0.01, self.limits.cpu_time_s - self.cpu_time_s)),
                "wall_time_s": limits.effective_wall_time_s,
                "output_kb": limits.output_kb,
            },
        }
        source = self._build_source(call)
        try:
            reply = await self.family.box.ask(
                fields,
                source.encode() + call.stdin.encode(),
                on_event=output.add_event,
                timeout_s=limits.effective_wall_time_s + WALL_GRACE_S,
            )
            answer = self._build_answer(reply.header, call, number, output)
        finally:
            self._running = None
        self._remember(call, number, answer)
        return answer

    def _build_source(self, call: SessionCall) -> str:
        """Return the source to run. In a Python session, a command runs in bash, as a child of the interpreter."""
        if call.code is not None or self.record.session.language is SessionLanguage.BASH:
            return call.code if call.code is not None else str(call.command)
        return f"__import__('subprocess').run(['/bin/bash', '-c', {call.command!r}]).returncode"

    def _build_answer(self, header: Mapping[str, Any], call: SessionCall, number: int, output: CallOutput) -> Answer:
        found = {name: header[name] for name in BOX_FIELDS if header.get(name) is not None}
        if call.command is not None and self.record.session.language is SessionLanguage.PYTHON:
            _take_exit_code(found)
        try:
            result = CallResult.model_validate(
                {
                    **found,
                    "sequence": number,
                    "stdout": output.read("stdout"),
                    "stderr": output.read("stderr"),
                    "displays": output.displays,
                    "replayed": self.replayed,
                }
            )
        except ValueError as error:
            raise BoxError(f"the box sent an invalid answer: {error}") from error
        self.cpu_time_s += result.usage.cpu_time_s
        self.replayed = 0
        return result.model_dump(mode="json")

    def _remember(self, call: SessionCall, number: int, answer: Answer) -> None:
        if answer["status"] == CallStatus.OK and call.code is not None:
            self._cells_chars += len(call.code)
            if self._cells_chars <= MAX_CELLS_CHARS:
                self.cells.append(call.code)
        size = len(answer["stdout"]) + len(answer["stderr"])
        size += sum(len(content) for display in answer["displays"] for content in display.values())
        self._answers[number] = KeptAnswer(_compute_fingerprint(call), answer, size)
        while len(self._answers) > MAX_KEPT_ANSWERS or (
            len(self._answers) > 1 and sum(kept.size for kept in self._answers.values()) > MAX_KEPT_BYTES
        ):
            self._answers.popitem(last=False)

    def fork_to(self, record: SessionRecord, branch: int) -> LiveSession:
        """Return a session for `branch`, which was forked from this session's branch."""
        child = LiveSession(record, self.family, branch, self.ends_at - time.monotonic(), self.idle_ttl_s)
        child.cells = list(self.cells)
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
    return sha256(repr((call.code, call.command, call.stdin)).encode("utf-8", "surrogatepass")).digest()


def _check_same(fingerprint: bytes, call: SessionCall, number: int) -> None:
    """Raise SequenceMismatch if another call had this number: its answer would be taken for the answer to this one."""
    if fingerprint != _compute_fingerprint(call):
        raise SequenceMismatch(f"number {number} belongs to a call with other code or input")


def _take_exit_code(found: dict[str, Any]) -> None:
    """Convert the value of the expression that ran a command into the command's exit code."""
    if found.get("status") == CallStatus.OK and isinstance(found.get("result"), dict):
        text = str(found.pop("result").get("text/plain", ""))
        found["exit_code"] = int(text) if text.lstrip("-").isdecimal() else None
