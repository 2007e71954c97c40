"""Start the processes of model servers, the first one in a spare process that has finished its imports.

Theory of operation. Importing vLLM took 40 to 65 s of the first start on a fresh GPU host. The imports need neither a
model nor a GPU, so the worker starts a spare process when it starts. The spare has the environment and the log of the
server that it becomes. It holds memory of the host, about 1 GB, but none of a GPU. Later starts are rare, because a
warm server loads other weights; they use a new process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.gpu.spare import Spare
from sandbox.gpu.subprocesses import Process, SubprocessStarter

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
        self._command = [python, "-m", module]
        self._subprocesses = subprocesses
        self._directory = directory
        imports = [module, *more_imports]
        self._spare = Spare(python if has_spare else "", SPARE_MODULE, imports, subprocesses, directory)

    def prepare(self, environment: Mapping[str, str], log: Path) -> None:
        """Start a spare process for a server with this environment and log, unless there is one."""
        self._spare.prepare(environment, log)

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], log: Path) -> Process:
        """Start a server: in the spare process if that has the same environment."""
        if self._spare.is_alive and self._spare.environment == dict(environment):
            return self._spare.take(list(arguments))
        self._spare.stop()
        return self._subprocesses.start([*self._command, *arguments], environment, log, self._directory)

    def stop(self) -> None:
        """Stop the spare process, if there is one."""
        self._spare.stop()
