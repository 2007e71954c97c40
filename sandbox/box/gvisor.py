"""A box whose kernel is gVisor, seen from the host: its cgroup holds that kernel too, not the program alone."""

from __future__ import annotations

import socket

from sandbox.box.engine import BoxHandle

# What gVisor's kernel may take for a program beyond the program's own memory. Programs are held to their limit by the
# supervisor, which looks a few times a second; the host's limit ends the whole box.
KERNEL_MEMORY_MB = 512


class GvisorBoxHandle:
    """The walls of a container under runsc; see `engine.Walls`."""

    def __init__(self, handle: BoxHandle) -> None:
        self._handle = handle

    @property
    def connection(self) -> socket.socket:
        return self._handle.connection

    def limit_memory(self, memory_mb: int) -> None:
        self._handle.limit_memory(memory_mb + KERNEL_MEMORY_MB)

    def measure_own_memory(self) -> None:
        self._handle.measure_own_memory()

    def begin_run(self) -> None:
        self._handle.begin_run()

    def read_peak_memory_mb(self) -> float | None:
        """None: the cgroup's peak is gVisor's as well, and the program's own is what the supervisor says."""
        return None

    def ran_out_of_memory(self) -> bool:
        return self._handle.ran_out_of_memory()

    def destroy(self) -> None:
        self._handle.destroy()
