"""The trusted process of a box: it loads a program, runs it test by test, and removes everything the program left.

Theory of operation. The supervisor is the first process of the box. Only it and the zygotes outlive a run. It exchanges
frames with the worker over one connection, which exists before any program runs and which no program inherits. For each
run it takes the next uid and sets up a fresh work directory. It then passes the zygote a launch spec and the run's pipe
ends. The worker created these pipes, so no byte of stdin, stdout or stderr passes through the supervisor. Then it
sleeps until the zygote reports that the child has ended, and wakes up only to enforce the limits:

- CPU time of the whole process tree, read from process clocks, so forking gains no extra time;
- wall time minus the time its processes waited for a free CPU, so a busy machine does not change a verdict. A run that
  ends by itself is measured the same way, so a run that ends right at its limit always gets the same verdict;
- a `kill` message from the worker (the output grew too large), or the end of the worker, which also ends the box.

When the child has ended, the supervisor kills every remaining process, found by descent and not by name. It sends the
answer and clears every writable place while the worker already judges. If something cannot be killed or cleared, the
supervisor exits and the worker replaces the box. No run ever starts in a box that is not proven clean.

The kernel counts out-of-memory kills (cgroup). Without a cgroup, the supervisor polls resident memory. Two kinds of
memory exhaustion escape the kernel. If a program's code no longer fits in memory next to its data, the kernel evicts
the code's pages and reads them back for minutes without killing anything. The supervisor therefore reports memory
exhaustion once a program has read back as many pages as its whole limit. It does the same for a program that holds
thousands of file locks, because the kernel charges their memory to nobody.
"""

from __future__ import annotations

import array
import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

from sandbox.runner import frames, launch_spec
from sandbox.runner.cpu_allowance import CpuAllowance
from sandbox.runner.enums import MAX_EXTRA_ZYGOTES, MAX_WALL_TIME_FACTOR, Mode, Status
from sandbox.runner.kernel import GVISOR, GVISOR_MISSING_ISOLATION, detect_kernel
from sandbox.runner.supervisor import usage
from sandbox.runner.supervisor.gvisor_kernel import GvisorKernel, kill_user_processes
from sandbox.runner.supervisor.workspace import CannotPlaceFiles, CleanupFailed, Workspace

PR_SET_CHILD_SUBREAPER = 36
KILL_TIMEOUT_S = 5.0
MAX_FILES_BYTES = 1 << 31
MIN_CHECK_INTERVAL_S = 0.002
MIN_START_TIME_S = 0.1  # setting up a child takes 0.3 ms of CPU time
MEMORY_CHECK_INTERVAL_S = 0.01
INIT_PID = 1
GVISOR_MEMORY_CHECK_INTERVAL_S = 0.05  # one check takes milliseconds on gVisor, out of the box's own CPU time
# gVisor's clock runs many times too fast while threads wait for a CPU, so this limit is only a backup
GVISOR_CPU_LIMIT_FACTOR = 32
COPY_CHUNK_BYTES = 1 << 20
PAGES_CHECK_INTERVAL_S = 0.5
# before the wall limit: the last chance to read how long the processes waited, if they end at the limit
FINAL_CHECK_LEAD_S = 0.01
MAX_CHECK_DELAY_S = 0.02  # after a longer gap between checks, the supervisor itself must have waited for a CPU
MCL_CURRENT, MCL_ONFAULT = 1, 4
PAGES_PER_MB = (1 << 20) // os.sysconf("SC_PAGE_SIZE")
BOX_CLOCK_MIN_RUN_S = 0.02  # shorter runs cannot hide enough CPU time to justify reading the cgroup
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
}
ZYGOTE_CODE = "import sys; sys.path[0] = {path!r}; from sandbox.runner.zygote.zygote import main; main()"


class BoxBroken(Exception):
    """The box can no longer be trusted. The supervisor exits and the worker creates a new box."""


