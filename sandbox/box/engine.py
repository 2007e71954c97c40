"""What a box needs of the engine that puts up its walls."""

from __future__ import annotations

import socket
from typing import Protocol


class BoxHandle(Protocol):
    """A started box: a supervisor behind walls, and our connection to it."""

    @property
    def connection(self) -> socket.socket: ...

    def limit_memory(self, memory_mb: int) -> None:
        """Hold the programs in it to `memory_mb` MiB from now on. Raises BoxError."""

    def measure_own_memory(self) -> None:
        """What is in use now is the box's own: it does not count as a program's. Call while no program runs."""

    def begin_run(self) -> None:
        """Start watching the peak of memory."""

    def read_peak_memory_mb(self) -> float | None:
        """The peak of the program's memory since `begin_run` in MiB, where the host lets us see it."""

    def ran_out_of_memory(self) -> bool:
        """Whether something in it was killed for want of memory since `begin_run`, where the host shows it."""

    def destroy(self) -> None:
        """Take it down with everything in it, at once; safe to call twice."""


class Engine(Protocol):
    """Makes boxes of an image's kind."""

    def start(self, image: str) -> BoxHandle:
        """A new box, ready for frames. Raises EngineUnavailable or BoxError."""

    def lacks(self, tool: str) -> bool:
        """Whether its boxes are without this program; only where they use the machine's own."""

    def lacks_image(self, image: str) -> bool:
        """Whether it has no such image to start boxes from. Raises EngineUnavailable."""

    def list_missing_isolation(self) -> list[str]:
        """What this engine cannot keep out, in words; empty when every wall is up."""

    def close(self) -> None:
        """Forget the engine; boxes still up are destroyed."""
