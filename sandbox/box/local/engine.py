"""Run boxes without a container engine: the same supervisor, with the strongest isolation an ordinary process can get.

On first use the engine probes which isolation layers the host supports (`launcher.probe`) and names those that are
missing. A box is one launcher process (`sandbox.runner.launcher.launcher`) and its children. There are no images: a box
uses the host's compilers and interpreters.
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

from sandbox.box.cgroup import MIB, MemoryCgroup
from sandbox.box.docker.engine import CAPABILITIES, MEMORY_SLACK_BYTES, PRELOADED_MODULES
from sandbox.box.local import cgroup as local_cgroup
from sandbox.box.local.cgroup import BoxCgroup
from sandbox.box.local.runner import PYTHON, install_runner
from sandbox.box.uids import UIDS_PER_BOX, UidBlock
from sandbox.config import WorkerSettings
from sandbox.errors import BoxError, EngineUnavailable

logger = logging.getLogger(__name__)

SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0
FIRST_SUBORDINATE_UID = 1_000  # in a user namespace of 65536 ids
LAUNCHER_BOOTSTRAP = (
    "import sys; sys.path[0] = sys.argv.pop(1); from sandbox.runner.launcher.launcher import main; main()"
)
MISSING_NAMESPACE_EFFECTS = {
    "mount": "file system: programs see the files of this machine and can write wherever their user can, even /tmp",
    "pid": "processes: programs see the other processes of this machine",
    "network": "network: blocked only by a system-call filter; programs can connect to this machine's Unix sockets",
    "ipc": "shared memory: programs see that of this machine",
    "uts": "host name: programs see that of this machine",
}
SINGLE_USER_MESSAGE = (
    "users: all programs of a box run as the same user, so a program can end its box or briefly leave files in it;"
    " install newuidmap (`apt install uidmap`) and give this user a range in /etc/subuid and /etc/subgid"
)
NO_CGROUP_MESSAGE = (
    "memory, process and CPU limits by the kernel (cgroup): memory is polled every 10 ms instead, processes are"
    " limited per user, CPUs not at all; run the worker as root on a machine with a writable /sys/fs/cgroup,"
    " or use Docker"
)
NAMESPACE_SYSCTLS = {
    "/proc/sys/kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "/proc/sys/kernel/unprivileged_userns_clone": ("0", "sysctl kernel.unprivileged_userns_clone=1"),
    "/proc/sys/user/max_user_namespaces": ("0", "sysctl user.max_user_namespaces=10000"),
}


@dataclass(frozen=True, slots=True)
class HostIsolation:
    """The isolation layers that this host offers a local box, as found by `launcher.probe`."""

    namespaces: tuple[str, ...]
    id_mapping: str
    uid_ranges: list[list[int]] = field(default_factory=list)

    def list_missing_isolation(self) -> list[str]:
        missing = [effect for kind, effect in MISSING_NAMESPACE_EFFECTS.items() if kind not in self.namespaces]
        if missing:
            missing[0] += f"; {suggest_namespace_fix()}"
        return [*missing, SINGLE_USER_MESSAGE] if self.id_mapping == "one" else missing

    def find_uid_base(self, uid_block: UidBlock, box_index: int, needed_uids: int) -> int | None:
        """Return the uid above which the box's uids start, or None if the host offers fewer than `needed_uids`."""
        if self.id_mapping == "one":
            return None
        end = (
            max((first + count for first, count in self.uid_ranges), default=0)
            if self.id_mapping != "range"
            else UIDS_PER_BOX
        )
        base = uid_block.compute_base(box_index)
        if base + UIDS_PER_BOX <= end:
            return base
        return FIRST_SUBORDINATE_UID if FIRST_SUBORDINATE_UID + needed_uids < end else None