class ExitInfo(NamedTuple):
    """How a child ended, according to the kernel."""

    wait_status: int
    cpu_time_s: float
    wall_time_s: float
    memory_mb: float
    stop_reason: str = ""
    out_of_memory: bool = False
    cpu_wait_s: float = 0.0  # the part of the wall time spent waiting for a free CPU
    exec_error: int = 0  # the errno of running its command, if it could not be run


class Zygote:
    """The supervisor's handle for a warm interpreter, which runs one child at a time."""

    def __init__(self, modules: Sequence[str], directory: Path, fail_at: int) -> None:
        parent_end, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        quiet_read, quiet_write = os.pipe()  # its standard streams are pipes, as its children's will be
        package_parent = str(Path(__file__).resolve().parents[3])
        child_end.set_inheritable(True)
        code = ZYGOTE_CODE.format(path=package_parent)
        # `subprocess` would do the same, but importing it costs every box 0.9 MB.
        self.pid = os.posix_spawn(
            "/usr/bin/python3",
            ["python3", "-c", code, str(child_end.fileno()), str(directory), str(fail_at), *modules],
            {**ENVIRONMENT, "HOME": str(directory)},
            file_actions=[(os.POSIX_SPAWN_DUP2, quiet_read, 0), (os.POSIX_SPAWN_DUP2, quiet_write, 1)],
            setsid=True,
        )
        frames.close_descriptors([quiet_read, quiet_write])
        child_end.close()
        self.socket = parent_end

    @property
    def resident_mb(self) -> float:
        return usage.read_resident_mb(self.pid)

    def start_child(self, packed_spec: bytes, streams: Sequence[int]) -> None:
        descriptor = frames.create_memory_file("launch-spec", packed_spec)
        try:
            rights = array.array("i", [descriptor, *streams])
            self.socket.sendmsg([b"run"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError as error:
            raise BoxBroken(f"lost the zygote: {error}") from error
        finally:
            os.close(descriptor)

    def stop(self) -> None:
        self.socket.close()
        _kill(self.pid)
        os.waitpid(self.pid, 0)

    def wait_until_ready(self) -> None:
        """Wait for the zygote to start, so its startup does not count toward any program's wall time or memory."""
        if not self.socket.recv(64):
            raise BoxBroken("the zygote did not start")

    def read_report(self) -> launch_spec.ExitReport:
        content = self.socket.recv(64)
        if not content:
            raise BoxBroken("the zygote ended")
        return launch_spec.unpack_report(content)


class Supervisor:
    """Serves one worker on `connection` until the connection closes."""

    def __init__(self, connection: socket.socket, options: Options) -> None:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._connection = connection
        self._workspace = Workspace(Path(options.root), [Path(place) for place in options.shared])
        self._next_uid = options.uid_base
        self._kernel = detect_kernel()
        self._watch_memory = options.watch_memory or self._kernel == GVISOR
        self._gvisor = GvisorKernel() if self._kernel == GVISOR else None
        self._memory_before_mb = 0.0
        self._cpus = options.cpus or len(os.sched_getaffinity(0))
        self._memory_check_interval_s = (
            GVISOR_MEMORY_CHECK_INTERVAL_S if self._kernel == GVISOR else MEMORY_CHECK_INTERVAL_S
        )
        self._modules = options.modules
        self._fail_at = options.fail_at
        self._zygote = Zygote(options.modules, self._workspace.work, options.fail_at)
        self._zygotes: dict[tuple[str, ...], Zygote] = {(): self._zygote}
        self._oom_kills = usage.open_oom_kill_counter()
        self._refaulted_pages = usage.open_refault_counter()
        self._file_locks = usage.open_file_locks()
        self._box_clock = usage.open_box_cpu_clock()
        self._children_file = usage.KernelFile(Path(f"/proc/self/task/{os.getpid()}/children"))
        self._children_when_idle = b"%d " % self._zygote.pid
        self._program: dict[str, Any] = {}
        self._allowance = CpuAllowance()
        self._environment = ""
        # How long the run's processes have waited for a CPU, as of the last check.
        self._cpu_wait_s = self._checked_at = 0.0
        self.tag = ""  # of the current request; returned with its answer
        self._poll = select.poll()
        self._poll.register(self._zygote.socket, select.POLLIN)
        self._poll.register(connection, select.POLLIN)

    def serve(self) -> None:
        self._zygote.wait_until_ready()
        frames.send(
            self._connection,
            {
                "ready": True,
                "counts_memory": self._oom_kills.exists,
                "pid": os.getpid(),
                "kernel": self._kernel,
                "missing_walls": GVISOR_MISSING_ISOLATION if self._kernel == GVISOR else (),
            },
        )
        while True:
            request, payload, descriptors = frames.receive(self._connection, allow_large_header=True)
            self.tag = request.get("tag", "")
            try:
                if "program" in request:
                    self._load_program(
                        request["program"], payload, descriptors, request["streams"] + self._has_copy_target(request)
                    )
                if request["do"] == "compile":
                    self._compile(request["limits"], descriptors)
                elif request["do"] == "run":
                    self._run(request, descriptors)
                elif request["do"] == "warm":
                    self._ensure_zygote(tuple(request["modules"]))
                    frames.send(self._connection, {"warm": True})
                elif request["do"] == "settle":
                    if request["forget"]:
                        self._workspace.load({})
                    frames.send(self._connection, {"settled": True})
            finally:
                frames.close_descriptors(descriptors)
            self._workspace.clear()

    def _load_program(self, program: dict[str, Any], payload: bytes, descriptors: list[int], position: int) -> None:
        if program["inline"]:
            parts = frames.split_payload(payload, program["parts"])
        else:
            parts = frames.unpack_memory_file(descriptors[position], program["parts"], MAX_FILES_BYTES)
            os.close(descriptors.pop(position))
        self._program = program
        variables = {**ENVIRONMENT, "HOME": str(self._workspace.work), **program["environment"]}
        self._environment = launch_spec.pack_environment(variables)
        self._workspace.load(parts, program["keep"])

    def _has_copy_target(self, request: dict[str, Any]) -> bool:
        """Return whether the request has a memfd for fetched files, which follows the streams."""
        return self._kernel == GVISOR and bool(request.get("fetch"))

    def _compile(self, limits: dict[str, Any], descriptors: list[int]) -> None:
        self._allowance = CpuAllowance()
        uid = self._take_uid()
        self._choose_zygote(())
        self._workspace.prepare(uid, {}, with_build_outputs=False)
        exit_info = self._execute(self._program["compile"], uid, limits, Mode.EXEC, descriptors)
        outcome = self._build_outcome(exit_info, limits, Mode.EXEC)
        if outcome["status"] == Status.OK and not self._workspace.keep_build_outputs(self._program["keep"]):
            outcome.update(status=Status.RUNTIME_ERROR, message="the compiler succeeded but produced no program")
        frames.close_descriptors(descriptors)
        descriptors.clear()
        frames.send(
            self._connection,
            {"tag": self.tag, "outcome": outcome, "kept_bytes": self._workspace.measure_build_outputs()},
        )

    def _run(self, request: dict[str, Any], descriptors: list[int]) -> None:
        limits, mode = request["limits"], Mode(request["mode"])
        self._choose_zygote(tuple(request.get("warm", ())))
        streams, rest = descriptors[: request["streams"]], descriptors[request["streams"] :]
        copy_target = rest.pop(0) if self._has_copy_target(request) else None
        self._allowance = CpuAllowance(rest[-1] if request.get("allowance") else None)
        files = frames.locate_parts(rest[0], request["parts"], MAX_FILES_BYTES) if "parts" in request else {}
        uid = self._take_uid()
        try:
            self._workspace.prepare(uid, files)
        except CannotPlaceFiles as error:
            outcome = self._build_outcome(ExitInfo(0, 0.0, 0.0, 0.0), limits, mode)
            outcome.update(status=Status.INTERNAL_ERROR, message=str(error))
            frames.close_descriptors(descriptors)
            descriptors.clear()
            frames.send(self._connection, {"tag": self.tag, "outcome": outcome})
            return
        command = request.get("command") or self._program["run"]
        exit_info = self._execute([*command, *request["args"]], uid, limits, mode, streams)
        answer: dict[str, Any] = {"tag": self.tag, "outcome": self._build_outcome(exit_info, limits, mode)}
        if self._gvisor is not None:
            answer["retire"] = self._gvisor.count_tcp_connections() > 0
        fetched: list[int] = []
        if request["fetch"]:
            found = self._workspace.open_outputs(request["fetch"], limits["file_mb"])
            answer["parts"] = [(name, size) for name, size, _ in found]
            fetched += [descriptor for _, _, descriptor in found]
        if copy_target is not None:
            _copy_files(fetched, copy_target)
            fetched.clear()
        frames.close_descriptors(descriptors)
        descriptors.clear()
        frames.send(self._connection, answer, fetched)
        frames.close_descriptors(fetched)

    def _ensure_zygote(self, modules: tuple[str, ...]) -> None:
        """Start a zygote that has also imported `modules`; evict the least recently used one if necessary."""
        if modules in self._zygotes:
            return
        if len(self._zygotes) > MAX_EXTRA_ZYGOTES:
            oldest = next(key for key in self._zygotes if key)
            evicted = self._zygotes.pop(oldest)
            self._poll.unregister(evicted.socket)
            evicted.stop()
        zygote = Zygote([*self._modules, *modules], self._workspace.work, self._fail_at)
        zygote.wait_until_ready()
        self._zygotes[modules] = zygote
        self._poll.register(zygote.socket, select.POLLIN)
        self._children_when_idle = b"".join(b"%d " % one.pid for one in self._zygotes.values())

    def _choose_zygote(self, modules: tuple[str, ...]) -> None:
        self._zygote = self._zygotes[modules]
        if modules:
            self._zygotes[modules] = self._zygotes.pop(modules)  # the most recently used is the last

    def _list_zygote_pids(self) -> set[int]:
        return {zygote.pid for zygote in self._zygotes.values()}

    def _take_uid(self) -> int | None:
        if self._next_uid is None:
            return None
        self._next_uid += 1
        return int(self._next_uid)

    def _execute(
        self, command: Sequence[str], uid: int | None, limits: dict[str, Any], mode: Mode, streams: Sequence[int]
    ) -> ExitInfo:
        # The kernel's own CPU limit is only a backup: it ignores the allowance.
        cpu_limit_s = limits["cpu_time_s"] + self._allowance.max_s
        if self._gvisor is not None:
            cpu_limit_s *= GVISOR_CPU_LIMIT_FACTOR
        kernel_limits = limits | {"cpu_time_s": cpu_limit_s}
        packed = launch_spec.pack(str(self._workspace.work), command, self._environment, mode, uid, kernel_limits)
        kills_before = self._oom_kills.read()
        if self._gvisor is not None:
            self._memory_before_mb = self._gvisor.read_memory_mb()
        box_before = self._box_clock.read() - self._read_own_cpu_time_s()
        started_at = time.monotonic()
        self._zygote.start_child(packed, streams)
        self._cpu_wait_s, self._checked_at = 0.0, started_at
        stopped = self._enforce_limits(started_at, limits)
        report = self._zygote.read_report()
        ended_at = time.monotonic()
        cpu_time_s = report.cpu_time_s + self._reap_leftovers()
        exec_error = report.error if report.step is launch_spec.SetupStep.EXEC else 0
        # If the time limit is too short for any program to begin, the request is at fault, not the box.
        too_little_time = stopped in {"cpu", "wall"} and limits[f"{stopped}_time_s"] < MIN_START_TIME_S
        if report.failure and not exec_error and not too_little_time:
            raise BoxBroken(f"the program was not started: {report.failure}")
        if ended_at - started_at > BOX_CLOCK_MIN_RUN_S and self._box_clock.exists:
            cpu_time_s = max(cpu_time_s, self._box_clock.read() - self._read_own_cpu_time_s() - box_before)
        out_of_memory = (
            stopped == "memory"
            or self._oom_kills.read() > kills_before
            or (self._gvisor is not None and self._measure_memory_mb([]) > self._compute_memory_limit_mb(limits))
        )
        cpu_time_s = self._cap_cpu_time_s(cpu_time_s, ended_at - started_at)
        waited_s = self._cpu_wait_s + max(0.0, ended_at - self._checked_at - MAX_CHECK_DELAY_S)
        return ExitInfo(
            report.wait_status,
            cpu_time_s,
            ended_at - started_at,
            report.memory_mb,
            stopped,
            out_of_memory,
            waited_s,
            exec_error,
        )

    def _read_own_cpu_time_s(self) -> float:
        return time.process_time() + sum(map(usage.read_process_cpu_time_s, self._list_zygote_pids()))

    def _enforce_limits(self, started_at: float, limits: dict[str, Any]) -> str:
        """Enforce the limits until the zygote reports; return why the program was stopped, or an empty string."""
        stopped = ""
        next_look = started_at + min(
            limits["cpu_time_s"], max(0.0, limits["wall_time_s"] - FINAL_CHECK_LEAD_S), PAGES_CHECK_INTERVAL_S
        )
        pages_before: float | None = None
        while True:
            if self._watch_memory and not stopped:
                next_look = min(next_look, time.monotonic() + self._memory_check_interval_s)
            ready = dict(self._poll.poll(max(0.0, next_look - time.monotonic()) * 1000 + 0.5))
            if self._connection.fileno() in ready:
                # the only message a worker sends during a run is `kill`; otherwise the connection closed
                frames.receive(self._connection)
                stopped = stopped or "killed"
                next_look = self._kill_program()
            if self._zygote.socket.fileno() in ready:
                return stopped
            if stopped and time.monotonic() >= next_look:
                raise BoxBroken(f"the program did not end within {KILL_TIMEOUT_S:g} s of being killed")
            if not stopped and time.monotonic() >= next_look:
                stopped, left = self._check_limits(started_at, limits)
                pages = self._refaulted_pages.read()
                pages_before = pages if pages_before is None else pages_before
                if pages - pages_before > limits["memory_mb"] * PAGES_PER_MB or self._file_locks.is_over_limit():
                    stopped = stopped or "memory"
                next_look = self._kill_program() if stopped else time.monotonic() + min(left, PAGES_CHECK_INTERVAL_S)

    def _check_limits(self, started_at: float, limits: dict[str, Any]) -> tuple[str, float]:
        """Return the limit that is exceeded now, if any, and the seconds until the next one can be."""
        alive = self._find_program_pids()
        elapsed = time.monotonic() - started_at
        cpu = self._cap_cpu_time_s(sum(map(usage.read_process_cpu_time_s, alive)), elapsed)
        if self._watch_memory and self._measure_memory_mb(alive) > self._compute_memory_limit_mb(limits):
            return "memory", 0.0
        cpu_limit, wall_limit = limits["cpu_time_s"], limits["wall_time_s"]
        if cpu >= cpu_limit or elapsed >= wall_limit:
            cpu_limit, wall_limit = (limit + self._allowance.read_s() for limit in (cpu_limit, wall_limit))
        if cpu >= cpu_limit:
            return "cpu", 0.0
        waited = min(max(map(usage.read_cpu_wait_s, alive), default=0.0), elapsed)
        self._cpu_wait_s, self._checked_at = max(waited, self._cpu_wait_s), started_at + elapsed
        wall_left = wall_limit - (elapsed - waited)
        if wall_left <= 0 or elapsed > wall_limit * MAX_WALL_TIME_FACTOR:
            return "wall", 0.0
        unwatched = (
            wall_left - FINAL_CHECK_LEAD_S if wall_left > FINAL_CHECK_LEAD_S + MIN_CHECK_INTERVAL_S else wall_left
        )
        return "", max(MIN_CHECK_INTERVAL_S, min(cpu_limit - cpu, unwatched))

    def _is_over_limit(self, time_s: float, limit_s: float) -> bool:
        return time_s > limit_s and time_s > limit_s + self._allowance.read_s()

    def _cap_cpu_time_s(self, counted_s: float, elapsed_s: float) -> float:
        """Cap the CPU time on gVisor, which counts all the time a process is ready to run, even without a CPU."""
        return min(counted_s, elapsed_s * self._cpus) if self._gvisor is not None else counted_s

    def _measure_memory_mb(self, pids: Sequence[int]) -> float:
        if self._gvisor is not None:
            return self._gvisor.read_memory_mb() - self._memory_before_mb
        return sum(map(usage.read_resident_mb, pids))

    def _compute_memory_limit_mb(self, limits: dict[str, Any]) -> float:
        """Return the memory limit. On gVisor the measured memory includes the program's executable, so its size is
        added.
        """
        if self._gvisor is None:
            return float(limits["memory_mb"])
        return float(limits["memory_mb"] + (self._workspace.measure_build_outputs() >> 20))

    def _find_program_pids(self) -> list[int]:
        """Return the processes of the program: descendants of the zygotes, and orphans adopted by this process."""
        zygote_pids = self._list_zygote_pids()
        return [pid for pid in usage.list_descendants(os.getpid()) if pid not in zygote_pids]

    def _kill_program(self) -> float:
        """Kill every process except the supervisor and the zygotes; return the deadline by which they must be dead."""
        for pid in self._find_program_pids():
            _kill(pid)
        self._kill_uid()
        return time.monotonic() + KILL_TIMEOUT_S

    def _kill_uid(self) -> None:
        """Kill by uid on gVisor, where listing processes takes longer than forking a process that kills them."""
        if self._gvisor is not None and self._next_uid is not None:
            kill_user_processes(self._next_uid)

    def _reap_leftovers(self) -> float:
        """Kill and reap every process that outlived the child; return the CPU seconds they used."""
        if self._gvisor is not None and os.getpid() != INIT_PID:
            self._kill_uid()  # gVisor hands orphans to the first process and ignores the child subreaper
        if self._children_file.read_bytes() == self._children_when_idle:
            return 0.0
        zygote_pids = self._list_zygote_pids()
        used = 0.0
        deadline = time.monotonic() + KILL_TIMEOUT_S
        while True:
            left = [pid for pid in usage.list_children(os.getpid()) if pid not in zygote_pids]
            if not left:
                return used
            self._kill_uid()
            for pid in left:
                for victim in [pid, *usage.list_descendants(pid)]:
                    _kill(victim)
                reaped, _, resources = os.wait4(pid, os.WNOHANG)
                if reaped:
                    used += resources.ru_utime + resources.ru_stime
            if time.monotonic() > deadline:
                raise BoxBroken(f"{len(left)} processes did not end within {KILL_TIMEOUT_S:g} s of being killed")

    def _build_outcome(self, exit_info: ExitInfo, limits: dict[str, Any], mode: Mode) -> dict[str, Any]:
        signalled = os.WIFSIGNALED(exit_info.wait_status)
        outcome: dict[str, Any] = {
            "exit_code": None if signalled else os.WEXITSTATUS(exit_info.wait_status),
            "signal": os.WTERMSIG(exit_info.wait_status) if signalled else None,
            "cpu_time_s": round(exit_info.cpu_time_s, 6),
            "wall_time_s": round(exit_info.wall_time_s, 6),
            "memory_mb": round(exit_info.memory_mb, 3),
            "stopped": exit_info.stop_reason,
            "message": "",
        }
        if exit_info.exec_error:
            return outcome | {"status": Status.INTERNAL_ERROR, "exec_error": exit_info.exec_error}
        # The peak resident size of an exec'd program starts at that of the zygote it was forked from.
        resident = exit_info.memory_mb
        if mode is Mode.EXEC and resident > limits["memory_mb"] and resident <= self._zygote.resident_mb * 1.05:
            resident = 0.0
        over_cpu = exit_info.stop_reason == "cpu" or self._is_over_limit(exit_info.cpu_time_s, limits["cpu_time_s"])
        spent_s = exit_info.wall_time_s - exit_info.cpu_wait_s
        over_wall = exit_info.stop_reason == "wall" or self._is_over_limit(spent_s, limits["wall_time_s"])
        if exit_info.out_of_memory or resident > self._compute_memory_limit_mb(limits):
            outcome["status"] = Status.MEMORY_LIMIT_EXCEEDED
        elif over_cpu or over_wall:
            outcome["status"] = Status.TIME_LIMIT_EXCEEDED
            outcome["message"] = "CPU time" if over_cpu and exit_info.stop_reason != "wall" else "wall time"
        elif signalled or outcome["exit_code"] != 0:
            outcome["status"] = Status.RUNTIME_ERROR
        else:
            outcome["status"] = Status.OK
        return outcome


def _copy_files(sources: Sequence[int], target: int) -> None:
    """Append the files to `target` one after the other, and close them."""
    for source in sources:
        while content := os.read(source, COPY_CHUNK_BYTES):
            frames.write_all(target, content)
        os.close(source)


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Options(NamedTuple):
    """The options that the engine passes to a supervisor, as JSON in its only argument."""

    connect: str = ""  # the Unix socket the worker listens on, or
    descriptor: int = -1  # the inherited socket to the worker
    root: str = "/box"  # holds programs and their work directories
    shared: Sequence[str] = ("/tmp", "/dev/shm")  # writable places to clear between runs
    uid_base: int | None = None  # runs use the uids above this one; None: all runs share the supervisor's uid
    watch_memory: bool = False  # no cgroup limits memory, so the supervisor polls it
    cpus: float = 0.0  # that the box may use, if the engine limits them
    modules: Sequence[str] = ()  # for the zygote to import in advance
    fail_at: int = 0  # for tests: the `launch_spec.SetupStep` that fails for every child


def lock_memory() -> None:
    """Lock this process's pages in memory, so that a program that fills the box cannot evict them.

    The supervisor has to end such a program. Without CAP_IPC_LOCK it does so only slowly.
    """
    ctypes.CDLL(None).mlockall(MCL_CURRENT | MCL_ONFAULT)


def deny_pseudo_terminals() -> None:
    """Make pseudo-terminals unavailable: no cgroup counts their buffers, and the machine has few of them."""
    try:
        os.chmod("/dev/ptmx", 0o600)
    except OSError:  # the device does not exist
        return


def close_descriptors_on_exec() -> None:
    """Make sure that no inherited descriptor is passed on to child processes."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > sys.stderr.fileno():
                os.set_inheritable(int(name), False)
        except OSError:  # the descriptor of the listing itself, which is closed by now
            continue


def send_broken(connection: socket.socket, error: Exception) -> None:
    """Tell the worker why the box ends, if it is still listening."""
    try:
        connection.setblocking(False)
        frames.send(connection, {"broken": str(error)})
    except frames.FrameError:
        return


def main() -> NoReturn:
    """Serve until the worker disconnects, then exit with 0; exit with 1 if the box broke."""
    options = Options(**json.loads(sys.argv[1]))
    close_descriptors_on_exec()
    lock_memory()
    if options.connect:
        deny_pseudo_terminals()  # the container's own; other boxes have no such device, or only the machine's
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(options.connect)
    else:
        connection = socket.socket(fileno=options.descriptor)
    os.umask(0o022)
    try:
        Supervisor(connection, options).serve()
    except frames.ConnectionClosed:
        os._exit(0)
    except (BoxBroken, CleanupFailed, frames.FrameError) as error:
        print(f"box broken: {error}", file=sys.stderr, flush=True)
        send_broken(connection, error)
    os._exit(1)
