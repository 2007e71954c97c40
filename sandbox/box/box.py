"""The worker's interface to one box: load a program, run it, get an outcome.

Everything that comes out of a box is untrusted. Frames are limited in size, and every field is read with its expected
type. Anything else raises BoxError, and the box is destroyed.
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

from sandbox.box.engine import BoxHandle
from sandbox.box.gvisor import GvisorBoxHandle
from sandbox.box.observer import NULL_BOX_OBSERVER, BoxObserver, Phase
from sandbox.box.runtime_out_of_memory import reclassify_out_of_memory
from sandbox.box.stop_signal import StopSignal
from sandbox.box.streams import OutputBuffer, RelayStats, Streams
from sandbox.errors import BoxError, BoxOutOfMemory
from sandbox.runner import frames
from sandbox.runner.contract import FileSpan, Limits, Mode, Outcome, Program, Run, Status, Usage
from sandbox.runner.cpu_allowance import MAX_ALLOWANCE_S
from sandbox.runner.enums import HARNESS_MODULE, MAX_EXTRA_ZYGOTES, MAX_WALL_TIME_FACTOR
from sandbox.runner.kernel import GVISOR
from sandbox.runner.reports import replace_surrogates

WATCHDOG_GRACE_S = 15.0
START_TIMEOUT_S = 60.0
NO_LIMIT_SET = -1
WARMING_MEMORY_MB = 1_024
MAX_PROGRAM_BYTES = 1 << 31
MAX_MESSAGE_CHARS = 1_000
EXIT_COMMAND_NOT_FOUND = 127  # as in a shell
# Errors of an exec that are caused by the file, not by a lack of resources.
EXEC_FILE_ERRNOS = {
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
    """A started box.

    Every method raises BoxError if the box failed rather than the program; then only `close` may be called. Methods
    that run a program raise Cancelled while `stop_signal` is set; the box stays usable.
    """

    def __init__(self, handle: BoxHandle, observer: BoxObserver = NULL_BOX_OBSERVER) -> None:
        self._handle = handle
        self._observer = observer
        self._memory_mb = NO_LIMIT_SET
        self._program: Program | None = None
        self._program_size_mb = 0  # the part of the box's memory that the loaded program itself takes
        self._sent = False
        self._warmed: list[tuple[str, ...]] = []
        self.runs = 0
        self.should_retire = False  # its state has changed since before its program, so no other program may use it
        self.tag = ""  # identifies whose program it is; sent into the box with every request and expected in its answer
        self.stop_signal: StopSignal | None = None  # ends a run from another thread
        self.started_at = time.monotonic()
        handle.connection.settimeout(START_TIMEOUT_S)
        hello = self._receive_answer(START_TIMEOUT_S)
        if hello.get("ready") is not True:
            raise BoxError("the supervisor did not report that it is ready")
        self.missing_isolation = [str(layer) for layer in hello.get("missing_walls", ())]
        self._in_gvisor = hello.get("kernel") == GVISOR
        if self._in_gvisor:
            self._handle = GvisorBoxHandle(handle)

    def load(self, program: Program) -> Outcome | None:
        """Load a program for `run`; return the outcome of compiling it, or None if nothing is compiled.

        A program that needs no compiling is sent with its first run.
        """
        self._program = program
        self._sent = False
        self._program_size_mb = 0
        if not program.compile_command:
            return None
        outcome = self._execute({"do": "compile"}, b"", program.compile_limits)
        return outcome if outcome.ended_well else _to_compile_error(outcome)

    def run(self, run: Run) -> Outcome:
        """Run the loaded program once."""
        program = self._require_program()
        # A module next to the script may have the name of one that the warm interpreter has already imported.
        shadowed = any(name.endswith(".py") or "/" in name for name in run.files)
        mode = Mode.EXEC if shadowed or run.command else program.mode
        self._warm(program.preload_modules, mode)
        request = {"do": "run", "args": run.args, "fetch": run.fetch_files, "mode": mode, "command": run.command}
        return self._execute(request, run.stdin, run.limits, run.files)

    def call(self, calls: bytes, limits: Limits) -> Outcome:
        """Call functions of the loaded Python program, with one line of JSON per call; the outcome contains the
        answers.
        """
        self._warm(self._require_program().preload_modules, Mode.SERVE)
        request = {"do": "run", "args": (), "fetch": (), "mode": Mode.SERVE}
        return self._execute(request, b"", limits, calls=calls)

    def run_with_channel(
        self,
        mode: Mode,
        stdin: bytes,
        limits: Limits,
        channel: Sequence[int],
        files: Mapping[str, bytes] = NO_FILES,
        allowance: int | None = None,
    ) -> Outcome:
        """Run the loaded Python program as one side of `channel`, descriptors passed to it as 3, 4 and so on.

        `allowance` is a pipe from which the supervisor reads how much extra CPU time is granted
        (`runner.cpu_allowance`). All of these descriptors are closed here, however the run ends.
        """
        allowance_pipe = () if allowance is None else (allowance,)
        with _close_on_exit([*channel, *allowance_pipe]) as lent_descriptors:
            modules = (*self._require_program().preload_modules, HARNESS_MODULE)
            self._warm(modules, mode)
            request = {"do": "run", "args": (), "fetch": (), "mode": mode, "warm": modules}
            return self._execute(
                request,
                stdin,
                limits,
                files,
                channel=channel,
                allowance=allowance_pipe,
                lent_descriptors=lent_descriptors,
            )

    def run_in_shared_process(
        self, key: bytes, test: bytes, limits: Limits, files: Mapping[str, bytes], warm: tuple[str, ...] = ()
    ) -> Outcome:
        """Run the loaded Python program and then a test in its process.

        The answers in the outcome are the key and the test's reports. The test is sent after the process has answered
        with the key from its stdin. `warm` names the large modules that its interpreter imports instead of the
        program's own.
        """
        modules = (*(warm or self._require_program().preload_modules), HARNESS_MODULE)
        self._warm(modules, Mode.SHARED)
        request = {"do": "run", "args": (), "fetch": (), "mode": Mode.SHARED, "warm": modules}
        return self._execute(request, key, limits, files, calls=test, answer_prefix=key)

    def run_interactive(self, run: Run, partner: Sequence[int], relay_stats: RelayStats | None = None) -> Outcome:
        """Run the loaded program with `partner` as its stdin and stdout; another program has the other ends.

        With `relay_stats`, which is filled in, the program's stdout counts toward the output limit. `partner` is closed
        here, however the run ends.
        """
        with _close_on_exit(partner) as lent_descriptors:
            request = {"do": "run", "args": run.args, "fetch": (), "mode": self._require_program().mode}
            return self._execute(
                request,
                b"",
                run.limits,
                run.files,
                partner=partner,
                relay_stats=relay_stats,
                lent_descriptors=lent_descriptors,
            )

    def _warm(self, modules: tuple[str, ...], mode: Mode) -> None:
        """Make sure that the box has an interpreter that has imported `modules`. The box keeps it for later runs."""
        if not modules or mode is Mode.EXEC:
            return
        self._observer.record_cache_use("interpreter", modules in self._warmed)
        if modules in self._warmed:
            self._warmed.remove(modules)
            self._warmed.append(modules)
            return
        self._limit_memory(max(self._memory_mb, WARMING_MEMORY_MB))
        self._send({"do": "warm", "modules": modules})
        if self._receive_answer(START_TIMEOUT_S).get("warm") is not True:
            raise BoxError("the supervisor did not report that its interpreter is warm")
        self._warmed.append(modules)
        del self._warmed[:-MAX_EXTRA_ZYGOTES]
        self._handle.measure_own_memory()
        self._memory_mb = NO_LIMIT_SET

    def close(self) -> None:
        self._handle.destroy()

    def _execute(
        self,
        request: dict[str, Any],
        stdin: bytes | FileSpan,
        limits: Limits,
        files: Mapping[str, bytes] = NO_FILES,
        calls: bytes | None = None,
        channel: Sequence[int] = (),
        partner: Sequence[int] = (),
        relay_stats: RelayStats | None = None,
        answer_prefix: bytes = b"",
        allowance: Sequence[int] = (),
        lent_descriptors: ExitStack | None = None,
    ) -> Outcome:
        """Send a request that starts a program, feed and drain its streams, and read how it ended.

        `lent_descriptors` closes the descriptors passed to the program. This happens once the program has them, so that
        it sees the end of its partner's output.
        """
        self.runs += 1
        began = time.monotonic()
        if _sum_sizes(files) > limits.memory_mb << 20:
            return Outcome(Status.MEMORY_LIMIT_EXCEEDED, message="the run's files are larger than its memory")
        self._limit_memory(limits.memory_mb + self._program_size_mb)
        self._handle.begin_run()
        request["limits"] = _encode_limits(limits)
        request["tag"] = self.tag
        test_command: Sequence[str] = request.get("command", ())
        if self._program is not None and request["do"] == "run" and not test_command:
            request["command"] = self._program.fill_memory_limit(limits)
        if (
            self._program is not None
            and self._program.preload_modules in self._warmed
            and request.get("mode", Mode.EXEC) != Mode.EXEC
            and "warm" not in request
        ):
            request["warm"] = self._program.preload_modules
        wall_time_s = limits.wall_time_s + (MAX_ALLOWANCE_S if allowance else 0.0)
        deadline = time.monotonic() + wall_time_s * MAX_WALL_TIME_FACTOR + WATCHDOG_GRACE_S
        with (
            Streams(stdin, limits.output_kb * 1024, calls, channel, partner, relay_stats, answer_prefix) as streams,
            ExitStack() as own_descriptors,
        ):
            request["streams"] = len(streams.program_ends)
            copied = self._create_fetch_memfd(request)
            own_descriptors.callback(frames.close_descriptors, copied)
            try:
                self._check_stop()
                self._start(request, [*streams.program_ends, *copied], files, allowance)
            except frames.FrameTooLarge as error:
                return Outcome(Status.INTERNAL_ERROR, message=f"the request is too large for a box: {error}")
            finally:
                streams.close_program_ends()
                if lent_descriptors is not None:
                    lent_descriptors.close()
            while not streams.wait_for(self._handle.connection, deadline, self.stop_signal):
                self._send({"do": "kill"})  # the output exceeded its limit, or the run was cancelled
            answer, descriptors = self._receive()
            own_descriptors.callback(frames.close_descriptors, descriptors)
            if answer.get("tag") != self.tag:
                raise BoxError("the answer belongs to another request")
            still_open = self._drain(streams)
            fetched = self._read_fetched_files(answer, [*descriptors, *copied], limits)
            self._check_stop()
            self._program_size_mb = _read_program_size_mb(answer) or self._program_size_mb
            outcome = self._read_outcome(answer, streams, fetched, bool(partner))
            if error_number := _read_exec_error(answer):
                outcome = self._attribute_exec_error(outcome, error_number, request["do"], test_command)
            if still_open:
                outcome = replace(outcome, status=Status.RUNTIME_ERROR, message=still_open)
            self.should_retire = self.should_retire or bool(still_open) or answer.get("retire") is True
            sent, received = (
                len(stdin) + _sum_sizes(files),
                len(outcome.stdout) + len(outcome.stderr) + _sum_sizes(fetched),
            )
            phase: Phase = "compile" if request["do"] == "compile" else "run"
            self._observer.record_phase(phase, began, time.monotonic(), sent, received)
            return outcome if self._program is None else reclassify_out_of_memory(outcome, self._program.memory_errors)

    def _drain(self, streams: Streams) -> str:
        """Read the rest of the output; return an error message if it does not end. Raises BoxError if that breaks the
        box.

        gVisor has no garbage collector for descriptors that sockets hold of each other. There a program can leave its
        output open although all its processes are gone, as the supervisor has verified.
        """
        try:
            streams.drain()
        except BoxError as error:
            if not self._in_gvisor:
                raise
            return str(error)
        return ""

    def _check_stop(self) -> None:
        """Raise Cancelled if the run was cancelled. The box itself is as usable as after any other run."""
        if self.stop_signal is not None:
            self.stop_signal.raise_if_set()

    def _limit_memory(self, memory_mb: int) -> None:
        if memory_mb == self._memory_mb:
            return
        if memory_mb < self._memory_mb:
            # Wait until the last run's files are gone: the kernel refuses a limit below the current usage.
            self._send({"do": "settle", "forget": not self._sent})
            if self._receive_answer(START_TIMEOUT_S).get("settled") is not True:
                raise BoxError("the supervisor did not report that it has cleaned up")
        self._handle.limit_memory(memory_mb)
        self._memory_mb = memory_mb

    def _create_fetch_memfd(self, request: Mapping[str, Any]) -> list[int]:
        """Create a memfd for the files to fetch. gVisor passes no descriptor out, but can write to one passed in."""
        return [os.memfd_create("fetched", os.MFD_CLOEXEC)] if self._in_gvisor and request.get("fetch") else []

    def _start(
        self, request: dict[str, Any], streams: list[int], files: Mapping[str, bytes], allowance: Sequence[int] = ()
    ) -> None:
        """Send a request, together with the program if the supervisor does not have it yet."""
        if allowance:
            request["allowance"] = True
        lent: list[int] = []
        payload = b""
        try:
            if not self._sent:
                payload, request["program"] = self._build_program_header(lent)
            if files:
                descriptor, request["parts"] = frames.pack_memory_file("files", files)
                lent.append(descriptor)
            self._send(request, [*streams, *lent, *allowance], payload)
            self._sent = True
        finally:
            frames.close_descriptors(lent)

    def _build_program_header(self, descriptors: list[int]) -> tuple[bytes, dict[str, Any]]:
        program = self._require_program()
        header: dict[str, Any] = {
            "compile": program.compile_command,
            "run": program.run_command,
            "keep": program.keep,
            "environment": dict(program.environment),
            "inline": True,
        }
        parts = {program.source_name: program.source}
        inline = frames.pack_inline(parts)
        if inline is not None:
            payload, header["parts"] = inline
            return payload, header
        descriptor, header["parts"] = frames.pack_memory_file("program", parts)
        descriptors.append(descriptor)
        return b"", {**header, "inline": False}

    def _require_program(self) -> Program:
        if self._program is None:
            raise BoxError("no program is loaded")
        return self._program

    def _read_outcome(
        self, answer: dict[str, Any], streams: Streams, files: dict[str, bytes], partner: bool = False
    ) -> Outcome:
        try:
            fields = answer["outcome"]
            status = Status(fields["status"])
            seconds, wall_s, memory_mb = (
                _parse_finite(fields[name]) for name in ("cpu_time_s", "wall_time_s", "memory_mb")
            )
            usage = Usage(seconds, wall_s, self._measure_memory_mb(memory_mb))
            exit_code = None if fields["exit_code"] is None else int(fields["exit_code"])
            signal = None if fields["signal"] is None else int(fields["signal"])
            message = replace_surrogates(str(fields["message"])[:MAX_MESSAGE_CHARS])
            stopped = str(fields["stopped"])
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise BoxError(f"the supervisor sent an invalid outcome: {error!r}") from error
        if streams.over_limit and stopped in {"", "killed"} and status is not Status.MEMORY_LIMIT_EXCEEDED:
            status, message = Status.OUTPUT_LIMIT_EXCEEDED, ""
        out, err, *answers = [OutputBuffer(0), *streams.complete_outputs()] if partner else streams.complete_outputs()
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

    def _attribute_exec_error(self, outcome: Outcome, error: int, do: str, test_command: Sequence[str]) -> Outcome:
        """Attribute the failure to execute a command to the test, the program or the box.

        A test whose command does not exist can never pass. A failure of the program's own executable is the program's
        error. Raises BoxError for everything else, such as an interpreter that is missing from the image.
        """
        program = self._require_program()
        command = test_command or (program.compile_command if do == "compile" else program.run_command)
        reason = f"cannot run {command[0]!r}: {os.strerror(error)}"
        if error in EXEC_FILE_ERRNOS and test_command:
            return replace(outcome, exit_code=None, message=f"the test's command: {reason}")
        if error in EXEC_FILE_ERRNOS and do == "run" and command[0].startswith("./"):
            return replace(outcome, status=Status.RUNTIME_ERROR, exit_code=EXIT_COMMAND_NOT_FOUND, message=reason)
        raise BoxError(reason)

    def _measure_memory_mb(self, resident_mb: float) -> float:
        """Return the program's peak memory in MiB.

        The resident peak of an exec'd program includes the interpreter it was forked from; the cgroup's peak does not.
        """
        peak = self._handle.read_peak_memory_mb()
        if peak is None:
            return resident_mb
        forked = self._program is not None and self._program.mode is not Mode.EXEC
        return round(max(peak, resident_mb if forked else 0.0), 3)

    def _read_fetched_files(self, answer: dict[str, Any], descriptors: list[int], limits: Limits) -> dict[str, bytes]:
        if "parts" not in answer:
            return {}
        try:
            files: dict[str, bytes] = {}
            left = limits.file_mb << 20
            if self._in_gvisor:
                (copied,) = descriptors
                return frames.unpack_memory_file(
                    copied, [(str(name), int(size)) for name, size in answer["parts"]], left
                )
            for (name, size), descriptor in zip(answer["parts"], descriptors, strict=True):
                files.update(frames.unpack_memory_file(descriptor, [(str(name), int(size))], left))
                left -= int(size)
            return files
        except (frames.FrameError, TypeError, ValueError, OverflowError, OSError) as error:
            raise BoxError(f"the fetched files differ from what the supervisor reported: {error}") from error

    def _send(self, request: dict[str, Any], descriptors: Sequence[int] = (), payload: bytes = b"") -> None:
        try:
            frames.send(self._handle.connection, request, descriptors, payload)
        except frames.FrameTooLarge:  # nothing was sent, and the box is not at fault
            raise
        except frames.FrameError as error:
            raise BoxError(f"lost the box: {error}") from error

    def _receive(self) -> tuple[dict[str, Any], list[int]]:
        try:
            answer, _, descriptors = frames.receive(self._handle.connection)
        except (frames.FrameError, OSError) as error:
            raise self._classify_failure()(f"lost the box: {error}") from error
        if "broken" in answer:
            frames.close_descriptors(descriptors)
            raise self._classify_failure()(
                f"box broken: {replace_surrogates(str(answer['broken'])[:MAX_MESSAGE_CHARS])}"
            )
        return answer, descriptors

    def _classify_failure(self) -> type[BoxError]:
        return BoxOutOfMemory if self._handle.ran_out_of_memory() else BoxError

    def _receive_answer(self, timeout_s: float) -> dict[str, Any]:
        self._handle.connection.settimeout(timeout_s)
        answer, descriptors = self._receive()
        frames.close_descriptors(descriptors)
        self._handle.connection.settimeout(None)
        return answer


def _close_on_exit(descriptors: Sequence[int]) -> ExitStack:
    """Return an ExitStack that closes these descriptors once: at the end of its `with` block or earlier."""
    closing = ExitStack()
    closing.callback(frames.close_descriptors, descriptors)
    return closing


def _sum_sizes(files: Mapping[str, bytes]) -> int:
    return sum(map(len, files.values())) if files else 0


def _parse_finite(value: Any) -> float:
    """Convert to a finite number. Raises ValueError, TypeError or OverflowError for anything else."""
    number = float(value)
    if not math.isfinite(number):
        raise ValueError(f"{number} is not finite")
    return number


def _read_exec_error(answer: dict[str, Any]) -> int:
    """Return the errno with which a run's command could not be executed, or 0 if it could."""
    error = answer["outcome"].get("exec_error", 0)
    if not isinstance(error, int) or not 0 <= error < 4096:
        raise BoxError("the supervisor sent an invalid errno for the command")
    return error


def _read_program_size_mb(answer: dict[str, Any]) -> int:
    """Return how much of the box's memory an executable takes. It is reported after compiling and added to its runs'
    limits.
    """
    size_bytes = answer.get("kept_bytes", 0)
    if not isinstance(size_bytes, int) or not 0 <= size_bytes < MAX_PROGRAM_BYTES:
        raise BoxError("the supervisor sent an invalid program size")
    return size_bytes >> 20


@lru_cache(maxsize=256)
def _encode_limits(limits: Limits) -> dict[str, Any]:
    return asdict(limits)


def _to_compile_error(outcome: Outcome) -> Outcome:
    """Turn any failed compilation into a compile error of the program; the message keeps the reason."""
    reason = outcome.message if outcome.status is Status.RUNTIME_ERROR else outcome.status.value
    return replace(outcome, status=Status.COMPILE_ERROR, message=reason)