class LocalEngine:
    """Starts boxes for one slot of one worker; implements `engine.Engine`."""

    def __init__(self, settings: WorkerSettings, slot: int) -> None:
        self._settings = settings
        self._slot = slot
        self._started_count = 0
        self._live_handles: set[LocalBoxHandle] = set()
        self._root_mount_point = settings.home / "local" / "root"
        try:
            self._root_mount_point.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise EngineUnavailable(
                f"cannot create {self._root_mount_point}: {error}; set SANDBOX_HOME to a writable folder"
            ) from error
        self._runner_folder = install_runner(settings.home / "local")
        local_cgroup.remove_orphans()
        self._uid_block = UidBlock()

    @cached_property
    def host(self) -> HostIsolation:
        return self._probe()

    def start(self, image: str) -> LocalBoxHandle:
        host = self.host
        cgroup = BoxCgroup.make(self._settings, self._slot)
        folder = None if "mount" in host.namespaces else Path(tempfile.mkdtemp(prefix=f"sandbox-{self._slot}-"))
        if folder is not None:
            folder.chmod(0o711)
        plan = {
            **self._build_plan(),
            "kinds": host.namespaces,
            "ids": host.id_mapping,
            "probe": False,
            "cgroups": [str(one) for one in cgroup.folders] if cgroup else [],
            "folder": folder and str(folder),
        }
        if cgroup is not None:
            plan["tree"]["shown"] += cgroup.bind_mounts
        options = self._build_supervisor_options(folder, watch_memory=cgroup is None)
        handle = LocalBoxHandle(self._build_command(), plan, options, cgroup, self._live_handles.discard)
        self._live_handles.add(handle)
        return handle

    def lacks(self, tool: str) -> bool:
        return shutil.which(tool, path=SEARCH_PATH) is None

    def lacks_image(self, image: str) -> bool:
        return False  # its boxes use the host's programs

    def list_missing_isolation(self) -> list[str]:
        missing = self.host.list_missing_isolation()
        if (
            SINGLE_USER_MESSAGE not in missing
            and self.host.find_uid_base(self._uid_block, 0, self._settings.box_max_runs) is None
        ):
            missing.append(SINGLE_USER_MESSAGE)
        cgroup = BoxCgroup.make(self._settings, self._slot)
        if cgroup is None:
            return [*missing, NO_CGROUP_MESSAGE]
        cgroup.remove()
        return [*missing, *(f"{limit} limit: not supported by the kernel's cgroups" for limit in cgroup.missing_limits)]

    def close(self) -> None:
        for handle in list(self._live_handles):
            handle.destroy()
        self._uid_block.close()

    def _build_supervisor_options(self, folder: Path | None, watch_memory: bool) -> dict[str, Any]:
        options: dict[str, Any] = {"modules": PRELOADED_MODULES, "watch_memory": watch_memory}
        base = self.host.find_uid_base(self._uid_block, self._started_count, self._settings.box_max_runs)
        self._started_count += 1
        if base is not None:
            options["uid_base"] = base
        if folder is not None:
            options |= {"root": str(folder), "shared": []}
        return options

    def _build_command(self) -> list[str]:
        return [PYTHON, "-I", "-S", "-c", LAUNCHER_BOOTSTRAP, str(self._runner_folder)]

    def _build_plan(self) -> dict[str, Any]:
        return {
            "place": str(self._root_mount_point),
            "tree": {"tmpfs_mb": self._settings.box_tmpfs_mb, "shown": [], "runner": str(self._runner_folder)},
            "capabilities": CAPABILITIES,
            "lent_uids": _read_subordinate_ids("/etc/subuid"),
            "lent_gids": _read_subordinate_ids("/etc/subgid"),
            "cgroups": [],
            "folder": None,
        }

    def _probe(self) -> HostIsolation:
        plan = {**self._build_plan(), "probe": True}
        try:
            done = subprocess.run(
                self._build_command(), input=json.dumps(plan), capture_output=True, text=True, timeout=START_TIMEOUT_S
            )
            found = json.loads(done.stdout)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineUnavailable(f"cannot probe the local engine: {error}") from error
        except ValueError as error:
            raise EngineUnavailable(f"the local engine does not work on this machine: {done.stderr[-500:]}") from error
        if not found["works"]:
            raise EngineUnavailable(f"cannot start local boxes on this machine: {found['reasons']}; use Docker")
        return HostIsolation(tuple(found["kinds"]), found["ids"], found["uids"])


