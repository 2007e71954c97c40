"""Boxes without a container engine: the same supervisor behind the strongest walls this host gives an ordinary process.

What the host gives is found out by trying it once, when the engine is made (`namespaces.probe`); what it does not
give is said in words. A box is one launcher process of ours (`sandbox.runner.namespaces`) and what it started. Images
do not exist here: a box has the compilers and interpreters of the host.
"""

from __future__ import annotations

import json
import logging
import os
import pwd
import select
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from sandbox.box import local_cgroup
from sandbox.box.cgroup import MIB, MemoryGroup
from sandbox.box.docker_engine import CAPABILITIES, MEMORY_SLACK_BYTES, PRELOADED
from sandbox.box.local_cgroup import BoxCgroup
from sandbox.box.local_runner import PYTHON, installed_runner
from sandbox.box.uids import UIDS_PER_BOX, UidBlock
from sandbox.config import WorkerSettings
from sandbox.errors import BoxError, EngineUnavailable

logger = logging.getLogger(__name__)

SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
START_PATIENCE_S = 10.0
END_PATIENCE_S = 10.0
FIRST_LENT_UID = 1_000  # in a user namespace of 65536 ids
LAUNCH = "import sys; sys.path[0] = sys.argv.pop(1); from sandbox.runner.namespaces import main; main()"
WITHOUT_NAMESPACE = {
    "mount": "file system: programs see the files of this machine and may write wherever their user may, /tmp included",
    "pid": "processes: programs see the other processes of this machine",
    "network": "network: closed by a system-call filter alone; programs may still talk to this machine's unix sockets",
    "ipc": "shared memory: programs see the machine's own",
    "uts": "host name: programs see the machine's own",
}
ONE_USER = (
    "users: all programs of a box run as one user, so one may end its own box or leave files in it for a moment;"
    " install newuidmap (`apt install uidmap`) and give this user a range in /etc/subuid and /etc/subgid"
)
NO_CGROUP = (
    "memory, process and CPU limits by the kernel (cgroup): memory is watched every 10 ms instead, processes are"
    " limited per user, CPUs not at all; run the worker as root on a machine whose /sys/fs/cgroup can be written,"
    " or use Docker"
)
SWITCHES = {
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl kernel.unprivileged_userns_clone=1"),
    "/proc/sys/user/max_user_namespaces": ("0", "sysctl user.max_user_namespaces=10000"),
}


@dataclass(frozen=True, slots=True)
class Host:
    """What this host gives a local box, as `namespaces.probe` found it."""

    kinds: tuple[str, ...]
    ids: str
    uids: list[list[int]] = field(default_factory=list)

    def missing(self) -> list[str]:
        walls = [words for kind, words in WITHOUT_NAMESPACE.items() if kind not in self.kinds]
        if walls:
            walls[0] += f"; {what_to_do()}"
        return [*walls, ONE_USER] if self.ids == "one" else walls

    def uid_base(self, uids: UidBlock, started: int, needed: int) -> int | None:
        """Uids above this one are the box's own; None where the host lends no uid for each of `needed` runs."""
        if self.ids == "one":
            return None
        end = max((first + count for first, count in self.uids), default=0) if self.ids != "range" else UIDS_PER_BOX
        base = uids.base(started)
        if base + UIDS_PER_BOX <= end:
            return base
        return FIRST_LENT_UID if FIRST_LENT_UID + needed < end else None


