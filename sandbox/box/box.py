"""One box as the worker sees it: load a program, run it, get an outcome.

Whatever comes out of a box is hostile until looked at: frames are bounded and every field is read with the type it
must have; anything else is a BoxError, and the box is destroyed.
"""

from __future__ import annotations

import errno
import math
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from sandbox.box.engine import Walls
from sandbox.box.exhaustion import exhausted
from sandbox.box.gvisor import GvisorWalls
from sandbox.box.stop import StopSignal
from sandbox.box.streams import Collected, Spoken, Streams
from sandbox.box.watch import UNWATCHED, BoxWatch, Stage
from sandbox.errors import BoxError, BoxOutOfMemory
from sandbox.runner import frames
from sandbox.runner.allowance import MOST_S
from sandbox.runner.contract import FileSpan, Limits, Mode, Outcome, Program, Run, Status, Usage
from sandbox.runner.kernel import GVISOR
from sandbox.runner.reports import sendable
from sandbox.runner.words import ASSERT_TESTS, MORE_ZYGOTES, WALL_CEILING

WATCHDOG_GRACE_S = 15.0
START_PATIENCE_S = 60.0
NO_LIMIT_CHANGE = -1
WARMING_MEMORY_MB = 1_024
MAX_KEPT_BYTES = 1 << 31
MESSAGE_CHARS = 1_000
EXIT_NOT_RUN = 127  # as a shell has it
# Errors of an exec that lie in the file, rather than in what the machine has left.
FILE_ERRORS = {
    errno.E2BIG,
    errno.EACCES,
    errno.EINVAL,
    errno.EISDIR,
    errno.ELIBBAD,
    errno.ELOOP,
    errno.ENAMETOOLONG,
    errno.ENOENT,
    errno.ENOEXEC,
    errno.ENOTDIR,
}
NO_FILES: Mapping[str, bytes] = MappingProxyType({})


