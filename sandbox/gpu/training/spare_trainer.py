"""Keep one training process ready, so that a training does not wait for its imports.

Theory of operation. TRL and vLLM take 14 to 23 s to import on a GPU host. The worker starts a spare process when it
starts, and the next one when a training takes it, so that the imports pass while the GPU works. A spare holds memory of
the host, about 1.5 GB, but none of a GPU. It fits a training in one process on the GPU that it was started for; any
other training starts its own process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.gpu.child_environment import build_environment
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.spare import Spare
from sandbox.gpu.subprocesses import Process, SubprocessStarter

SPARE_MODULE = "sandbox.gpu.training.spare_process"
LOG_NAME = "spare.log"


class SpareTrainer:
    """The spare process of one worker, or none if `python` is empty."""

    def __init__(
        self,
        python: str,
        modules: Sequence[str],
        gpus: Sequence[int],
        subprocesses: SubprocessStarter,
        directory: Path,
    ) -> None:
        """Start no process yet. `modules` are imported ahead, and `gpus` are those that the process may use."""
        self._gpus = list(gpus)
        self._log = directory / LOG_NAME
        self._spare = Spare(python, SPARE_MODULE, modules, subprocesses, directory)

    def prepare(self) -> None:
        """Start a spare process, unless there is one."""
        self._spare.prepare(build_environment(self._gpus), self._log)

    def take(self, module: str, gpus: Sequence[int], environment: Mapping[str, str], job_dir: JobDir) -> Process | None:
        """Let the spare process run a training and return it. Return None if there is none for these GPUs.

        A process that still imports begins the training afterwards, which is sooner than a new one could.
        """
        if not self._spare.is_alive or list(gpus) != self._gpus:
            return None
        # Only what differs from the process's own environment, which may hold passwords, is written to the disk.
        order = {
            "module": module,
            "environment": dict(environment.items() - self._spare.environment.items()),
            "directory": str(job_dir.path),
            "log": str(job_dir.log),
        }
        process = self._spare.take(order)
        self.prepare()
        return process

    def stop(self) -> None:
        self._spare.stop()
