"""One box as the worker sees it: load a program, run it, get an outcome.

Whatever comes out of a box is hostile until looked at: frames are bounded and every field is read with the type it
must have; anything else is a BoxError, and the box is destroyed.
"""

from __future__ import annotations

import os
import time
from dataclasses import asdict
from typing import Any

from sandbox.box.engine import Walls
from sandbox.box.streams import Streams
from sandbox.errors import BoxError
from sandbox.runner import frames
from sandbox.runner.contract import Limits, Outcome, Program, Run, Status, Usage

SUPERVISOR_WALL_CEILING = 10.0
WATCHDOG_GRACE_S = 15.0
START_PATIENCE_S = 20.0
NO_LIMIT_CHANGE = -1


class Box:
    """A started box. Every method raises BoxError when the box, not the program, failed; then only `close` is left."""

    def __init__(self, walls: Walls) -> None:
        self._walls = walls
        self._memory_mb = NO_LIMIT_CHANGE
        self._program: Program | None = None
        self.runs = 0
        self.started_at = time.monotonic()
        walls.connection.settimeout(START_PATIENCE_S)
        hello = self._answer(START_PATIENCE_S)
        if hello.get("ready") is not True:
            raise BoxError("the supervisor did not say that it is ready")

    def load(self, program: Program) -> Outcome | None:
        """Make `program` the one that `run` runs; returns how compiling went, None where nothing is compiled."""
        self._program = program
        descriptor, parts = frames.pack("program", {program.source_name: program.source})
        request = {
            "do": "load",
            "parts": parts,
            "compile": program.compile_command,
            "run": program.run_command,
            "keep": program.keep,
            "forked": program.forked,
            "environment": dict(program.environment),
            "limits": asdict(program.compile_limits),
        }
        try:
            if not program.compile_command:
                self._send(request, [descriptor])
                return None
            outcome = self._observe(request, b"", program.compile_limits, lent=[descriptor])
        finally:
            os.close(descriptor)
        return outcome if outcome.ended_well else _compile_error(outcome)

    def run(self, run: Run) -> Outcome:
        """Run the loaded program once."""
        if self._program is None:
            raise BoxError("no program is loaded")
        lent: list[int] = []
        request: dict[str, Any] = {
            "do": "run",
            "args": run.args,
            "fetch": run.fetch_files,
            "limits": asdict(run.limits),
        }
        if run.files:
            descriptor, request["parts"] = frames.pack("files", run.files)
            lent.append(descriptor)
        try:
            return self._observe(request, run.stdin, run.limits, lent)
        finally:
            frames.close_all(lent)

    def close(self) -> None:
        self._walls.destroy()

    def _observe(self, request: dict[str, Any], stdin: bytes, limits: Limits, lent: list[int]) -> Outcome:
        """Send a request that starts a program, feed and drain its streams, and read how it ended."""
        self.runs += 1
        if limits.memory_mb != self._memory_mb:
            self._walls.limit_memory(limits.memory_mb)
            self._memory_mb = limits.memory_mb
        self._walls.begin_run()
        deadline = time.monotonic() + limits.wall_time_s * SUPERVISOR_WALL_CEILING + WATCHDOG_GRACE_S
        with Streams(stdin, limits.output_kb * 1024) as streams:
            self._send(request, [*streams.theirs, *lent])
            streams.close_theirs()
            connection = self._walls.connection
            while not streams.wait_for(connection, deadline):
                self._send({"do": "kill"}, [])  # the output grew over its limit
            answer, descriptors = self._receive()
            try:
                streams.drain()
                files = self._fetched(answer, descriptors, limits)
            finally:
                frames.close_all(descriptors)
            return self._outcome(answer, streams, files)

    def _outcome(self, answer: dict[str, Any], streams: Streams, files: dict[str, bytes]) -> Outcome:
        try:
            told = answer["outcome"]
            status = Status(told["status"])
            usage = Usage(float(told["cpu_time_s"]), float(told["wall_time_s"]), self._memory(float(told["memory_mb"])))
            exit_code = None if told["exit_code"] is None else int(told["exit_code"])
            signal = None if told["signal"] is None else int(told["signal"])
            message = str(told["message"])[:1000]
            stopped = told["stopped"]
        except (KeyError, TypeError, ValueError) as error:
            raise BoxError(f"the supervisor's answer is not an outcome: {error!r}") from error
        if streams.over_limit and stopped in {"", "killed"} and status is not Status.MEMORY_LIMIT_EXCEEDED:
            status, message = Status.OUTPUT_LIMIT_EXCEEDED, ""
        out, err = streams.collected()
        return Outcome(
            status=status,
            exit_code=exit_code,
            signal=signal,
            stdout=out.content,
            stderr=err.content,
            stdout_truncated=out.truncated,
            stderr_truncated=err.truncated,
            usage=usage,
            files=files,
            message=message,
        )

    def _memory(self, resident_mb: float) -> float:
        """An exec'd program's resident peak begins with the interpreter it was forked from; the cgroup's peak does
        not.
        """
        peak = self._walls.peak_memory_mb()
        if peak is None:
            return resident_mb
        forked = self._program is not None and self._program.forked
        return round(max(peak, resident_mb if forked else 0.0), 3)

    def _fetched(self, answer: dict[str, Any], descriptors: list[int], limits: Limits) -> dict[str, bytes]:
        if "parts" not in answer:
            return {}
        try:
            index = [(str(name), int(size)) for name, size in answer["parts"]]
            return frames.unpack(descriptors[0], index, limits.file_mb << 20)
        except (frames.FrameError, IndexError, TypeError, ValueError, OSError) as error:
            raise BoxError(f"fetched files are not what the supervisor says: {error}") from error

    def _send(self, request: dict[str, Any], descriptors: list[int]) -> None:
        try:
            frames.send(self._walls.connection, request, descriptors)
        except frames.FrameError as error:
            raise BoxError(f"box gone: {error}") from error

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        try:
            return frames.receive(self._walls.connection)
        except (frames.FrameError, OSError) as error:
            raise BoxError(f"box gone: {error}") from error

    def _answer(self, patience_s: float) -> dict[str, Any]:
        self._walls.connection.settimeout(patience_s)
        answer, descriptors = self._receive()
        frames.close_all(descriptors)
        self._walls.connection.settimeout(None)
        return answer


def _compile_error(outcome: Outcome) -> Outcome:
    """A compilation that did not end well is the program's error, whatever ended it; the message keeps the reason."""
    reason = outcome.message if outcome.status is Status.RUNTIME_ERROR else outcome.status.value
    return Outcome(
        **{
            **{name: getattr(outcome, name) for name in Outcome.__slots__},
            "status": Status.COMPILE_ERROR,
            "message": reason,
        }
    )