class Box:
    """A started box. Every method raises BoxError when the box, not the program, failed; then only `close` is left.

    Those that run a program raise Cancelled while `stop` is set, and leave the box as it is after any run.
    """

    def __init__(self, walls: Walls, watch: BoxWatch = UNWATCHED) -> None:
        self._walls = walls
        self._watch = watch
        self._memory_mb = NO_LIMIT_CHANGE
        self._program: Program | None = None
        self._kept_mb = 0  # of the box's memory, taken by the loaded program itself
        self._sent = False
        self._warmed: list[tuple[str, ...]] = []
        self.runs = 0
        self.retire = False  # it is not as it was before its program: not to be lent to another one
        self.tag = ""  # whose program it is: goes into the box with every request and must come back with its answer
        self.stop: StopSignal | None = None  # ends a run from another thread
        self.started_at = time.monotonic()
        walls.connection.settimeout(START_PATIENCE_S)
        hello = self._answer(START_PATIENCE_S)
        if hello.get("ready") is not True:
            raise BoxError("the supervisor did not say that it is ready")
        self.missing_walls = [str(wall) for wall in hello.get("missing_walls", ())]
        self._in_gvisor = hello.get("kernel") == GVISOR
        if self._in_gvisor:
            self._walls = GvisorWalls(walls)

    def load(self, program: Program) -> Outcome | None:
        """Make `program` the one that `run` runs; returns how compiling went, None where nothing is compiled.

        A program that needs no compiling travels with its first run.
        """
        self._program = program
        self._sent = False
        self._kept_mb = 0
        if not program.compile_command:
            return None
        outcome = self._observe({"do": "compile"}, b"", program.compile_limits)
        return outcome if outcome.ended_well else _compile_error(outcome)

    def run(self, run: Run) -> Outcome:
        """Run the loaded program once."""
        program = self._loaded()
        # A module beside the script may bear the name of one the warm interpreter has already.
        shadowed = any(name.endswith(".py") or "/" in name for name in run.files)
        mode = Mode.EXEC if shadowed or run.command else program.mode
        self._warm(program.warm, mode)
        request = {"do": "run", "args": run.args, "fetch": run.fetch_files, "mode": mode, "command": run.command}
        return self._observe(request, run.stdin, run.limits, run.files)

    def call(self, calls: bytes, limits: Limits) -> Outcome:
        """Call functions of the loaded Python program, a line of JSON each; the outcome has the answers."""
        self._warm(self._loaded().warm, Mode.SERVE)
        request = {"do": "run", "args": (), "fetch": (), "mode": Mode.SERVE}
        return self._observe(request, b"", limits, calls=calls)

    def run_beside(
        self,
        mode: Mode,
        stdin: bytes,
        limits: Limits,
        channel: Sequence[int],
        files: Mapping[str, bytes] = NO_FILES,
        allowance: int | None = None,
    ) -> Outcome:
        """Run the loaded Python program as one side of `channel`, descriptors lent to it as 3, 4 and so on.

        `allowance` is a pipe from which the supervisor reads how much CPU time is allowed besides (`runner.allowance`).
        All of them are closed here, however the run ends.
        """
        last = () if allowance is None else (allowance,)
        with _closing([*channel, *last]) as lent:
            modules = (*self._loaded().warm, ASSERT_TESTS)
            self._warm(modules, mode)
            request = {"do": "run", "args": (), "fetch": (), "mode": mode, "warm": modules}
            return self._observe(request, stdin, limits, files, channel=channel, allowance=last, lent=lent)

    def run_shared(
        self, key: bytes, test: bytes, limits: Limits, files: Mapping[str, bytes], warm: tuple[str, ...] = ()
    ) -> Outcome:
        """Run the loaded Python program and then a test in its process; the outcome's answers are the key and what the
        test reported.

        The test is sent once the process has answered with the key, which it has on stdin. `warm` names the large
        modules that its interpreter has imported instead of the program's own.
        """
        modules = (*(warm or self._loaded().warm), ASSERT_TESTS)
        self._warm(modules, Mode.SHARED)
        request = {"do": "run", "args": (), "fetch": (), "mode": Mode.SHARED, "warm": modules}
        return self._observe(request, key, limits, files, calls=test, calls_after=key)

    def converse(self, run: Run, partner: Sequence[int], spoken: Spoken | None = None) -> Outcome:
        """Run the loaded program with stdin and stdout lent to it: another program has their other ends.

        With `spoken`, which is filled in, what it says is held to the output limit. `partner` is closed here, however
        the run ends.
        """
        with _closing(partner) as lent:
            request = {"do": "run", "args": run.args, "fetch": (), "mode": self._loaded().mode}
            return self._observe(request, b"", run.limits, run.files, partner=partner, spoken=spoken, lent=lent)

    def _warm(self, modules: tuple[str, ...], mode: Mode) -> None:
        """Have an interpreter that has imported `modules`; done once a box, and remembered by it."""
        if not modules or mode is Mode.EXEC:
            return
        self._watch.used("interpreter", modules in self._warmed)
        if modules in self._warmed:
            self._warmed.remove(modules)
            self._warmed.append(modules)
            return
        self._limit_memory(max(self._memory_mb, WARMING_MEMORY_MB))
        self._send({"do": "warm", "modules": modules})
        if self._answer(START_PATIENCE_S).get("warm") is not True:
            raise BoxError("the supervisor did not say that its interpreter is warm")
        self._warmed.append(modules)
        del self._warmed[:-MORE_ZYGOTES]
        self._walls.measure_own_memory()
        self._memory_mb = NO_LIMIT_CHANGE

    def close(self) -> None:
        self._walls.destroy()

    def _observe(
        self,
        request: dict[str, Any],
        stdin: bytes | FileSpan,
        limits: Limits,
        files: Mapping[str, bytes] = NO_FILES,
        calls: bytes | None = None,
        channel: Sequence[int] = (),
        partner: Sequence[int] = (),
        spoken: Spoken | None = None,
        calls_after: bytes = b"",
        allowance: Sequence[int] = (),
        lent: ExitStack | None = None,
    ) -> Outcome:
        """Send a request that starts a program, feed and drain its streams, and read how it ended.

        `lent` closes the descriptors that are lent to the program. That is done once it has them, so that it sees the
        end of what its partner says.
        """
        self.runs += 1
        began = time.monotonic()
        if _size(files) > limits.memory_mb << 20:
            return Outcome(Status.MEMORY_LIMIT_EXCEEDED, message="the run's files are larger than its memory")
        self._limit_memory(limits.memory_mb + self._kept_mb)
        self._walls.begin_run()
        request["limits"] = _limits_header(limits)
        request["tag"] = self.tag
        test_command: Sequence[str] = request.get("command", ())
        if self._program is not None and request["do"] == "run" and not test_command:
            request["command"] = self._program.sized_command(limits)
        if (
            self._program is not None
            and self._program.warm in self._warmed
            and request.get("mode", Mode.EXEC) != Mode.EXEC
            and "warm" not in request
        ):
            request["warm"] = self._program.warm
        wall_time_s = limits.wall_time_s + (MOST_S if allowance else 0.0)
        deadline = time.monotonic() + wall_time_s * WALL_CEILING + WATCHDOG_GRACE_S
        with (
            Streams(stdin, limits.output_kb * 1024, calls, channel, partner, spoken, calls_after) as streams,
            ExitStack() as ours,
        ):
            request["streams"] = len(streams.theirs)
            copied = self._memory_for_copies(request)
            ours.callback(frames.close_all, copied)
            try:
                self._check_stop()
                self._start(request, [*streams.theirs, *copied], files, allowance)
            except frames.FrameTooLarge as error:
                return Outcome(Status.INTERNAL_ERROR, message=f"the request is too large for a box: {error}")
            finally:
                streams.close_theirs()
                if lent is not None:
                    lent.close()
            while not streams.wait_for(self._walls.connection, deadline, self.stop):
                self._send({"do": "kill"})  # the output grew over its limit, or the run is not wanted any more
            answer, descriptors = self._receive()
            ours.callback(frames.close_all, descriptors)
            if answer.get("tag") != self.tag:
                raise BoxError("the answer is not to what was asked")
            held = self._drain(streams)
            fetched = self._fetched(answer, [*descriptors, *copied], limits)
            self._check_stop()
            self._kept_mb = _kept_mb(answer) or self._kept_mb
            outcome = self._outcome(answer, streams, fetched, bool(partner))
            if error_number := _exec_error(answer):
                outcome = self._not_executed(outcome, error_number, request["do"], test_command)
            if held:
                outcome = replace(outcome, status=Status.RUNTIME_ERROR, message=held)
            self.retire = self.retire or bool(held) or answer.get("retire") is True
            sent, received = len(stdin) + _size(files), len(outcome.stdout) + len(outcome.stderr) + _size(fetched)
            stage: Stage = "compile" if request["do"] == "compile" else "run"
            self._watch.stage(stage, began, time.monotonic(), sent, received)
            return outcome if self._program is None else exhausted(outcome, self._program.memory_errors)

    def _drain(self, streams: Streams) -> str:
        """Read what is left of the output; returns why that does not end. Raises BoxError where that breaks the box.

        gVisor has no collector for descriptors that sockets hold of each other: a program there can leave its output
        open although no process of it is left, which the supervisor has seen to.
        """
        try:
            streams.drain()
        except BoxError as error:
            if not self._in_gvisor:
                raise
            return str(error)
        return ""

    def _check_stop(self) -> None:
        """Raise Cancelled when the run is not wanted any more; the box itself is as good as after any other run."""
        if self.stop is not None:
            self.stop.check()

    def _limit_memory(self, memory_mb: int) -> None:
        if memory_mb == self._memory_mb:
            return
        if memory_mb < self._memory_mb:
            # Only once the last run's files are gone: the kernel refuses a limit below what is in use.
            self._send({"do": "settle", "forget": not self._sent})
            if self._answer(START_PATIENCE_S).get("settled") is not True:
                raise BoxError("the supervisor did not say that it has cleared up")
        self._walls.limit_memory(memory_mb)
        self._memory_mb = memory_mb

    def _memory_for_copies(self, request: Mapping[str, Any]) -> list[int]:
        """A memfd for the files to fetch: no descriptor comes out of gVisor, and one that goes in can be written."""
        return [os.memfd_create("fetched", os.MFD_CLOEXEC)] if self._in_gvisor and request.get("fetch") else []

    def _start(
        self, request: dict[str, Any], streams: list[int], files: Mapping[str, bytes], allowance: Sequence[int] = ()
    ) -> None:
        """Send a request, and with it the program when the supervisor does not have it yet."""
        if allowance:
            request["allowance"] = True
        lent: list[int] = []
        payload = b""
        try:
            if not self._sent:
                payload, request["program"] = self._program_header(lent)
            if files:
                descriptor, request["parts"] = frames.pack("files", files)
                lent.append(descriptor)
            self._send(request, [*streams, *lent, *allowance], payload)
            self._sent = True
        finally:
            frames.close_all(lent)

    def _program_header(self, lent: list[int]) -> tuple[bytes, dict[str, Any]]:
        program = self._loaded()
        header: dict[str, Any] = {
            "compile": program.compile_command,
            "run": program.run_command,
            "keep": program.keep,
            "environment": dict(program.environment),
            "inline": True,
        }
        parts = {program.source_name: program.source}
        inline = frames.inline(parts)
        if inline is not None:
            payload, header["parts"] = inline
            return payload, header
        descriptor, header["parts"] = frames.pack("program", parts)
        lent.append(descriptor)
        return b"", {**header, "inline": False}

    def _loaded(self) -> Program:
        if self._program is None:
            raise BoxError("no program is loaded")
        return self._program

    def _outcome(
        self, answer: dict[str, Any], streams: Streams, files: dict[str, bytes], partner: bool = False
    ) -> Outcome:
        try:
            told = answer["outcome"]
            status = Status(told["status"])
            seconds, wall_s, memory_mb = (_finite(told[name]) for name in ("cpu_time_s", "wall_time_s", "memory_mb"))
            usage = Usage(seconds, wall_s, self._memory(memory_mb))
            exit_code = None if told["exit_code"] is None else int(told["exit_code"])
            signal = None if told["signal"] is None else int(told["signal"])
            message = sendable(str(told["message"])[:MESSAGE_CHARS])
            stopped = str(told["stopped"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BoxError(f"the supervisor's answer is not an outcome: {error!r}") from error
        if streams.over_limit and stopped in {"", "killed"} and status is not Status.MEMORY_LIMIT_EXCEEDED:
            status, message = Status.OUTPUT_LIMIT_EXCEEDED, ""
        out, err, *answers = [Collected(0), *streams.collected()] if partner else streams.collected()
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
            answers=answers[0].content if answers else b"",
        )

    def _not_executed(self, outcome: Outcome, error: int, do: str, test_command: Sequence[str]) -> Outcome:
        """The outcome of a run whose command the kernel would not execute, by whose command it is.

        A test whose command does not exist can never pass, and a program's own executable is the program's doing.
        Raises BoxError for all else, such as an interpreter that is missing from the image.
        """
        program = self._loaded()
        command = test_command or (program.compile_command if do == "compile" else program.run_command)
        words = f"cannot run {command[0]!r}: {os.strerror(error)}"
        if error in FILE_ERRORS and test_command:
            return replace(outcome, exit_code=None, message=f"the test's command: {words}")
        if error in FILE_ERRORS and do == "run" and command[0].startswith("./"):
            return replace(outcome, status=Status.RUNTIME_ERROR, exit_code=EXIT_NOT_RUN, message=words)
        raise BoxError(words)

    def _memory(self, resident_mb: float) -> float:
        """An exec'd program's resident peak begins with the interpreter it was forked from; the cgroup's peak does
        not.
        """
        peak = self._walls.peak_memory_mb()
        if peak is None:
            return resident_mb
        forked = self._program is not None and self._program.mode is not Mode.EXEC
        return round(max(peak, resident_mb if forked else 0.0), 3)

    def _fetched(self, answer: dict[str, Any], descriptors: list[int], limits: Limits) -> dict[str, bytes]:
        if "parts" not in answer:
            return {}
        try:
            files: dict[str, bytes] = {}
            left = limits.file_mb << 20
            if self._in_gvisor:
                (copied,) = descriptors
                return frames.unpack(copied, [(str(name), int(size)) for name, size in answer["parts"]], left)
            for (name, size), descriptor in zip(answer["parts"], descriptors, strict=True):
                files.update(frames.unpack(descriptor, [(str(name), int(size))], left))
                left -= int(size)
            return files
        except (frames.FrameError, TypeError, ValueError, OverflowError, OSError) as error:
            raise BoxError(f"fetched files are not what the supervisor says: {error}") from error

    def _send(self, request: dict[str, Any], descriptors: Sequence[int] = (), payload: bytes = b"") -> None:
        try:
            frames.send(self._walls.connection, request, descriptors, payload)
        except frames.FrameTooLarge:  # nothing was sent: no fault of the box
            raise
        except frames.FrameError as error:
            raise BoxError(f"box gone: {error}") from error

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        try:
            answer, _, descriptors = frames.receive(self._walls.connection)
        except (frames.FrameError, OSError) as error:
            raise self._kind_of_failure()(f"box gone: {error}") from error
        if "broken" in answer:
            frames.close_all(descriptors)
            raise self._kind_of_failure()(f"box broken: {sendable(str(answer['broken'])[:MESSAGE_CHARS])}")
        return answer, descriptors

    def _kind_of_failure(self) -> type[BoxError]:
        return BoxOutOfMemory if self._walls.ran_out_of_memory() else BoxError

    def _answer(self, patience_s: float) -> dict[str, Any]:
        self._walls.connection.settimeout(patience_s)
        answer, descriptors = self._receive()
        frames.close_all(descriptors)
        self._walls.connection.settimeout(None)
        return answer


def _closing(descriptors: Sequence[int]) -> ExitStack:
    """Return what closes these descriptors, once: at the end of its `with` block, or before."""
    closing = ExitStack()
    closing.callback(frames.close_all, descriptors)
    return closing


def _size(files: Mapping[str, bytes]) -> int:
    return sum(map(len, files.values())) if files else 0


def _finite(told: Any) -> float:
    """Raises ValueError, TypeError or OverflowError for what is no number that can be reckoned with."""
    number = float(told)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not finite")
    return number


def _exec_error(answer: dict[str, Any]) -> int:
    """The errno with which a run's command could not be executed; 0 if it could."""
    error = answer["outcome"].get("exec_error", 0)
    if not isinstance(error, int) or not 0 <= error < 4096:
        raise BoxError("the supervisor does not say why the command could not run")
    return error


def _kept_mb(answer: dict[str, Any]) -> int:
    """What an executable takes of the box's memory, said once it is compiled; its runs get that much more."""
    kept = answer.get("kept_bytes", 0)
    if not isinstance(kept, int) or not 0 <= kept < MAX_KEPT_BYTES:
        raise BoxError("the supervisor does not say how large the program is")
    return kept >> 20


@lru_cache(maxsize=256)
def _limits_header(limits: Limits) -> dict[str, Any]:
    return asdict(limits)


def _compile_error(outcome: Outcome) -> Outcome:
    """A compilation that did not end well is the program's error, whatever ended it; the message keeps the reason."""
    reason = outcome.message if outcome.status is Status.RUNTIME_ERROR else outcome.status.value
    return replace(outcome, status=Status.COMPILE_ERROR, message=reason)
