"""Interfaces of the engine that isolates boxes."""

from __future__ import annotations

import socket
from typing import Protocol


class BoxHandle(Protocol):
    """A started box: an isolated supervisor and the connection to it."""

    @property
    def connection(self) -> socket.socket: ...

    def limit_memory(self, memory_mb: int) -> None:
        """Limit the memory of programs in the box to `memory_mb` MiB from now on. Raises BoxError."""

    def measure_own_memory(self) -> None:
        """Treat the memory now in use as the box's own, not as a program's. Call this only while no program runs."""

    def begin_run(self) -> None:
        """Start measuring the memory peak."""

    def read_peak_memory_mb(self) -> float | None:
        """Return the program's memory peak since `begin_run` in MiB, or None if the host does not report it."""

    def ran_out_of_memory(self) -> bool:
        """Return whether a process was killed for lack of memory since `begin_run`.

        Return False if the host does not report it.
        """

    def destroy(self) -> None:
        """Destroy the box and everything in it immediately. It is safe to call this twice."""


class Engine(Protocol):
    """Starts boxes from images."""

    def start(self, image: str) -> BoxHandle:
        """Start a new box that is ready to receive frames. Raises EngineUnavailable or BoxError."""

    def lacks(self, tool: str) -> bool:
        """Return whether this engine's boxes lack a command. Only boxes that use the host's commands can lack one."""

    def lacks_image(self, image: str) -> bool:
        """Return whether the image is missing, so no box can start from it. Raises EngineUnavailable."""

    def list_missing_isolation(self) -> list[str]:
        """Describe the isolation layers that this engine does not provide; empty if all are in place."""

    def close(self) -> None:
        """Close the engine and destroy its remaining boxes."""
