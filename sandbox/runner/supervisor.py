"""The trusted process of a box: it loads a program, runs it test by test, and leaves nothing of it behind.

Theory of operation. The supervisor is the first process of the box and the only one besides the zygote that outlives
a run. It talks frames with the worker over one connection, made before any program ran and inherited by none. For
each run it takes the next uid, lays out a fresh work directory, and passes the zygote a job and the run's pipe ends,
which the worker made: no byte of stdin, stdout or stderr comes through here. It then sleeps until the zygote says
that the child has ended, waking only to hold the limits:

* CPU time of the whole tree, from process clocks, so that a fork buys no extra time;
* wall time less the time its processes waited for a free CPU, so that a busy machine changes no verdict;
* the worker's word `kill` (the output grew too large), or the worker's end, upon which the box ends too.

Then it kills whatever is left, which it recognises by descent and not by name, answers, and clears every writable
place while the worker already judges. What cannot be killed or cleared makes the supervisor exit, and the worker
replace the box: no run ever starts in a box that is not proved clean. Out-of-memory kills are counted by the kernel
(cgroup); without a cgroup the resident memory is watched from here. A program whose own code no longer fits beside its
data is not killed by the kernel, which takes the code's pages away and reads them back for minutes: once it has read
back as much as its whole limit, it has used up its memory.
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

from sandbox.runner import frames, job, usage
from sandbox.runner.allowance import Allowance
from sandbox.runner.words import Mode, Status
from sandbox.runner.workspace import NotClean, Workspace

PR_SET_CHILD_SUBREAPER = 36
WALL_CEILING = 5.0  # however busy the machine, a run ends after this many times its wall limit
KILL_PATIENCE_S = 5.0
MAX_FILES_BYTES = 1 << 31
MORE_ZYGOTES = 2  # beside the first one: each has imported other modules, and holds their memory
SHORTEST_LOOK_S = 0.002
MEMORY_LOOK_S = 0.01
PAGES_LOOK_S = 0.5
MCL_CURRENT, MCL_ONFAULT = 1, 4
PAGES_PER_MB = (1 << 20) // os.sysconf("SC_PAGE_SIZE")
BOX_CLOCK_FROM_S = 0.02  # runs shorter than this cannot hide CPU time worth asking the cgroup for
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
}
ZYGOTE_CODE = "import sys; sys.path[0] = {path!r}; from sandbox.runner.zygote import main; main()"


class BoxBroken(Exception):
    """The box can no longer be trusted; the supervisor ends and the worker makes a new one."""


class Ending(NamedTuple):
    """How a child ended, as the kernel tells it."""

    wait_status: int
    cpu_time_s: float
    wall_time_s: float
    memory_mb: float
    stopped: str = ""
    out_of_memory: bool = False


class Zygote:
    """The warm interpreter as seen from here: one child at a time."""

    def __init__(self, modules: Sequence[str], directory: Path) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        quiet_read, quiet_write = os.pipe()  # its standard streams are pipes, as its children's will be
        package_parent = str(Path(__file__).resolve().parents[2])
        theirs.set_inheritable(True)
        # Not `subprocess`: to import it costs every box 0.9 MB.
        self.pid = os.posix_spawn(
            "/usr/bin/python3",
            ["python3", "-c", ZYGOTE_CODE.format(path=package_parent), str(theirs.fileno()), str(directory), *modules],
            {**ENVIRONMENT, "HOME": str(directory)},
            file_actions=[(os.POSIX_SPAWN_DUP2, quiet_read, 0), (os.POSIX_SPAWN_DUP2, quiet_write, 1)],
            setsid=True,
        )
        frames.close_all([quiet_read, quiet_write])
        theirs.close()
        self.socket = ours

    @property
    def resident_mb(self) -> float:
        return usage.resident_mb(self.pid)

    def start(self, packed_job: bytes, streams: Sequence[int]) -> None:
        descriptor = os.memfd_create("job", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, packed_job)
            rights = array.array("i", [descriptor, *streams])
            self.socket.sendmsg([b"run"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError as error:
            raise BoxBroken(f"zygote gone: {error}") from error
        finally:
            os.close(descriptor)

    def stop(self) -> None:
        self.socket.close()
        _kill(self.pid)
        os.waitpid(self.pid, 0)

    def wait_until_ready(self) -> None:
        """So that no program's wall time or memory has our start in it."""
        if not self.socket.recv(64):
            raise BoxBroken("zygote did not start")

    def report(self) -> job.Report:
        content = self.socket.recv(64)
        if not content:
            raise BoxBroken("zygote ended")
        return job.unpack_report(content)


