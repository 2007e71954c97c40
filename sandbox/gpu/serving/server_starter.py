"""Start the processes of model servers, the first one in a spare process that has finished its imports.

Theory of operation. Importing vLLM took 40 to 65 s of the first start on a fresh GPU host. The imports need neither a
model nor a GPU, so the worker starts a spare process when it starts. The spare has the environment and the log of the
server that it becomes. It holds memory of the host, about 1 GB, but none of a GPU. Later starts are rare, because a
warm server loads other weights; they use a new process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.gpu.subprocesses import Process, SubprocessStarter, stop_process

SPARE_MODULE = "sandbox.gpu.serving.spare_server"
# What vLLM's server and its engine process import after their start.
VLLM_IMPORTS = ("vllm.v1.engine.core", "vllm.v1.worker.gpu_worker", "vllm.model_executor.models.llama")


class ServerStarter:
    """Starts servers of one module with one interpreter, and keeps at most one spare process."""

    def __init__(
        self,
        python: str,
        module: str,
        more_imports: Sequence[str],
        subprocesses: SubprocessStarter,
        directory: Path,
        has_spare: bool,
    ) -> None:
        self._python = python
        self._module = module
        self._more_imports = list(more_imports)
        self._subprocesses = subprocesses
        self._directory = directory
        self._has_spare = has_spare
        self._spare: Process | None = None
        self._spare_environment: dict[str, str] = {}
        self._spare_number = 0

    def prepare(self, environment: Mapping[str, str], log: Path) -> None:
        """Start a spare process for a server with this environment and log, unless there is one."""
        if not self._has_spare or (self._spare is not None and self._spare.poll() is None):
            return
        self._spare_number += 1
        self._get_order_path().unlink(missing_ok=True)
        command = [self._python, "-m", SPARE_MODULE, str(self._get_order_path()), self._module, *self._more_imports]
        self._spare = self._subprocesses.start(command, environment, log, self._directory)
        self._spare_environment = dict(environment)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
        """Start a server: in the spare process if that has the same environment."""
        spare, self._spare = self._spare, None
        if spare is not None and spare.poll() is None and self._spare_environment == dict(environment):
            path = self._get_order_path()
            being_written = path.with_suffix(".new")
            being_written.write_text(json.dumps(list(arguments)), encoding="utf-8")
            being_written.replace(path)
            return spare
        if spare is not None:
            stop_process(spare)
        command = [self._python, "-m", self._module, *arguments]
        return self._subprocesses.start(command, environment, log, self._directory)

    def stop(self) -> None:
        """Stop the spare process, if there is one."""
        if self._spare is not None:
            stop_process(self._spare)
        self._spare = None

    def _get_order_path(self) -> Path:
        return self._directory / f"spare-server-{self._spare_number}.json"
