"""The host's view of a box that runs on gVisor. Its cgroup includes gVisor's kernel, not just the program."""

from __future__ import annotations

import socket

from sandbox.box.engine import BoxHandle

# What gVisor's kernel may use in addition to the program's own memory. The supervisor enforces the program's limit a
# few times a second; the host's limit ends the whole box.
KERNEL_MEMORY_MB = 512


class GvisorBoxHandle:
    """A container under runsc; implements `engine.BoxHandle`."""

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
        """Return None: the cgroup's peak includes gVisor's kernel. The supervisor reports the program's own peak."""
        return None

    def ran_out_of_memory(self) -> bool:
        return self._handle.ran_out_of_memory()

    def destroy(self) -> None:
        self._handle.destroy()