class Supervisor:
    """Serves one worker on `connection` until it goes away."""

    def __init__(self, connection: socket.socket, options: Options) -> None:
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._connection = connection
        self._workspace = Workspace(Path(options.root), [Path(place) for place in options.shared])
        self._next_uid = options.uid_base
        self._watch_memory = options.watch_memory
        self._modules = options.modules
        self._zygote = Zygote(options.modules, self._workspace.work)
        self._zygotes: dict[tuple[str, ...], Zygote] = {(): self._zygote}
        self._memory_kills = usage.out_of_memory_kills()
        self._pages_read_back = usage.pages_read_back()
        self._box_clock = usage.box_cpu_time_s()
        self._children = usage.KernelFile(Path(f"/proc/self/task/{os.getpid()}/children"))
        self._zygotes_alone = b"%d " % self._zygote.pid
        self._program: dict[str, Any] = {}
        self._allowance = Allowance()
        self._environment = ""
        self.tag = ""  # of the request that is being served: comes back with its answer
        self._poll = select.poll()
        self._poll.register(self._zygote.socket, select.POLLIN)
        self._poll.register(connection, select.POLLIN)

    def serve(self) -> None:
        self._zygote.wait_until_ready()
        frames.send(self._connection, {"ready": True, "counts_memory": self._memory_kills.there, "pid": os.getpid()})
        while True:
            request, payload, descriptors = frames.receive(self._connection)
            self.tag = request.get("tag", "")
            try:
                if "program" in request:
                    self._take_program(request["program"], payload, descriptors, request["streams"])
                if request["do"] == "compile":
                    self._compile(request["limits"], descriptors)
                elif request["do"] == "run":
                    self._run(request, payload, descriptors)
                elif request["do"] == "warm":
                    self._warm(tuple(request["modules"]))
                    frames.send(self._connection, {"warm": True})
                elif request["do"] == "settle":
                    if request["forget"]:
                        self._workspace.load({})
                    frames.send(self._connection, {"settled": True})
            finally:
                frames.close_all(descriptors)
            self._workspace.clear()

    def _take_program(self, program: dict[str, Any], payload: bytes, descriptors: list[int], streams: int) -> None:
        if program["inline"]:
            parts = frames.split(payload, program["parts"])
        else:
            parts = frames.unpack(descriptors[streams], program["parts"], MAX_FILES_BYTES)
            os.close(descriptors.pop(streams))
        self._program = program
        variables = {**ENVIRONMENT, "HOME": str(self._workspace.work), **program["environment"]}
        self._environment = job.environment_block(variables)
        self._workspace.load(parts, program["keep"])

    def _compile(self, limits: dict[str, Any], descriptors: list[int]) -> None:
        self._allowance = Allowance()
        uid = self._take_uid()
        self._choose_zygote(())
        self._workspace.prepare(uid, {}, with_kept=False)
        ending = self._execute(self._program["compile"], uid, limits, Mode.EXEC, descriptors)
        outcome = self._outcome(ending, limits, Mode.EXEC)
        if outcome["status"] == Status.OK and not self._workspace.keep(self._program["keep"]):
            outcome.update(status=Status.RUNTIME_ERROR, message="the compiler left no program")
        frames.close_all(descriptors)
        descriptors.clear()
        frames.send(self._connection, {"tag": self.tag, "outcome": outcome, "kept_bytes": self._workspace.kept_bytes()})

    def _run(self, request: dict[str, Any], payload: bytes, descriptors: list[int]) -> None:
        limits, mode = request["limits"], Mode(request["mode"])
        self._choose_zygote(tuple(request.get("warm", ())))
        streams, rest = descriptors[: request["streams"]], descriptors[request["streams"] :]
        self._allowance = Allowance(rest[-1] if request.get("allowance") else None)
        files = frames.unpack(rest[0], request["parts"], MAX_FILES_BYTES) if "parts" in request else {}
        uid = self._take_uid()
        self._workspace.prepare(uid, files)
        command = request.get("command") or self._program["run"]
        ending = self._execute([*command, *request["args"]], uid, limits, mode, streams)
        answer: dict[str, Any] = {"tag": self.tag, "outcome": self._outcome(ending, limits, mode)}
        fetched: list[int] = []
        if request["fetch"]:
            found = self._workspace.fetch(request["fetch"], limits["file_mb"])
            answer["parts"] = [(name, size) for name, size, _ in found]
            fetched += [descriptor for _, _, descriptor in found]
        frames.close_all(descriptors)
        descriptors.clear()
        frames.send(self._connection, answer, fetched)
        frames.close_all(fetched)

    def _warm(self, modules: tuple[str, ...]) -> None:
        """Start a zygote that has imported `modules` too; the longest unused one makes room for it."""
        if modules in self._zygotes:
            return
        if len(self._zygotes) > MORE_ZYGOTES:
            oldest = next(key for key in self._zygotes if key)
            gone = self._zygotes.pop(oldest)
            self._poll.unregister(gone.socket)
            gone.stop()
        zygote = Zygote([*self._modules, *modules], self._workspace.work)
        zygote.wait_until_ready()
        self._zygotes[modules] = zygote
        self._poll.register(zygote.socket, select.POLLIN)
        self._zygotes_alone = b"".join(b"%d " % one.pid for one in self._zygotes.values())

    def _choose_zygote(self, modules: tuple[str, ...]) -> None:
        self._zygote = self._zygotes[modules]
        if modules:
            self._zygotes[modules] = self._zygotes.pop(modules)  # the most recently used is the last

    def _zygote_pids(self) -> set[int]:
        return {zygote.pid for zygote in self._zygotes.values()}

    def _take_uid(self) -> int | None:
        if self._next_uid is None:
            return None
        self._next_uid += 1
        return int(self._next_uid)

    def _execute(
        self, command: Sequence[str], uid: int | None, limits: dict[str, Any], mode: Mode, streams: Sequence[int]
    ) -> Ending:
        # The kernel's own limit of CPU time is the second line: it knows of no allowance.
        kernel_limits = {**limits, "cpu_time_s": limits["cpu_time_s"] + self._allowance.most_s}
        packed = job.pack(str(self._workspace.work), command, self._environment, mode, uid, kernel_limits)
        kills_before = self._memory_kills.read()
        box_before = self._box_clock.read() - self._own_cpu_time_s()
        began = time.monotonic()
        self._zygote.start(packed, streams)
        stopped = self._watch(began, limits)
        report = self._zygote.report()
        ended = time.monotonic()
        cpu_time_s = report.cpu_time_s + self._sweep()
        if ended - began > BOX_CLOCK_FROM_S and self._box_clock.there:
            cpu_time_s = max(cpu_time_s, self._box_clock.read() - self._own_cpu_time_s() - box_before)
        out_of_memory = stopped == "memory" or self._memory_kills.read() > kills_before
        return Ending(report.wait_status, cpu_time_s, ended - began, report.memory_mb, stopped, out_of_memory)

    def _own_cpu_time_s(self) -> float:
        return time.process_time() + sum(map(usage.process_cpu_time_s, self._zygote_pids()))

    def _watch(self, began: float, limits: dict[str, Any]) -> str:
        """Hold the limits until the zygote reports; return why the program was stopped, or an empty string."""
        stopped = ""
        next_look = began + min(limits["cpu_time_s"], limits["wall_time_s"], PAGES_LOOK_S)
        pages_before: float | None = None
        while True:
            if self._watch_memory and not stopped:
                next_look = min(next_look, time.monotonic() + MEMORY_LOOK_S)
            ready = dict(self._poll.poll(max(0.0, next_look - time.monotonic()) * 1000 + 0.5))
            if self._connection.fileno() in ready:
                frames.receive(self._connection)  # the one word a worker says during a run, or its end
                stopped = stopped or "killed"
                next_look = self._kill_all()
            if self._zygote.socket.fileno() in ready:
                return stopped
            if stopped and time.monotonic() >= next_look:
                raise BoxBroken("a killed program does not die")
            if not stopped and time.monotonic() >= next_look:
                stopped, left = self._look(began, limits)
                pages = self._pages_read_back.read()
                pages_before = pages if pages_before is None else pages_before
                if pages - pages_before > limits["memory_mb"] * PAGES_PER_MB:
                    stopped = stopped or "memory"
                next_look = self._kill_all() if stopped else time.monotonic() + min(left, PAGES_LOOK_S)

    def _look(self, began: float, limits: dict[str, Any]) -> tuple[str, float]:
        """Which limit is exceeded now, if any; else the seconds until one can be."""
        alive = self._alive()
        elapsed = time.monotonic() - began
        cpu = sum(map(usage.process_cpu_time_s, alive))
        if self._watch_memory and sum(map(usage.resident_mb, alive)) > limits["memory_mb"]:
            return "memory", 0.0
        cpu_limit, wall_limit = limits["cpu_time_s"], limits["wall_time_s"]
        if cpu >= cpu_limit or elapsed >= wall_limit:
            cpu_limit, wall_limit = (limit + self._allowance.read_s() for limit in (cpu_limit, wall_limit))
        if cpu >= cpu_limit:
            return "cpu", 0.0
        waited = min(max(map(usage.waited_for_cpu_s, alive), default=0.0), elapsed)
        wall_left = wall_limit - (elapsed - waited)
        if wall_left <= 0 or elapsed > wall_limit * WALL_CEILING:
            return "wall", 0.0
        return "", max(SHORTEST_LOOK_S, min(cpu_limit - cpu, wall_left))

    def _exceeds(self, cpu_time_s: float, limits: dict[str, Any]) -> bool:
        limit: float = limits["cpu_time_s"]
        return cpu_time_s > limit and cpu_time_s > limit + self._allowance.read_s()

    def _alive(self) -> list[int]:
        """The processes of the program: the zygote's descendants, and those whose parents have ended, which are ours
        now.
        """
        ours = self._zygote_pids()
        return [pid for pid in usage.descendants(os.getpid()) if pid not in ours]

    def _kill_all(self) -> float:
        """Kill all that runs besides us and the zygote; return when it must be dead."""
        for pid in self._alive():
            _kill(pid)
        return time.monotonic() + KILL_PATIENCE_S

    def _sweep(self) -> float:
        """Kill and reap what outlived the child until nothing is left; return the CPU seconds it had used."""
        if self._children.read_bytes() == self._zygotes_alone:
            return 0.0
        ours = self._zygote_pids()
        used = 0.0
        patience = time.monotonic() + KILL_PATIENCE_S
        while True:
            left = [pid for pid in usage.children(os.getpid()) if pid not in ours]
            if not left:
                return used
            for pid in left:
                for victim in [pid, *usage.descendants(pid)]:
                    _kill(victim)
                reaped, _, resources = os.wait4(pid, os.WNOHANG)
                if reaped:
                    used += resources.ru_utime + resources.ru_stime
            if time.monotonic() > patience:
                raise BoxBroken(f"{len(left)} processes do not die")

    def _outcome(self, ending: Ending, limits: dict[str, Any], mode: Mode) -> dict[str, Any]:
        signalled = os.WIFSIGNALED(ending.wait_status)
        outcome: dict[str, Any] = {
            "exit_code": None if signalled else os.WEXITSTATUS(ending.wait_status),
            "signal": os.WTERMSIG(ending.wait_status) if signalled else None,
            "cpu_time_s": round(ending.cpu_time_s, 6),
            "wall_time_s": round(ending.wall_time_s, 6),
            "memory_mb": round(ending.memory_mb, 3),
            "stopped": ending.stopped,
            "message": "",
        }
        # An exec'd program's peak resident size begins with the zygote's, which it was forked from.
        resident = ending.memory_mb
        if mode is Mode.EXEC and resident > limits["memory_mb"] and resident <= self._zygote.resident_mb * 1.05:
            resident = 0.0
        if ending.out_of_memory or resident > limits["memory_mb"]:
            outcome["status"] = Status.MEMORY_LIMIT_EXCEEDED
        elif ending.stopped in {"cpu", "wall"} or self._exceeds(ending.cpu_time_s, limits):
            outcome["status"] = Status.TIME_LIMIT_EXCEEDED
            outcome["message"] = "wall time" if ending.stopped == "wall" else "CPU time"
        elif signalled or outcome["exit_code"] != 0:
            outcome["status"] = Status.RUNTIME_ERROR
        else:
            outcome["status"] = Status.OK
        return outcome


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


