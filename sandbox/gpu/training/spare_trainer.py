"""Keep one training process ready, so that a training does not wait for its imports.

Theory of operation. TRL and vLLM take 14 to 23 s to import on a GPU host. The worker starts a spare process when it
starts, and the next one when a training takes it, so that the imports pass while the GPU works. A spare holds memory of
the host, about 1.5 GB, but none of a GPU. It fits a training in one process on the GPU that it was started for; any
other training starts its own process.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandbox.gpu.child_environment import build_environment
from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.subprocesses import Process, SubprocessStarter, stop_process

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
        name: str,
    ) -> None:
        """Start no process yet. `modules` are imported ahead, and `gpus` are those that the process may use."""
        self._python = python
        self._modules = list(modules)
        self._gpus = list(gpus)
        self._subprocesses = subprocesses
        self._directory = directory
        self._name = name
        self._number = 0
        self._process: Process | None = None

    def prepare(self) -> None:
        """Start a spare process, unless there is one."""
        if not self._python or (self._process is not None and self._process.poll() is None):
            return
        self._number += 1
        self._get_order_path().unlink(missing_ok=True)
        command = [self._python, "-m", SPARE_MODULE, str(self._get_order_path()), *self._modules]
        log = self._directory / LOG_NAME
        self._process = self._subprocesses.start(command, build_environment(self._gpus), log, self._directory)

    def take(self, module: str, gpus: Sequence[int], environment: Mapping[str, str], job_dir: JobDir) -> Process | None:
        """Let the spare process run a training and return it. Return None if there is none for these GPUs.

        A process that still imports begins the training afterwards, which is sooner than a new one could.
        """
        process = self._process
        if process is None or process.poll() is not None or list(gpus) != self._gpus:
            return None
        # Only what differs from the process's own environment, which may hold passwords, is written to the disk.
        order = {
            "module": module,
            "environment": dict(environment.items() - build_environment(self._gpus).items()),
            "directory": str(job_dir.path),
            "log": str(job_dir.log),
        }
        path = self._get_order_path()
        being_written = path.with_suffix(".new")
        being_written.write_text(json.dumps(order), encoding="utf-8")
        being_written.replace(path)
        self._process = None
        self.prepare()
        return process

    def stop(self) -> None:
        if self._process is not None:
            stop_process(self._process)
        self._process = None

    def _get_order_path(self) -> Path:
        return self._directory / f"spare-{self._name}-{self._number}.json"
