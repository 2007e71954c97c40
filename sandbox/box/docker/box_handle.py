"""The handle of a box that runs as a Docker container: sets its memory limit and destroys it."""

from __future__ import annotations

import socket
from collections.abc import Callable

from docker.errors import APIError, NotFound
from docker.models.containers import Container

from sandbox.box.cgroup import MEMORY_SLACK_BYTES, MIB, MemoryCgroup
from sandbox.box.docker.engine_client import ENGINE_ERRORS, translate_engine_errors
from sandbox.box.docker.session_cgroup import CpuGroup, find_box_group
from sandbox.box.engine import BoxHandle
from sandbox.errors import BoxError

UNMEASURED_INTERPRETER_BYTES = 96 * MIB


class DockerBoxHandle:
    """A running container; implements `engine.BoxHandle`."""

    def __init__(
        self, container: Container, connection: socket.socket, on_destroy: Callable[[DockerBoxHandle], None]
    ) -> None:
        self._container = container
        self.connection = connection
        self._on_destroy = on_destroy
        self.pid = 0  # of the supervisor on this host; 0 if it is unknown
        self._cgroup = self._open_cgroup()
        self._own_bytes = 48 * MIB
        self._own_memory_measured = False

    def measure_own_memory(self) -> None:
        if self._cgroup is not None:
            self._own_bytes = self._cgroup.read_used_bytes() + MEMORY_SLACK_BYTES
            self._own_memory_measured = True
        else:
            self._own_bytes += UNMEASURED_INTERPRETER_BYTES

    def limit_memory(self, memory_mb: int) -> None:
        if self._cgroup is not None and not self._own_memory_measured:
            self.measure_own_memory()
        limit = self._own_bytes + memory_mb * MIB
        try:
            if self._cgroup is not None:
                self._cgroup.limit(limit)
            else:
                self._container.update(mem_limit=limit, memswap_limit=limit)
        except (*ENGINE_ERRORS, OSError) as error:
            raise BoxError(f"cannot set the memory limit to {memory_mb} MiB: {error}") from error

    def begin_run(self) -> None:
        if self._cgroup is not None:
            self._cgroup.begin_run()

    def read_peak_memory_mb(self) -> float | None:
        return None if self._cgroup is None else self._cgroup.read_peak_mb()

    def ran_out_of_memory(self) -> bool:
        return self._cgroup is not None and self._cgroup.had_oom_kill()

    def destroy(self) -> None:
        self.connection.close()
        if self._cgroup is not None:
            self._cgroup.close()
            self._cgroup = None
        remove_container(self._container)
        self._on_destroy(self)

    def _open_cgroup(self) -> MemoryCgroup | None:
        try:
            self._container.reload()
            self.pid = int(self._container.attrs["State"]["Pid"])
            return MemoryCgroup.open_for_process(self.pid)
        except (*ENGINE_ERRORS, OSError):
            return None


def find_cpu_group(handle: BoxHandle) -> CpuGroup | None:
    """Return the CPU cgroup of a session's box, or None if its priority cannot be changed."""
    return find_box_group(handle.pid) if isinstance(handle, DockerBoxHandle) else None


def remove_container(container: Container | None) -> None:
    """Kill and remove a container. It is no error if it is already gone or being removed."""
    if container is None:
        return
    # If the engine is unreachable, the container's process ends with its connection, and the engine removes it later.
    with translate_engine_errors(f"remove the container {container.name}", BoxError):
        try:
            container.remove(force=True)
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409:  # 409: its removal is already in progress
                raise
