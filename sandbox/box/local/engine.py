"""Run boxes without a container engine: the same supervisor, with the strongest isolation an ordinary process can get.

On first use the engine probes which isolation layers the host supports (`launcher.probe`) and names those that are
missing. A box is one launcher process (`sandbox.runner.launcher.launcher`) and its children. There are no images: a box
uses the host's compilers and interpreters.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import closing
from functools import cached_property
from pathlib import Path

from sandbox.box.docker.engine import CAPABILITIES, PRELOADED_MODULES
from sandbox.box.local import cgroup as local_cgroup
from sandbox.box.local.box_handle import SEARCH_PATH, START_TIMEOUT_S, LocalBoxHandle
from sandbox.box.local.cgroup import BoxCgroup
from sandbox.box.local.host_isolation import SINGLE_USER_MESSAGE, HostIsolation
from sandbox.box.local.runner import PYTHON, install_runner
from sandbox.box.uids import UIDS_PER_BOX, UidBlock
from sandbox.config import WorkerSettings
from sandbox.errors import EngineUnavailable
from sandbox.runner.launcher.plan import MountTree, Plan, ProbeResult, encode_plan
from sandbox.runner.supervisor.options import Options

LAUNCHER_BOOTSTRAP = (
    "import sys; sys.path[0] = sys.argv.pop(1); from sandbox.runner.launcher.launcher import main; main()"
)
NO_CGROUP_MESSAGE = (
    "memory, process and CPU limits by the kernel (cgroup): memory is polled every 10 ms instead, processes are"
    " limited per user, CPUs not at all; run the worker as root on a machine with a writable /sys/fs/cgroup,"
    " or use Docker"
)


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
        plan = self._build_plan()
        plan = plan._replace(
            probe=False,
            kinds=host.namespaces,
            ids=host.id_mapping,
            cgroups=[str(one) for one in cgroup.folders] if cgroup else (),
            folder=None if folder is None else str(folder),
            tree=plan.tree._replace(shown=cgroup.bind_mounts if cgroup else ()),
        )
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

    def _build_supervisor_options(self, folder: Path | None, watch_memory: bool) -> Options:
        base = self.host.find_uid_base(self._uid_block, self._started_count, self._settings.box_max_runs)
        self._started_count += 1
        options = Options(uid_base=base, watch_memory=watch_memory, modules=PRELOADED_MODULES)
        return options if folder is None else options._replace(root=str(folder), shared=())

    def _build_command(self) -> list[str]:
        return [PYTHON, "-I", "-S", "-c", LAUNCHER_BOOTSTRAP, str(self._runner_folder)]

    def _build_plan(self) -> Plan:
        return Plan(
            place=str(self._root_mount_point),
            tree=MountTree(self._settings.box_tmpfs_mb, str(self._runner_folder)),
            capabilities=CAPABILITIES,
            lent_uids=_read_subordinate_ids("/etc/subuid"),
            lent_gids=_read_subordinate_ids("/etc/subgid"),
        )

    def _probe(self) -> HostIsolation:
        plan = encode_plan(self._build_plan())
        try:
            done = subprocess.run(
                self._build_command(), input=plan, capture_output=True, text=True, timeout=START_TIMEOUT_S
            )
            found = ProbeResult(**json.loads(done.stdout))
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineUnavailable(f"cannot probe the local engine: {error}") from error
        except ValueError as error:
            raise EngineUnavailable(f"the local engine does not work on this machine: {done.stderr[-500:]}") from error
        if not found.works:
            raise EngineUnavailable(f"cannot start local boxes on this machine: {found.reasons}; use Docker")
        return HostIsolation(tuple(found.kinds), found.ids, found.uids)


def list_missing_isolation() -> list[str]:
    """Describe the isolation layers that a local box on this host lacks; empty if there are none.

    Raises EngineUnavailable.
    """
    with (
        tempfile.TemporaryDirectory(prefix="sandbox-") as home,
        closing(LocalEngine(WorkerSettings(home=Path(home), engine="local"), 0)) as engine,
    ):
        return engine.list_missing_isolation()


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
