"""Run boxes in Docker containers.

A container has no network, a read-only root, only the capabilities the supervisor needs, and cgroup limits. Its only
connection to the outside is a Unix socket in a folder mounted from the host. The worker listens, the supervisor
connects before any program runs, and the socket's name is removed, so nothing else can connect. A supervisor exits when
its worker does, and the engine removes ended containers. Even `kill -9` of a worker therefore leaves nothing running.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
from docker.errors import DockerException, ImageNotFound
from docker.models.containers import Container
from docker.types import Mount

from sandbox.box import cpu_pinning
from sandbox.box.cgroup import MIB
from sandbox.box.docker.box_handle import DockerBoxHandle, remove_container
from sandbox.box.docker.engine_client import ENGINE_ERRORS, open_engine_client, translate_engine_errors
from sandbox.box.docker.environment_images import find_tag
from sandbox.box.docker.images import find_missing_images
from sandbox.box.docker.leftovers import HOME_LABEL, remove_unstarted_boxes
from sandbox.box.docker.session_cgroup import PARENT_PREFIX, build_cpu_options, remove_parents
from sandbox.box.docker.socket_folder import ensure_socket_folder, get_fallback_folder
from sandbox.box.environment import is_environment
from sandbox.box.uids import BOXES_PER_BLOCK, UidBlock
from sandbox.config import WorkerSettings
from sandbox.errors import BoxError, EngineUnavailable, EnvironmentFailed
from sandbox.runner.supervisor.options import Options

# The supervisor needs these to give each run its own uid, to kill its remaining processes and to remove its files.
CAPABILITIES = ["CHOWN", "DAC_OVERRIDE", "IPC_LOCK", "KILL", "SETGID", "SETUID"]
# Make sure that a run leaves no state in the box's network: no port occupied for a minute, no cached TCP metrics.
SYSCTLS = {"net.ipv4.tcp_max_tw_buckets": "0", "net.ipv4.tcp_no_metrics_save": "1"}
CONNECTION_PATH = "/run/sandbox/worker.sock"
CONNECT_TIMEOUT_S = 30.0
MISSING_MOUNT_SOURCE = "source path does not exist"  # the engine's error message if it cannot see the folder to mount
CONTAINER_CHECK_INTERVAL_S = 2.0
# gVisor's kernel is a host process with one thread for each thread inside, and exits if it cannot create one.
GVISOR_PROCESS_FACTOR = 8
SUPERVISOR_BOOTSTRAP = (
    "import sys; sys.path.insert(0, '/opt/sandbox'); from sandbox.runner.supervisor.supervisor import main; main()"
)
SESSION_BOOTSTRAP = (
    "import sys; sys.path.insert(0, '/opt/sandbox'); from sandbox.runner.session.session_supervisor import main; main()"
)
# The modules that programs use most, imported before the fork. The differential test runs with each of them.
PRELOADED_MODULES = """
    math cmath bisect heapq collections itertools functools operator re string random copy datetime decimal fractions
    statistics typing dataclasses enum json queue threading time io contextlib textwrap array struct traceback
