"""A process that does its imports ahead and then waits for an order, which it reads from a file."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.gpu.subprocesses import Process, SubprocessStarter, stop_process


class Spare:
    """At most one spare process of a worker, or none if `python` is empty."""

    def __init__(
        self,
        python: str,
        module: str,
        imports: Sequence[str],
        subprocesses: SubprocessStarter,
        directory: Path,
    ) -> None:
        """Start no process yet. `module` runs with the path of its order and the names of the modules to import."""
        self._command = [python, "-m", module] if python else []
        self._imports = list(imports)
        self._subprocesses = subprocesses
        self._directory = directory
        # Hosts that share a home directory must not take each other's orders.
        self._name = f"spare-{module.rpartition('_')[2]}-{socket.gethostname()}-{os.getpid()}"
        self._number = 0
        self.process: Process | None = None
        self.environment: dict[str, str] = {}

    @property
    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def prepare(self, environment: Mapping[str, str], log: Path) -> None:
        """Start a process with this environment and log, unless there is one."""
        if not self._command or self.is_alive:
            return
        self._number += 1
        self._get_order_path().unlink(missing_ok=True)
        command = [*self._command, str(self._get_order_path()), *self._imports]
        self.process = self._subprocesses.start(command, environment, log, self._directory)
        self.environment = dict(environment)

    def take(self, order: object) -> Process:
        """Give the process its order and return it. It must exist; one that still imports begins afterwards."""
        process, self.process = self.process, None
        assert process is not None
        path = self._get_order_path()
        being_written = path.with_suffix(".new")
        being_written.write_text(json.dumps(order), encoding="utf-8")
        being_written.replace(path)
        return process

    def stop(self) -> None:
        """Stop the process, if there is one."""
        if self.process is not None:
            stop_process(self.process)
        self.process = None

    def _get_order_path(self) -> Path:
        return self._directory / f"{self._name}-{self._number}.json"
