"""Whatever a compromised box answers, the result is an outcome that can be passed on, or a BoxError."""

from __future__ import annotations

import json
import math
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.stop_signal import StopSignal
from sandbox.box.streams import Streams
from sandbox.errors import BoxError
from sandbox.runner import frames
from sandbox.runner.contract import Limits, Mode, Outcome, Run, Status
from sandbox.runner.cpu_allowance import MAX_ALLOWANCE_S
from sandbox.runner.enums import MAX_WALL_TIME_FACTOR
from sandbox.schema import StageResult

LENGTH = struct.Struct("=I")
LIMITS = Limits(wall_time_s=1.0, output_kb=1, file_mb=1)
GOOD = {
    "status": "ok",
    "exit_code": 0,
    "signal": None,
    "cpu_time_s": 0.1,
    "wall_time_s": 0.1,
    "memory_mb": 1.0,
    "message": "",
    "stopped": "",
}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(10**400, 10**400 + 1),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["ok", "accepted", "NaN", "\ud800", "\0", "1e400", "killed", "memory"]),
)
ANYTHING = st.recursive(
    SCALARS,
    lambda some: st.lists(some, max_size=3) | st.dictionaries(st.text(max_size=5), some, max_size=3),
    max_leaves=6,
)
OUTCOMES = st.builds(
    lambda changed, gone: {name: value for name, value in {**GOOD, **changed}.items() if name not in gone},
    st.dictionaries(st.sampled_from(sorted(GOOD)), ANYTHING, max_size=3),
    st.sets(st.sampled_from(sorted(GOOD)), max_size=1),
)
ANSWERS = st.fixed_dictionaries(
    {"outcome": OUTCOMES | ANYTHING},
    optional={"parts": ANYTHING | st.just([["f", 4]]), "kept_bytes": ANYTHING, "tag": st.just("") | ANYTHING},
)


class HostileBoxHandle:
    """A box handle whose supervisor gives the answers that a test wants."""

    def __init__(self, answer: bytes, descriptors: int, out: bytes) -> None:
        self.connection, self._supervisor_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._answer, self._descriptors, self._out = answer, descriptors, out
        frames.send(self._supervisor_end, {"ready": True})
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        with suppress(OSError, frames.FrameError):
            while True:
                request, _, descriptors = frames.receive(self._supervisor_end)
                if len(descriptors) > 1:
                    with suppress(OSError):
                        os.write(descriptors[1], self._out)
                frames.close_descriptors(descriptors)
                if request["do"] == "kill":
                    continue
                if request["do"] in {"warm", "settle"}:
                    frames.send(self._supervisor_end, {"warm": True, "settled": True})
                    continue
                lent = [os.open(os.devnull, os.O_RDONLY) for _ in range(self._descriptors)]
                self._supervisor_end.sendmsg([self._answer], _build_rights_message(lent))
                frames.close_descriptors(lent)

    def limit_memory(self, memory_mb: int) -> None: ...

    def measure_own_memory(self) -> None: ...

    def begin_run(self) -> None: ...

    def read_peak_memory_mb(self) -> float | None:
        return None

    def ran_out_of_memory(self) -> bool:
        return False

    def destroy(self) -> None:
        self._supervisor_end.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self.connection.close()
        self._supervisor_end.close()


def _build_rights_message(descriptors: list[int]) -> list[tuple[int, int, bytes]]:
    if not descriptors:
        return []
    return [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack(f"{len(descriptors)}i", *descriptors))]


def _run_against(answer: bytes, descriptors: int = 0, out: bytes = b"out") -> Outcome | None:
    """Return the outcome that a supervisor's answer stands for, after checking it, or None if it costs the box."""
    handle = HostileBoxHandle(answer, descriptors, out)
    try:
        box = Box(handle)
        box.load(languages.get_language("python").build_program("print(1)"))
        try:
            outcome = box.run(Run(limits=LIMITS))
        except BoxError:
            return None
        assert isinstance(outcome.status, Status)
        assert all(map(math.isfinite, (outcome.usage.cpu_time_s, outcome.usage.wall_time_s, outcome.usage.memory_mb)))
        assert len(outcome.stdout) <= LIMITS.output_kb * 1024
        payload = json.loads(StageResult.from_outcome(outcome).model_dump_json())
        StageResult.model_validate(payload)
        return outcome
    finally:
        handle.destroy()


