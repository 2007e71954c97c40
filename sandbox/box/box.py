"""The worker's interface to one box: load a program, run it, get an outcome.

Everything that comes out of a box is untrusted. Frames are limited in size, and `answers` checks every field. Anything
unexpected raises BoxError, and the box is destroyed.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from functools import lru_cache
from types import MappingProxyType

from sandbox.box.answers import read_answer, read_fetched_files, read_ready
from sandbox.box.connection import Connection
from sandbox.box.engine import BoxHandle
from sandbox.box.exec_error import attribute_exec_error
from sandbox.box.gvisor import GvisorBoxHandle
from sandbox.box.loaded_program import LoadedProgram
from sandbox.box.memory_limit import MemoryLimit
from sandbox.box.observer import NULL_BOX_OBSERVER, BoxObserver
from sandbox.box.outcome import build_outcome, reclassify_out_of_memory, to_compile_error
from sandbox.box.relay import RelayStats
from sandbox.box.stop_signal import StopSignal
from sandbox.box.streams import StreamPlan, Streams
from sandbox.box.warm_interpreters import WarmInterpreters
from sandbox.errors import BoxError
from sandbox.runner import frames, messages
from sandbox.runner.contract import Limits, Mode, Outcome, Program, Run, Status
from sandbox.runner.cpu_allowance import MAX_ALLOWANCE_S
from sandbox.runner.enums import HARNESS_MODULE, MAX_WALL_TIME_FACTOR
from sandbox.runner.kernel import GVISOR
from sandbox.runner.messages import CompileRequest, RunLimits, RunRequest

WATCHDOG_GRACE_S = 15.0
NO_FILES: Mapping[str, bytes] = MappingProxyType({})


class Box:
    """A running box, which runs one program at a time.

    Every method raises BoxError if the box itself fails, as opposed to the program. After that, only `close` may be
    called. Methods that run a program raise Cancelled while `stop_signal` is set; the box stays usable.
    """

    def __init__(self, handle: BoxHandle, observer: BoxObserver = NULL_BOX_OBSERVER) -> None:
        self._handle = handle
        self._observer = observer
        self._loaded: LoadedProgram | None = None
        self.runs = 0
        self.should_retire = False  # its state has changed since before its program, so no other program may use it
        self.tag = ""  # identifies whose program it is; sent into the box with every request and expected in its answer
        self.stop_signal: StopSignal | None = None  # ends a run from another thread
        self.started_at = time.monotonic()
        self._connection = Connection(handle)
        ready = read_ready(self._connection.receive_header())
        self.missing_isolation = list(ready.missing_isolation)
        self._in_gvisor = ready.kernel == GVISOR
        if self._in_gvisor:
            self._handle = GvisorBoxHandle(handle)
        self._memory_limit = MemoryLimit(self._handle, self._connection)
        self._interpreters = WarmInterpreters(self._connection, self._memory_limit, observer)

    def load(self, program: Program) -> Outcome | None:
        """Load a program for `run`; return the outcome of its compilation, or None if its language has none.

        A program that is not compiled is sent to the box with its first run.
        """
        self._loaded = LoadedProgram(program)
        if not program.compile_command:
            return None
        request = CompileRequest(_to_run_limits(program.compile_limits), self.tag)
        outcome = self._execute(request, StreamPlan(), program.compile_limits)
        return outcome if outcome.ended_well else to_compile_error(outcome)

    def run(self, run: Run) -> Outcome:
        """Run the loaded program once."""
        program = self._require_loaded().program
        # A module next to the script may have the name of one that the warm interpreter has already imported.
        shadowed = bool(run.files) and any(name.endswith(".py") or "/" in name for name in run.files)
        mode = Mode.EXEC if shadowed or run.command else program.mode
        warm = self._interpreters.warm(program.preload_modules, mode)
        request = RunRequest(
            _to_run_limits(run.limits),
            mode,
            run.args,
            run.fetch_files,
            run.command or program.fill_memory_limit(run.limits),
            warm,
            tag=self.tag,
        )
        return self._execute(request, StreamPlan(run.stdin), run.limits, run.files, test_command=run.command)

    def call(self, calls: bytes, limits: Limits) -> Outcome:
        """Call functions of the loaded Python program; the outcome contains the answers.

        `calls` holds one line of JSON per call.
        """
        warm = self._interpreters.warm(self._require_loaded().program.preload_modules, Mode.SERVE)
        request = RunRequest(_to_run_limits(limits), Mode.SERVE, warm=warm, tag=self.tag)
        return self._execute(request, StreamPlan(calls=calls), limits)

    def run_with_channel(
        self,
        mode: Mode,
        stdin: bytes,
        limits: Limits,
        channel: Sequence[int],
        files: Mapping[str, bytes] = NO_FILES,
        allowance: int | None = None,
    ) -> Outcome:
        """Run the loaded Python program connected to `channel`: descriptors that it receives as 3, 4 and so on.

        `allowance` is a pipe from which the supervisor reads the extra CPU time that the program is granted
        (`runner.cpu_allowance`). This method always closes all of these descriptors, even if the run fails.
        """
        allowance_pipe = () if allowance is None else (allowance,)
        with _close_on_exit([*channel, *allowance_pipe]) as lent_descriptors:
            warm = self._interpreters.warm((*self._require_loaded().program.preload_modules, HARNESS_MODULE), mode)
            request = RunRequest(_to_run_limits(limits), mode, warm=warm, allowance=allowance is not None, tag=self.tag)
            return self._execute(
                request, StreamPlan(stdin, channel=channel), limits, files, allowance_pipe, lent_descriptors
            )

    def run_in_shared_process(
        self, key: bytes, test: bytes, limits: Limits, files: Mapping[str, bytes], warm: tuple[str, ...] = ()
    ) -> Outcome:
        """Run the loaded Python program and then a test in its process.

        The process first reads a key from stdin and sends it back; only then does it receive the test. The answers in
        the outcome consist of this key and the test's reports. `warm` names the large modules that the interpreter has
        imported in advance; it replaces the program's own list.
        """
        modules = (*(warm or self._require_loaded().program.preload_modules), HARNESS_MODULE)
        warm = self._interpreters.warm(modules, Mode.SHARED)
        request = RunRequest(_to_run_limits(limits), Mode.SHARED, warm=warm, tag=self.tag)
        return self._execute(request, StreamPlan(key, test, answer_prefix=key), limits, files)

    def run_interactive(self, run: Run, partner: Sequence[int], relay_stats: RelayStats | None = None) -> Outcome:
        """Run the loaded program while it is connected to another program.

        `partner` holds the two descriptors that become its stdin and stdout.

        With `relay_stats`, the program's stdout counts toward the output limit, and this method fills in the
        statistics. It always closes `partner`, even if the run fails.
        """
        with _close_on_exit(partner) as lent_descriptors:
            program = self._require_loaded().program
            request = RunRequest(
                _to_run_limits(run.limits),
                program.mode,
                run.args,
                command=program.fill_memory_limit(run.limits),
                warm=self._interpreters.find(program.preload_modules, program.mode),
                tag=self.tag,
            )
            return self._execute(
                request,
                StreamPlan(partner=partner, relay_stats=relay_stats),
                run.limits,
                run.files,
                lent_descriptors=lent_descriptors,
            )

    def close(self) -> None:
        self._handle.destroy()

    def _execute(
        self,
        request: CompileRequest | RunRequest,
        plan: StreamPlan,
        limits: Limits,
        files: Mapping[str, bytes] = NO_FILES,
        allowance: Sequence[int] = (),
        lent_descriptors: ExitStack | None = None,
        test_command: tuple[str, ...] = (),
    ) -> Outcome:
        """Send a request that starts a program, feed and drain its streams, and return its outcome.

        `lent_descriptors` closes this process's copies of the descriptors passed to the program. It does so as soon as
        the program has received them; otherwise the program would never see the end of its partner's output.
        `test_command` is the command that replaces the program's own.
        """
        loaded = self._require_loaded()
        self.runs += 1
        began = time.monotonic()
        if _sum_sizes(files) > limits.memory_mb << 20:
            return Outcome(Status.MEMORY_LIMIT_EXCEEDED, message="the run's files are larger than its memory")
        self._memory_limit.set(limits.memory_mb + loaded.size_mb, forget_program=not loaded.sent)
        self._handle.begin_run()
        wall_time_s = limits.wall_time_s + (MAX_ALLOWANCE_S if allowance else 0.0)
        deadline = time.monotonic() + wall_time_s * MAX_WALL_TIME_FACTOR + WATCHDOG_GRACE_S
        with Streams(plan, limits.output_kb * 1024) as streams:
            copied = self._create_fetch_memfd(request)
            streams.adopt(copied)
            try:
                self._check_stop()
                loaded.start(self._connection, request, streams.program_ends, copied, files, allowance)
            except frames.FrameTooLarge as error:
                return Outcome(Status.INTERNAL_ERROR, message=f"the request is too large for a box: {error}")
            finally:
                streams.close_program_ends()
                if lent_descriptors is not None:
                    lent_descriptors.close()
            while not streams.wait_for(self._connection.socket, deadline, self.stop_signal):
                self._connection.send(messages.KILL)  # the output exceeded its limit, or the run was cancelled
            header, descriptors = self._connection.receive()
            streams.adopt(descriptors)
            answer = read_answer(header, self.tag)
            still_open = self._drain(streams)
            max_bytes = limits.file_mb << 20
            fetched = read_fetched_files(answer.parts, copied or descriptors, max_bytes, self._in_gvisor)
            self._check_stop()
            loaded.size_mb = answer.kept_bytes >> 20 or loaded.size_mb
            memory_mb = self._measure_memory_mb(answer.outcome.memory_mb)
            outcome = build_outcome(answer.outcome, memory_mb, streams, fetched, bool(plan.partner))
            if error_number := answer.outcome.exec_error:
                own = loaded.program.compile_command if request.do == "compile" else loaded.program.run_command
                outcome = attribute_exec_error(outcome, error_number, test_command or own, bool(test_command))
            if still_open:
                outcome = replace(outcome, status=Status.RUNTIME_ERROR, message=still_open)
            self.should_retire = self.should_retire or bool(still_open) or answer.retire
            sent, received = len(plan.stdin) + _sum_sizes(files), len(outcome.stdout) + len(outcome.stderr)
            self._observer.record_phase(request.do, began, time.monotonic(), sent, received + _sum_sizes(fetched))
            return reclassify_out_of_memory(outcome, loaded.program.memory_errors)

    def _drain(self, streams: Streams) -> str:
        """Read the rest of the output; return an error message if it never ends.

        Raises BoxError if the box can no longer be used in that case.

        On gVisor, a program can leave its output open even after all its processes are gone: gVisor does not collect
        sockets that hold descriptors of each other. The supervisor has already verified that no process is left.
        """
        try:
            streams.drain()
        except BoxError as error:
            if not self._in_gvisor:
                raise
            return str(error)
        return ""

    def _check_stop(self) -> None:
        """Raise Cancelled if the run was cancelled. The box remains usable."""
        if self.stop_signal is not None:
            self.stop_signal.raise_if_set()

    def _create_fetch_memfd(self, request: CompileRequest | RunRequest) -> list[int]:
        """Create a memfd that receives the fetched files.

        gVisor cannot pass a descriptor out of the box, but it can write to one that was passed in.
        """
        if self._in_gvisor and isinstance(request, RunRequest) and request.fetch:
            return [os.memfd_create("fetched", os.MFD_CLOEXEC)]
        return []

    def _require_loaded(self) -> LoadedProgram:
        if self._loaded is None:
            raise BoxError("no program is loaded")
        return self._loaded

    def _measure_memory_mb(self, resident_mb: float) -> float:
        """Return the program's peak memory in MiB.

        Prefer the cgroup's peak: the resident peak of an exec'd program includes the interpreter it was forked from.
        """
        peak = self._handle.read_peak_memory_mb()
        if peak is None:
            return resident_mb
        forked = self._require_loaded().program.mode is not Mode.EXEC
        return round(max(peak, resident_mb if forked else 0.0), 3)


def _close_on_exit(descriptors: Sequence[int]) -> ExitStack:
    """Return an ExitStack that closes these descriptors when its `with` block ends, unless it was closed earlier."""
    closing = ExitStack()
    closing.callback(frames.close_descriptors, descriptors)
    return closing


def _sum_sizes(files: Mapping[str, bytes]) -> int:
    return sum(map(len, files.values())) if files else 0


@lru_cache(maxsize=256)
def _to_run_limits(limits: Limits) -> RunLimits:
    return RunLimits(**asdict(limits))
