"""The trusted process of a box: it loads a program, runs it once per test, and removes everything that it left behind.

Theory of operation. The supervisor is the first process of the box. Only it and the zygotes outlive a run. It exchanges
messages with the worker over one connection, which exists before any program runs and which no program inherits. For
each run it takes the next uid and sets up a fresh work directory. It then passes the zygote a launch spec and the run's
pipe ends. The worker created these pipes, so no byte of stdin, stdout or stderr passes through the supervisor. Then it
sleeps until the zygote reports that the child has ended, and wakes up only to enforce the limits (`limit_watch`).

When the child has ended, the supervisor kills every remaining descendant. It then sends the answer, and clears every
writable directory while the worker judges the output. If something cannot be killed or cleared, the supervisor exits
and the worker replaces the box. No run ever starts in a box that has not been verified to be clean.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import NoReturn

from sandbox.runner import frames, launch_spec, messages
from sandbox.runner.cpu_allowance import CpuAllowance
from sandbox.runner.enums import Mode, Status
from sandbox.runner.kernel import GVISOR, GVISOR_MISSING_ISOLATION, detect_kernel
from sandbox.runner.messages import Answer, CompileRequest, OutcomeMessage, ProgramMessage, RunRequest, WarmRequest
from sandbox.runner.supervisor.errors import BoxBroken
from sandbox.runner.supervisor.execution import Execution
from sandbox.runner.supervisor.gvisor_kernel import GvisorKernel
from sandbox.runner.supervisor.limit_watch import (
    GVISOR_MEMORY_CHECK_INTERVAL_S,
    MEMORY_CHECK_INTERVAL_S,
    LimitWatch,
)
from sandbox.runner.supervisor.options import Options
from sandbox.runner.supervisor.outcome import build_outcome
from sandbox.runner.supervisor.process_setup import deny_pseudo_terminals, set_up_process
from sandbox.runner.supervisor.program_processes import ProgramProcesses
from sandbox.runner.supervisor.run_meter import RunMeter
from sandbox.runner.supervisor.workspace import CannotPlaceFiles, CleanupFailed, Workspace
from sandbox.runner.supervisor.zygotes import ENVIRONMENT, ZygotePool

MAX_FILES_BYTES = 1 << 31
COPY_CHUNK_BYTES = 1 << 20


class Supervisor:
    """Serves one worker on `connection` until the connection closes."""

    def __init__(self, connection: socket.socket, options: Options) -> None:
        kernel = detect_kernel()
        in_gvisor = kernel == GVISOR
        self._connection = connection
        self._gvisor = GvisorKernel() if in_gvisor else None
        self._ready = messages.Ready(kernel, GVISOR_MISSING_ISOLATION if in_gvisor else ())
        self._workspace = Workspace(options.root, options.shared)
        self._zygotes = ZygotePool(options.modules, self._workspace.work, options.fail_at)
        self._processes = ProgramProcesses(self._zygotes, options.uid_base, in_gvisor)
        meter = RunMeter(self._zygotes, self._gvisor, options.cpus or len(os.sched_getaffinity(0)))
        interval_s = GVISOR_MEMORY_CHECK_INTERVAL_S if in_gvisor else MEMORY_CHECK_INTERVAL_S
        watch = LimitWatch(
            connection, self._zygotes, self._processes, meter, interval_s if options.watch_memory or in_gvisor else 0.0
        )
        self._execution = Execution(self._workspace, self._zygotes, self._processes, meter, watch, in_gvisor)
        self._program = ProgramMessage((), (), (), {}, (), inline=True)

    def serve(self) -> None:
        """Serve requests until the worker disconnects, which raises ConnectionClosed.

        Raises BoxBroken, CleanupFailed or FrameError if the box can no longer be used.
        """
        self._zygotes.chosen.wait_until_ready()
        frames.send(self._connection, self._ready._asdict())
        while True:
            header, payload, descriptors = frames.receive(self._connection, allow_large_header=True)
            try:
                request = messages.read_request(header)
                if isinstance(request, RunRequest):
                    self._load_program(request, payload, descriptors, self._has_copy_target(request))
                    self._run(request, descriptors)
                elif isinstance(request, CompileRequest):
                    self._load_program(request, payload, descriptors)
                    self._compile(request, descriptors)
                elif isinstance(request, WarmRequest):
                    self._zygotes.ensure(tuple(request.modules))
                    frames.send(self._connection, messages.WARMED)
                elif request is not None:
                    if request.forget:
                        self._workspace.load({})
                    frames.send(self._connection, messages.SETTLED)
            finally:
                frames.close_descriptors(descriptors)
            self._workspace.clear()

    def _load_program(
        self, request: CompileRequest | RunRequest, payload: bytes, descriptors: list[int], copy_target: bool = False
    ) -> None:
        """Load the program that a request contains, if any."""
        program = request.program
        if program is None:
            return
        if program.inline:
            parts = frames.split_payload(payload, program.parts)
        else:
            position = request.streams + copy_target
            parts = frames.unpack_memory_file(descriptors[position], program.parts, MAX_FILES_BYTES)
            os.close(descriptors.pop(position))
        self._program = program
        variables = {**ENVIRONMENT, "HOME": self._workspace.work, **program.environment}
        self._execution.environment = launch_spec.pack_environment(variables)
        self._workspace.load(parts, program.keep)

    def _has_copy_target(self, request: RunRequest) -> bool:
        """Return whether a memfd for fetched files follows the streams of the request."""
        return self._gvisor is not None and bool(request.fetch)

    def _compile(self, request: CompileRequest, descriptors: list[int]) -> None:
        allowance = CpuAllowance()
        uid = self._processes.take_uid()
        self._zygotes.choose(())
        self._workspace.prepare(uid, {}, with_build_outputs=False)
        exit_info = self._execution.execute(
            self._program.compile, Mode.EXEC, uid, descriptors, request.limits, allowance
        )
        outcome = build_outcome(exit_info, request.limits, allowance)
        if outcome.status is Status.OK and not self._workspace.keep_build_outputs(self._program.keep):
            outcome = outcome._replace(
                status=Status.RUNTIME_ERROR, message="the compiler succeeded but produced no program"
            )
        self._answer(Answer(request.tag, outcome, self._workspace.measure_build_outputs()), descriptors)

    def _run(self, request: RunRequest, descriptors: list[int]) -> None:
        self._zygotes.choose(tuple(request.warm))
        streams, rest = descriptors[: request.streams], descriptors[request.streams :]
        copy_target = rest.pop(0) if self._has_copy_target(request) else None
        allowance = CpuAllowance(rest[-1] if request.allowance else None)
        files = frames.locate_parts(rest[0], request.parts, MAX_FILES_BYTES) if request.parts else {}
        uid = self._processes.take_uid()
        try:
            self._workspace.prepare(uid, files)
        except CannotPlaceFiles as error:
            outcome = OutcomeMessage(Status.INTERNAL_ERROR, 0, None, 0.0, 0.0, 0.0, "", str(error))
            self._answer(Answer(request.tag, outcome), descriptors)
            return
        command = [*(request.command or self._program.run), *request.args]
        exit_info = self._execution.execute(command, Mode(request.mode), uid, streams, request.limits, allowance)
        outcome = build_outcome(exit_info, request.limits, allowance)
        retire = self._gvisor is not None and self._gvisor.count_tcp_connections() > 0
        found = self._workspace.open_outputs(request.fetch, request.limits.file_mb) if request.fetch else []
        parts = [(name, size) for name, size, _ in found]
        fetched = [descriptor for _, _, descriptor in found]
        if copy_target is not None:
            _copy_files(fetched, copy_target)
            fetched.clear()
        self._answer(Answer(request.tag, outcome, 0, parts, retire), descriptors, fetched)
        frames.close_descriptors(fetched)

    def _answer(self, answer: Answer, descriptors: list[int], fetched: Sequence[int] = ()) -> None:
        """Close the descriptors of a request, so that the worker sees the end of its streams, and then answer it.

        The answer is built first, so that the worker wakes once for both.
        """
        header = messages.build_answer_header(answer)
        frames.close_descriptors(descriptors)
        descriptors.clear()
        frames.send(self._connection, header, fetched)


def _copy_files(sources: Sequence[int], target: int) -> None:
    """Append the content of each file to `target`, and close the files."""
    for source in sources:
        while content := os.read(source, COPY_CHUNK_BYTES):
            frames.write_all(target, content)
        os.close(source)


def send_broken(connection: socket.socket, error: Exception) -> None:
    """Report to the worker why the box ends. Do nothing if the worker has disconnected."""
    try:
        connection.setblocking(False)
        frames.send(connection, messages.Broken(str(error))._asdict())
    except frames.FrameError:
        return


def main() -> NoReturn:
    """Serve one worker. Exit with 0 once it disconnects, or with 1 if the box can no longer be trusted."""
    options = Options.decode(sys.argv[1])
    set_up_process()
    if options.connect:
        deny_pseudo_terminals()  # the container's own; other boxes have no such device, or only the machine's
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(options.connect)
    else:
        connection = socket.socket(fileno=options.descriptor)
    try:
        Supervisor(connection, options).serve()
    except frames.ConnectionClosed:
        os._exit(0)
    except (BoxBroken, CleanupFailed, frames.FrameError) as error:
        print(f"box broken: {error}", file=sys.stderr, flush=True)
        send_broken(connection, error)
    os._exit(1)