""".split()  # noqa: SIM905 - a list of words is easier to read as text


class SocketFolderNotShared(Exception):
    """Raised if the engine cannot see the socket folder because it uses a different directory for temporary files."""


class DockerEngine:
    """Starts boxes for one slot of a worker, or for a session host, which runs up to `max_boxes` boxes at a time."""

    def __init__(self, settings: WorkerSettings, slot: int, max_boxes: int = BOXES_PER_BLOCK) -> None:
        self._settings = settings
        self._slot = slot
        self._cpus = ""
        if cpu_pinning.resolve_pinning(settings.pin, settings.slots) != "none":
            self._cpus = cpu_pinning.format_cpu_list(cpu_pinning.assign_cpus(slot, settings.slots))
        self._started_count = 0
        self._folder = ensure_socket_folder(settings.home)
        self._live_handles: set[DockerBoxHandle] = set()
        self._found_images: set[str] = set()
        self._session_parent = PARENT_PREFIX + uuid.uuid4().hex[:12]
        with translate_engine_errors("reach the Docker engine"):
            self._client = docker.from_env(timeout=60)
            self._information: Mapping[str, Any] = self._client.info()
            self._process_limit = settings.box_processes * self._find_process_factor()
            remove_unstarted_boxes(self._client, settings.home)
        self._uids = [UidBlock() for _ in range(-(-max_boxes // BOXES_PER_BLOCK))]

    def start(self, image: str, session: bool = False) -> DockerBoxHandle:
        """Start a box for single runs or, with `session`, for a session. Raises EngineUnavailable or BoxError."""
        try:
            return self._start(image, session)
        except SocketFolderNotShared:
            self._folder = get_fallback_folder(self._settings.home)
            return self._start(image, session)

    def _start(self, image: str, session: bool) -> DockerBoxHandle:
        name = f"sandbox-{self._slot}-{uuid.uuid4().hex[:12]}"
        folder = self._folder / name
        folder.mkdir(parents=True, mode=0o700)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        container = None
        try:
            listener.bind(str(folder / "worker.sock"))
            listener.listen(1)
            listener.settimeout(CONTAINER_CHECK_INTERVAL_S)
            options = self._build_options(name, folder, session)
            container = self._client.containers.create(find_tag(image), **options)
            container.start()
            connection = _accept_connection(listener, container)
        except ImageNotFound as error:
            self._found_images.discard(image)
            if is_environment(image):
                raise EnvironmentFailed("the environment's image was removed while a box started; try again") from error
            raise EngineUnavailable(
                f"image {find_tag(image)} is missing; build it with `sandbox images build {image}`"
            ) from error
        except (*ENGINE_ERRORS, OSError) as error:
            remove_container(container)
            if (
                container is None
                and MISSING_MOUNT_SOURCE in str(error)
                and self._folder != get_fallback_folder(self._settings.home)
            ):
                raise SocketFolderNotShared from error
            raise BoxError(f"box {name} did not start: {error}") from error
        finally:
            listener.close()
            shutil.rmtree(folder, ignore_errors=True)
        handle = DockerBoxHandle(container, connection, self._live_handles.discard)
        self._live_handles.add(handle)
        return handle

    def _find_process_factor(self) -> int:
        """Return the number of host processes and threads that the runtime may use for each process in a box."""
        information = self._information
        name = self._settings.docker_runtime or information.get("DefaultRuntime", "")
        runtime = json.dumps([name, (information.get("Runtimes") or {}).get(name)]).lower()
        return GVISOR_PROCESS_FACTOR if any(word in runtime for word in ("runsc", "gvisor")) else 1

    def lacks(self, tool: str) -> bool:
        return False  # the images contain everything the language table names

    def lacks_image(self, image: str) -> bool:
        """Return whether the image is missing. An image that was found is asked for again only after a failed start."""
        if image not in self._found_images and not find_missing_images(self._client, [image]):
            self._found_images.add(image)
        return image not in self._found_images

    def list_missing_isolation(self) -> list[str]:
        info = self._client.info()
        missing = []
        if not any("seccomp" in option for option in info.get("SecurityOptions") or []):
            missing.append("the engine's own seccomp profile (the sandbox still filters each program's system calls)")
        for field, limit in (
            ("MemoryLimit", "memory limit"),
            ("CpuCfsQuota", "CPU limit"),
            ("PidsLimit", "process limit"),
        ):
            if not info.get(field):
                missing.append(f"{limit}: not supported by the kernel's cgroups")
        return missing

    def close(self) -> None:
        for handle in list(self._live_handles):
            handle.destroy()
        for block in self._uids:
            block.close()
        self._client.close()
        remove_parents(self._session_parent)
        with suppress(OSError):  # not empty or already gone: another slot of this state directory uses it
            self._folder.rmdir()

    def _build_options(self, name: str, folder: Path, session: bool) -> dict[str, Any]:
        settings = self._settings
        size = f"size={settings.box_tmpfs_mb}m,nr_inodes=65536"
        return {
            "name": name,
            "hostname": "box",
            "command": self._build_command(session),
            "environment": {"PYTHONHASHSEED": "0"},  # a session's REPL is a fork of its supervisor
            "auto_remove": True,
            "labels": {HOME_LABEL: str(settings.home)},
            "network_mode": "none",
            "dns": ["127.0.0.1"],  # otherwise the file that names the host's resolvers is copied into the box
            "sysctls": SYSCTLS,
            "ipc_mode": "private",
            "read_only": True,
            "cap_drop": ["ALL"],
            "cap_add": CAPABILITIES,
            "security_opt": ["no-new-privileges"],
            "pids_limit": self._process_limit,
            "mem_limit": 512 * MIB,
            "memswap_limit": 512 * MIB,
            "nano_cpus": int(settings.box_cpus * 1e9),
            "cpuset_cpus": self._cpus or None,
            "shm_size": settings.box_tmpfs_mb * MIB,
            "tmpfs": {
                "/box": f"rw,exec,nosuid,nodev,mode=711,{size}",
                "/tmp": f"rw,exec,nosuid,nodev,mode=1777,{size}",
                **({"/home": "rw,noexec,nosuid,nodev,mode=755,size=64k,nr_inodes=8"} if session else {}),
            },
            "mounts": [Mount("/run/sandbox", str(folder), type="bind", read_only=True)],
            "runtime": settings.docker_runtime or None,
            "log_config": {"Type": "none"},
            "oom_kill_disable": False,
            **(build_cpu_options(self._information, self._session_parent) if session else {}),
        }

    def _build_command(self, session: bool) -> list[str]:
        block = self._uids[self._started_count // BOXES_PER_BLOCK % len(self._uids)]
        uid_base = block.compute_base(self._started_count)
        self._started_count += 1
        if session:
            options = {"connect": CONNECTION_PATH, "uid_base": uid_base, "session": True, "links_home": True}
            return ["/usr/bin/python3", "-c", SESSION_BOOTSTRAP, json.dumps(options)]
        options_text = self._build_supervisor_options(uid_base).encode()
        return ["/usr/bin/python3", "-I", "-S", "-c", SUPERVISOR_BOOTSTRAP, options_text]

    def _build_supervisor_options(self, uid_base: int) -> Options:
        cpus = self._settings.box_cpus
        return Options(connect=CONNECTION_PATH, uid_base=uid_base, cpus=cpus, modules=PRELOADED_MODULES)


def _accept_connection(listener: socket.socket, container: Container) -> socket.socket:
    """Accept the supervisor's connection. Raises OSError, or DockerException if its container has already ended."""
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while True:
        try:
            return listener.accept()[0]
        except TimeoutError:
            container.reload()  # raises NotFound, because the engine removes ended containers
            if container.status != "running":
                raise DockerException("the supervisor ended before it connected") from None
            if time.monotonic() > deadline:
                raise


def find_data_folder() -> Path:
    """Return the folder of the engine's images and containers. Raises EngineUnavailable."""
    return Path(fetch_engine_info().get("DockerRootDir", ""))


def fetch_engine_info() -> Mapping[str, Any]:
    """Return the response of `docker info`. Raises EngineUnavailable."""
    with open_engine_client(timeout_s=10.0) as client:
        information: Mapping[str, Any] = client.info()
    return {**information, "socket": os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")}