class LocalBoxHandle:
    """A launcher and the box it controls; implements `engine.BoxHandle`."""

    def __init__(
        self,
        command: list[str],
        plan: dict[str, Any],
        supervisor_options: dict[str, Any],
        cgroup: BoxCgroup | None,
        on_destroy: Callable[[LocalBoxHandle], None],
    ) -> None:
        self._cgroup = cgroup
        self._on_destroy = on_destroy
        self._own_bytes = 0
        self._launcher: subprocess.Popen[bytes] | None = None
        self._memory_cgroup: MemoryCgroup | None = None
        self.connection, supervisor_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        liveness_read_end, self._liveness_pipe = os.pipe()
        self._log_descriptor = os.memfd_create("words")
        plan_descriptor = os.memfd_create("plan")
        inherited = {"connection": supervisor_end.fileno(), "leash": liveness_read_end}
        plan = {
            **plan,
            **inherited,
            "supervisor": [json.dumps({"descriptor": supervisor_end.fileno(), **supervisor_options})],
        }
        try:
            os.pwrite(plan_descriptor, json.dumps(plan).encode(), 0)
            self._launcher = subprocess.Popen(
                command,
                stdin=plan_descriptor,
                stdout=subprocess.DEVNULL,
                stderr=self._log_descriptor,
                pass_fds=list(inherited.values()),
                env={"PATH": f"{SEARCH_PATH}:/usr/sbin:/sbin", "LANG": "C.UTF-8"},
                start_new_session=True,
            )
            supervisor_end.close()
            self._wait_until_up()
            self._memory_cgroup = None if cgroup is None else cgroup.open_memory_cgroup()
        except (OSError, BoxError) as error:
            self.destroy()
            raise BoxError(f"the local box did not start: {error}") from error
        finally:
            supervisor_end.close()
            os.close(liveness_read_end)
            os.close(plan_descriptor)

    def measure_own_memory(self) -> None:
        try:
            if self._memory_cgroup is not None:
                self._own_bytes = self._memory_cgroup.read_used_bytes() + MEMORY_SLACK_BYTES
        except OSError as error:
            raise BoxError(f"lost the box: {error}") from error

    def limit_memory(self, memory_mb: int) -> None:
        if self._memory_cgroup is None:
            return  # the supervisor polls memory instead
        if not self._own_bytes:
            self.measure_own_memory()
        try:
            self._memory_cgroup.limit(self._own_bytes + memory_mb * MIB)
        except OSError as error:
            raise BoxError(f"cannot set the memory limit to {memory_mb} MiB: {error}") from error

    def begin_run(self) -> None:
        try:
            if self._memory_cgroup is not None:
                self._memory_cgroup.begin_run()
        except OSError as error:
            raise BoxError(f"lost the box: {error}") from error

    def read_peak_memory_mb(self) -> float | None:
        try:
            return None if self._memory_cgroup is None else self._memory_cgroup.read_peak_mb()
        except OSError as error:
            raise BoxError(f"lost the box: {error}") from error

    def ran_out_of_memory(self) -> bool:
        return self._memory_cgroup is not None and self._memory_cgroup.had_oom_kill()

    def destroy(self) -> None:
        self.connection.close()
        if self._liveness_pipe < 0:
            return
        os.close(self._liveness_pipe)
        self._liveness_pipe = -1
        if self._launcher is not None:
            _wait_for_exit(self._launcher)
        if self._memory_cgroup is not None:
            self._memory_cgroup.close()
            self._memory_cgroup = None
        if self._cgroup is not None:
            self._cgroup.remove()
        if log_text := self._read_log():
            logger.warning("output of a local box: %s", log_text)
        os.close(self._log_descriptor)
        self._on_destroy(self)

    def _read_log(self) -> str:
        """Return the output of the launcher and the supervisor; programs write to their own pipes."""
        return os.pread(self._log_descriptor, 2_000, 0).decode(errors="replace").strip()

    def _wait_until_up(self) -> None:
        """Wait until the supervisor sends data. Raises BoxError with the launcher's output if it ends instead."""
        ready, _, _ = select.select([self.connection], [], [], START_TIMEOUT_S)
        if ready and self.connection.recv(1, socket.MSG_PEEK):
            return
        raise BoxError(self._read_log() or f"its supervisor did not answer within {START_TIMEOUT_S:g} s")


def _wait_for_exit(launcher: subprocess.Popen[bytes]) -> None:
    """Wait for a launcher whose leash is closed. Its box dies with it, even if the launcher has to be killed."""
    try:
        launcher.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        launcher.kill()
        launcher.wait()


def list_missing_isolation() -> list[str]:
    """Describe the isolation layers that a local box on this host lacks; empty if there are none.

    Raises EngineUnavailable.
    """
    with (
        tempfile.TemporaryDirectory(prefix="sandbox-") as home,
        closing(LocalEngine(WorkerSettings(home=Path(home), engine="local"), 0)) as engine,
    ):
        return engine.list_missing_isolation()


def suggest_namespace_fix() -> str:
    """Return a hint how to make the refused namespaces available."""
    for switch, (closed, command) in NAMESPACE_SYSCTLS.items():
        if os.geteuid() != 0 and Path(switch).exists() and Path(switch).read_text().strip() == closed:
            return f"run `{command}` as root to allow user namespaces"
    return (
        "run the worker as root to allow namespaces,"
        " and in a container also add `--privileged` or `--security-opt seccomp=unconfined`"
    )


def _read_subordinate_ids(path: str) -> tuple[int, int] | None:
    """Return the range of ids that /etc/subuid or /etc/subgid assigns to the current user."""
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