def _frame(header: bytes) -> bytes:
    return LENGTH.pack(len(header)) + header


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(answer=ANSWERS, descriptors=st.integers(0, 2), out=st.sampled_from([b"", b"x" * 3_000]))
@example({"outcome": {**GOOD, "exit_code": math.inf}, "tag": ""}, 0, b"")
@example({"outcome": {**GOOD, "cpu_time_s": math.nan}, "tag": ""}, 0, b"")
@example({"outcome": {**GOOD, "memory_mb": 10**400}, "tag": ""}, 0, b"")
@example({"outcome": {**GOOD, "stopped": []}, "tag": ""}, 0, b"x" * 3_000)
@example({"outcome": {**GOOD, "message": "\ud800"}, "tag": ""}, 0, b"")
@example({"outcome": GOOD, "parts": [["\ud800", 0]], "tag": ""}, 1, b"")
@example({"outcome": GOOD, "parts": [["f", -1]], "tag": ""}, 1, b"")
@example({"outcome": GOOD, "parts": [["f", 10**400]], "tag": ""}, 1, b"")
def test_an_answer_of_any_content_is_an_outcome_or_costs_the_box(
    answer: dict[str, object], descriptors: int, out: bytes
) -> None:
    outcome = _run_against(_frame(json.dumps({"tag": "", **answer}).encode()), descriptors, out)
    assert outcome is None or "outcome" in answer


def test_a_valid_answer_is_an_outcome() -> None:
    outcome = _run_against(_frame(json.dumps({"tag": "", "outcome": GOOD}).encode()))
    assert outcome is not None
    assert outcome.status.value == GOOD["status"]


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
@given(
    datagram=st.binary(min_size=1, max_size=200)
    | st.binary(max_size=100).map(_frame)
    | st.text(alphabet='{}[]",:0 \\', max_size=60).map(lambda text: _frame(text.encode())),
    descriptors=st.integers(0, 3),
)
@example(_frame(b"[" * 100_000), 0)
@example(_frame(b'{"a":' + b"9" * 10_000 + b"}"), 0)
@example(LENGTH.pack(0xFFFFFFFF) + b"{}", 2)
def test_a_datagram_of_any_bytes_is_a_frame_or_costs_the_box(datagram: bytes, descriptors: int) -> None:
    assert _run_against(datagram, descriptors) is None, "no datagram here names an outcome"


def test_no_descriptor_is_left_open_by_a_hostile_answer() -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    _run_against(_frame(b"{}"), 3)
    before = count()
    for answer in (b"{}", b"[]", json.dumps({"outcome": GOOD, "parts": [["f", 9]], "tag": ""}).encode(), b"\xff"):
        _run_against(_frame(answer), 3)
        _run_against(answer, 3)
    assert count() == before


class LostBoxHandle(HostileBoxHandle):
    """A box handle that can no longer change anything in its box."""

    def limit_memory(self, memory_mb: int) -> None:
        raise BoxError("box gone")


@pytest.mark.parametrize(
    "use",
    [
        lambda box, lent: box.run_with_channel(Mode.SERVE, b"", LIMITS, lent[:2], allowance=lent[2]),
        lambda box, lent: box.run_interactive(Run(limits=LIMITS), lent),
    ],
)
def test_descriptors_for_a_program_are_closed_if_its_box_fails_before_the_run(
    use: Callable[[Box, list[int]], Outcome],
) -> None:
    handle = LostBoxHandle(b"", 0, b"")
    lent = [os.open(os.devnull, os.O_RDONLY) for _ in range(3)]
    try:
        box = Box(handle)
        box.load(languages.get_language("python").build_program("print(1)"))
        with pytest.raises(BoxError):
            use(box, lent)
    finally:
        handle.destroy()
    for descriptor in lent:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_the_watchdog_gives_a_program_all_that_its_supervisor_may_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    deadlines: list[float] = []

    def wait_for(streams: Streams, connection: socket.socket, deadline: float, stop: StopSignal | None) -> bool:
        deadlines.append(deadline)
        raise BoxError("no answer")

    monkeypatch.setattr(Streams, "wait_for", wait_for)
    handle = HostileBoxHandle(_frame(b"{}"), 0, b"")
    began = time.monotonic()
    try:
        box = Box(handle)
        box.load(languages.get_language("python").build_program("print(1)"))
        with pytest.raises(BoxError):
            box.run_with_channel(Mode.SERVE, b"", LIMITS, (), allowance=os.open(os.devnull, os.O_RDONLY))
    finally:
        handle.destroy()
    assert deadlines[0] - began > (LIMITS.wall_time_s + MAX_ALLOWANCE_S) * MAX_WALL_TIME_FACTOR