class LocalEngine:
    """Starts boxes for one slot of one worker; see `engine.Engine`."""

    def __init__(self, settings: WorkerSettings, slot: int) -> None:
        self._settings = settings
        self._slot = slot
        self._started = 0
        self._up: set[LocalWalls] = set()
        self._place = settings.home / "local" / "root"
        try:
            self._place.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineUnavailable(f"{self._place} cannot be made: {error}; set SANDBOX_HOME") from error
        self._runner = installed_runner(settings.home / "local")
        local_cgroup.remove_orphans()
        self._uids = UidBlock()

    @cached_property
    def host(self) -> Host:
        return self._probe()

    def start(self, image: str) -> LocalWalls:
        host = self.host
        cgroup = BoxCgroup.make(self._settings, self._slot)
        folder = None if "mount" in host.kinds else Path(tempfile.mkdtemp(prefix=f"sandbox-{self._slot}-"))
        if folder is not None:
            folder.chmod(0o711)
        plan = {
            **self._plan(),
            "kinds": host.kinds,
            "ids": host.ids,
            "probe": False,
            "cgroups": [str(one) for one in cgroup.folders] if cgroup else [],
            "folder": folder and str(folder),
        }
        if cgroup is not None:
            plan["tree"]["shown"] += cgroup.shown
        options = self._supervisor_options(folder, watch_memory=cgroup is None)
        walls = LocalWalls(self._command(), plan, options, cgroup, self._up.discard)
        self._up.add(walls)
        return walls

    def lacks(self, tool: str) -> bool:
        return shutil.which(tool, path=SEARCH_PATH) is None

    def lacks_image(self, image: str) -> bool:
        return False  # its boxes have the machine's own programs

    def missing_walls(self) -> list[str]:
        walls = self.host.missing()
        if ONE_USER not in walls and self.host.uid_base(self._uids, 0, self._settings.box_max_runs) is None:
            walls.append(ONE_USER)
        cgroup = BoxCgroup.make(self._settings, self._slot)
        if cgroup is None:
            return [*walls, NO_CGROUP]
        cgroup.remove()
        return [*walls, *(f"{wall} limit: the kernel's cgroups do not offer it" for wall in cgroup.lacking)]

    def close(self) -> None:
        for walls in list(self._up):
            walls.destroy()
        self._uids.close()

    def _supervisor_options(self, folder: Path | None, watch_memory: bool) -> dict[str, Any]:
        options: dict[str, Any] = {"modules": PRELOADED, "watch_memory": watch_memory}
        base = self.host.uid_base(self._uids, self._started, self._settings.box_max_runs)
        self._started += 1
        if base is not None:
            options["uid_base"] = base
        if folder is not None:
            options |= {"root": str(folder), "shared": []}
        return options

    def _command(self) -> list[str]:
        return [PYTHON, "-I", "-S", "-c", LAUNCH, str(self._runner)]

    def _plan(self) -> dict[str, Any]:
        return {
            "place": str(self._place),
            "tree": {"tmpfs_mb": self._settings.box_tmpfs_mb, "shown": [], "runner": str(self._runner)},
            "capabilities": CAPABILITIES,
            "lent_uids": _lent("/etc/subuid"),
            "lent_gids": _lent("/etc/subgid"),
            "cgroups": [],
            "folder": None,
        }

    def _probe(self) -> Host:
        plan = {**self._plan(), "probe": True}
        try:
            done = subprocess.run(
                self._command(), input=json.dumps(plan), capture_output=True, text=True, timeout=START_PATIENCE_S
            )
            found = json.loads(done.stdout)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineUnavailable(f"the local engine cannot be tried: {error}") from error
        except ValueError as error:
            raise EngineUnavailable(f"the local engine does not work here: {done.stderr[-500:]}") from error
        if not found["works"]:
            raise EngineUnavailable(f"no local box can be started here: {found['reasons']}; use Docker")
        return Host(tuple(found["kinds"]), found["ids"], found["uids"])