class Options(NamedTuple):
    """What the engine says to the supervisor it starts, as JSON in its one argument."""

    connect: str = ""  # the unix socket the worker listens on, or
    descriptor: int = -1  # the inherited socket to the worker
    root: str = "/box"  # for programs and their work
    shared: Sequence[str] = ("/tmp", "/dev/shm")  # writable places to keep empty
    uid_base: int | None = None  # uids above this one are ours to use; None: all runs share our uid
    watch_memory: bool = False  # no cgroup limits memory: watch it from here
    modules: Sequence[str] = ()  # for the zygote to import beforehand


def stay_in_memory() -> None:
    """No page of ours is taken away for what a program fills the box with: we are who ends it then, and without the
    right to that (CAP_IPC_LOCK) we are slow to.
    """
    ctypes.CDLL(None).mlockall(MCL_CURRENT | MCL_ONFAULT)


def keep_to_ourselves() -> None:
    """No descriptor we were started with goes on to a process that we start."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > sys.stderr.fileno():
                os.set_inheritable(int(name), False)
        except OSError:  # the listing's own, closed by now
            continue


def main() -> NoReturn:
    """Serve until the worker goes away; exit 0 then, 1 when the box broke."""
    options = Options(**json.loads(sys.argv[1]))
    keep_to_ourselves()
    stay_in_memory()
    if options.connect:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        connection.connect(options.connect)
    else:
        connection = socket.socket(fileno=options.descriptor)
    os.umask(0o022)
    try:
        Supervisor(connection, options).serve()
    except frames.ConnectionClosed:
        os._exit(0)
    except (BoxBroken, NotClean, frames.FrameError) as error:
        print(f"box broken: {error}", file=sys.stderr, flush=True)
    os._exit(1)
