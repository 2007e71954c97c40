"""A training job's process: started, followed by what it tells, and ended when nobody wants it any more."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.gpu import recipes
from sandbox.gpu.children import Children, Process, stop, tail
from sandbox.gpu.engine import HOST, environment_on, free_port
from sandbox.gpu.folder import inside, place_of
from sandbox.gpu.job import CurrentJob
from sandbox.schema.gpu import GpuKind, GrpoRequest, Progress, TrainRequest

LOOK_S = 0.25
WRONG_OPTIONS = 2  # argparse's exit code; a launcher whose program failed has 1
MODULES = {GpuKind.SFT: "sandbox.gpu.train_sft", GpuKind.GRPO: "sandbox.gpu.train_grpo"}


class TrainingFailed(InfrastructureError):
    """The process ended without a result: its words are in the message. Tried again, it goes on from its checkpoint."""


def train(job: CurrentJob, kind: GpuKind, request: TrainRequest, children: Children) -> dict[str, Any]:
    """Do a training job in a process of its own. Raises BadRequest, Cancelled and TrainingFailed."""
    gpus = job.gpus
    job.folder.write_order(order(job, request))
    if isinstance(request, GrpoRequest) and request.backend == "verl":
        command = recipes.verl_command(job.folder, request, job.settings, len(gpus))
    else:
        gpus = gpus_of(request, gpus)
        command = command_of(kind, request, job)
    job.folder.forget_refusal()
    following = _Following(job)
    process = children.start(command, environment(gpus), job.folder.log, job.folder.path)
    try:
        _follow(process, job, following)
    finally:
        stop(process)
    following.look()
    if (refusal := job.folder.refusal()) is not None:
        raise refusal
    result = job.folder.result()
    if result is None or process.returncode:
        if process.returncode == WRONG_OPTIONS and request.launch:
            raise BadRequest(f"launch: accelerate refuses its options:\n{tail(job.folder.log)}", "launch")
        raise TrainingFailed(f"training ended with exit code {process.returncode}:\n{tail(job.folder.log)}")
    return result


def order(job: CurrentJob, request: TrainRequest) -> dict[str, Any]:
    """What the process is told. Raises BadRequest for a model or data set that is not there."""
    told: dict[str, Any] = {
        "request": request.model_dump(mode="json", exclude_unset=True),
        "model": place_of(request.model, job.root),
        "url": job.settings.url,
    }
    if request.dataset is not None:
        path = inside(request.dataset, job.root, "dataset")
        if not path.is_file():
            raise BadRequest(f"no data set {request.dataset!r} below SANDBOX_GPU_FOLDER on this host", "dataset")
        told["dataset"] = str(path)
    return told


def gpus_of(request: TrainRequest, gpus: Sequence[int]) -> Sequence[int]:
    """Those that the training is shown: a GPU for each process. Raises BadRequest where there are too few.

    One process that sees several would split each batch over them by threads (`DataParallel`), which nobody asked for.
    """
    if gpus and request.processes > len(gpus) and not request.launch:
        words = f"{request.processes} processes need as many GPUs, and this worker has {len(gpus)}"
        raise BadRequest(words, "processes")
    return gpus if request.launch else gpus[: max(request.gpus, request.processes)]


def environment(gpus: Sequence[int]) -> dict[str, str]:
    """Of a process that trains on these GPUs, with a meeting place that no other training on this host has."""
    return {**environment_on(gpus), "MASTER_ADDR": HOST, "MASTER_PORT": str(free_port())}


def command_of(kind: GpuKind, request: TrainRequest, job: CurrentJob) -> list[str]:
    """One process, or accelerate's launcher over several; options of the request's `launch` are the launcher's."""
    python = job.settings.gpu_python or sys.executable
    program = ["-m", MODULES[kind], str(job.folder.path)]
    if request.processes == 1 and not request.launch:
        return [python, *program]
    launch = {"main_process_port": free_port(), **request.launch}
    options = [part for name, value in launch.items() for part in _option(name, value)]
    return [
        python,
        *("-m", "accelerate.commands.launch", "--num_processes", str(request.processes)),
        *options,
        *program,
    ]


def _option(name: str, value: Any) -> list[str]:
    if value is True:
        return [f"--{name}"]
    return [] if value in (False, None) else [f"--{name}", str(value)]


class _Following:
    """Hands on what the process has told since the last look."""

    def __init__(self, job: CurrentJob) -> None:
        self._job = job
        self._read = 0
        # What an earlier try told is told already.
        _, self._read = job.folder.told(0)

    def look(self) -> None:
        lines, self._read = self._job.folder.told(self._read)
        for line in lines:
            self._job.watch.took(line.pop("more", {}))
            self._job.report(Progress.model_validate(line))


def _follow(process: Process, job: CurrentJob, following: _Following) -> None:
    while process.poll() is None:
        job.stop_if_unwanted()
        following.look()
        time.sleep(LOOK_S)