class LocalWalls:
    """One launcher and the box it holds; see `engine.Walls`."""

    def __init__(
        self,
        command: list[str],
        plan: dict[str, Any],
        supervisor_options: dict[str, Any],
        cgroup: BoxCgroup | None,
        on_destroy: Callable[[LocalWalls], None],
    ) -> None:
        self._cgroup = cgroup
        self._on_destroy = on_destroy
        self._own_bytes = 0
        self._launcher: subprocess.Popen[bytes] | None = None
        self._group: MemoryGroup | None = None
        self.connection, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        leash, self._leash = os.pipe()
        self._said = os.memfd_create("words")
        planned = os.memfd_create("plan")
        given = {"connection": theirs.fileno(), "leash": leash}
        plan = {**plan, **given, "supervisor": [json.dumps({"descriptor": theirs.fileno(), **supervisor_options})]}
        try:
            os.pwrite(planned, json.dumps(plan).encode(), 0)
            self._launcher = subprocess.Popen(
                command,
                stdin=planned,
                stdout=subprocess.DEVNULL,
                stderr=self._said,
                pass_fds=list(given.values()),
                env={"PATH": f"{SEARCH_PATH}:/usr/sbin:/sbin", "LANG": "C.UTF-8"},
                start_new_session=True,
            )
            theirs.close()
            self._wait_until_up()
            self._group = None if cgroup is None else cgroup.memory()
        except (OSError, BoxError) as error:
            self.destroy()
            raise BoxError(f"a local box did not start: {error}") from error
        finally:
            theirs.close()
            os.close(leash)
            os.close(planned)

    def measure_own_memory(self) -> None:
        try:
            if self._group is not None:
                self._own_bytes = self._group.used_bytes() + MEMORY_SLACK_BYTES
        except OSError as error:
            raise BoxError(f"box gone: {error}") from error

    def limit_memory(self, memory_mb: int) -> None:
        if self._group is None:
            return  # the supervisor watches it
        if not self._own_bytes:
            self.measure_own_memory()
        try:
            self._group.limit(self._own_bytes + memory_mb * MIB)
        except OSError as error:
            raise BoxError(f"memory limit of {memory_mb} MiB refused: {error}") from error

    def begin_run(self) -> None:
        try:
            if self._group is not None:
                self._group.begin_run()
        except OSError as error:
            raise BoxError(f"box gone: {error}") from error

    def peak_memory_mb(self) -> float | None:
        try:
            return None if self._group is None else self._group.peak_mb()
        except OSError as error:
            raise BoxError(f"box gone: {error}") from error

    def ran_out_of_memory(self) -> bool:
        return self._group is not None and self._group.killed()

    def destroy(self) -> None:
        self.connection.close()
        if self._leash < 0:
            return
        os.close(self._leash)
        self._leash = -1
        if self._launcher is not None:
            _end(self._launcher)
        if self._group is not None:
            self._group.close()
            self._group = None
        if self._cgroup is not None:
            self._cgroup.remove()
        if words := self._words():
            logger.warning("a local box said: %s", words)
        os.close(self._said)
        self._on_destroy(self)

    def _words(self) -> str:
        """What the launcher and the supervisor wrote for us; programs have pipes of their own."""
        return os.pread(self._said, 2_000, 0).decode(errors="replace").strip()

    def _wait_until_up(self) -> None:
        """Until the supervisor speaks; raises BoxError with the launcher's words where it ends instead."""
        ready, _, _ = select.select([self.connection], [], [], START_PATIENCE_S)
        if ready and self.connection.recv(1, socket.MSG_PEEK):
            return
        raise BoxError(self._words() or f"no word of its supervisor within {START_PATIENCE_S:g} s")


def _end(launcher: subprocess.Popen[bytes]) -> None:
    """Wait for a launcher whose leash is loose; what it holds dies with it even where it has to be killed."""
    try:
        launcher.wait(END_PATIENCE_S)
    except subprocess.TimeoutExpired:
        launcher.kill()
        launcher.wait()


def missing_walls() -> list[str]:
    """What a local box of this host would lack, in words; empty when every wall is up. Raises EngineUnavailable."""
    with (
        tempfile.TemporaryDirectory(prefix="sandbox-") as home,
        closing(LocalEngine(WorkerSettings(home=Path(home), engine="local"), 0)) as engine,
    ):
        return engine.missing_walls()


def what_to_do() -> str:
    """How to get the namespaces that were refused."""
    for switch, (closed, command) in SWITCHES.items():
        if os.geteuid() != 0 and Path(switch).exists() and Path(switch).read_text().strip() == closed:
            return f"as root, `{command}` lets users have namespaces"
    return (
        "for namespaces run the worker as root,"
        " in a container also with `--privileged` or `--security-opt seccomp=unconfined`"
    )


def _lent(path: str) -> tuple[int, int] | None:
    """The range of ids that /etc/subuid or /etc/subgid lends our user."""
    try:
        name = pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        name = ""
    try:
        rows = [line.split(":") for line in Path(path).read_text().splitlines()]
    except OSError:
        return None
    for row in rows:
        if len(row) == 3 and row[0] in {name, str(os.geteuid())} and int(row[2]) >= UIDS_PER_BOX - 1:
            return int(row[1]), UIDS_PER_BOX - 1
    return None
