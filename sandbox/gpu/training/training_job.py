"""Start the process of a training job, report its progress, and stop it if the job is cancelled."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from typing import Any

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.gpu.child_environment import HOST, build_environment, find_free_port
from sandbox.gpu.current_job import CurrentJob
from sandbox.gpu.job_dir import resolve_inside, resolve_model
from sandbox.gpu.subprocesses import Process, SubprocessStarter, read_tail, stop_process
from sandbox.gpu.training import verl_config
from sandbox.gpu.training.spare_trainer import SpareTrainer
from sandbox.gpu.training.weight_files import remove_weights_dirs
from sandbox.schema.gpu import GpuKind, GrpoRequest, Progress, TrainRequest

POLL_INTERVAL_S = 0.25
USAGE_ERROR_EXIT_CODE = 2  # argparse's exit code; a launcher whose program failed has 1
MODULES = {GpuKind.SFT: "sandbox.gpu.training.train_sft", GpuKind.GRPO: "sandbox.gpu.training.train_grpo"}


class TrainingFailed(InfrastructureError):
    """The process ended without a result; the message holds its last output. A retry continues from its checkpoint."""


def train(
    job: CurrentJob,
    kind: GpuKind,
    request: TrainRequest,
    subprocesses: SubprocessStarter,
    spare: SpareTrainer,
    engine_url: str = "",
) -> dict[str, Any]:
    """Run a training job in a separate process: in the spare one if it fits.

    The process generates with the server at `engine_url` if that is given. Raises BadRequest, Cancelled and
    TrainingFailed.
    """
    gpus = job.gpus
    job.directory.write_order({**build_order(job, request), "engine_url": engine_url, "began": time.time()})
    if isinstance(request, GrpoRequest) and request.backend == "verl":
        command = verl_config.prepare_verl_command(job.directory, request, job.settings, len(gpus))
    else:
        gpus = select_gpus(request, gpus)
        command = build_command(kind, request, job)
    job.directory.clear_refusal()
    follower = _ProgressFollower(job)
    environment = build_training_environment(gpus, f"{kind}/{job.id}")
    process = spare.take(MODULES[kind], gpus, environment, job.directory) if fits_spare(request) else None
    if process is None:
        process = subprocesses.start(command, environment, job.directory.log, job.directory.path)
    try:
        _follow(process, job, follower)
    finally:
        stop_process(process)
        remove_weights_dirs(job.directory)
    follower.report_new()
    if (refusal := job.directory.read_refusal()) is not None:
        raise refusal
    result = job.directory.read_result()
    if result is None or process.returncode:
        if process.returncode == USAGE_ERROR_EXIT_CODE and request.launch:
            raise BadRequest(f"launch: accelerate rejected the options:\n{read_tail(job.directory.log)}", "launch")
        raise TrainingFailed(f"training ended with exit code {process.returncode}:\n{read_tail(job.directory.log)}")
    return result


def fits_spare(request: TrainRequest) -> bool:
    """Return whether a training runs in one process that needs no launcher."""
    is_verl = isinstance(request, GrpoRequest) and request.backend == "verl"
    return request.processes == 1 and not request.launch and not is_verl


def build_order(job: CurrentJob, request: TrainRequest) -> dict[str, Any]:
    """Return the input of the process. Raises BadRequest for a model or data set that does not exist."""
    order: dict[str, Any] = {
        "request": request.model_dump(mode="json", exclude_unset=True),
        "model": resolve_model(request.model, job.root),
        "url": job.settings.url,
    }
    if request.dataset is not None:
        path = resolve_inside(request.dataset, job.root, "dataset")
        if not path.is_file():
            raise BadRequest(f"no data set {request.dataset!r} below SANDBOX_GPU_FOLDER on this host", "dataset")
        order["dataset"] = str(path)
    return order


def select_gpus(request: TrainRequest, gpus: Sequence[int]) -> Sequence[int]:
    """Return one GPU per process for the training. Raises BadRequest if there are too few.

    A single process that sees several GPUs would silently split each batch over them with threads (`DataParallel`).
    """
    if gpus and request.processes > len(gpus) and not request.launch:
        words = f"{request.processes} processes need {request.processes} GPUs, but this worker has {len(gpus)}"
        raise BadRequest(words, "processes")
    return gpus if request.launch else gpus[: max(request.gpus, request.processes)]


def build_training_environment(gpus: Sequence[int], run: str) -> dict[str, str]:
    """Return the environment of a training on these GPUs, with a rendezvous port of its own.

    Its rewards belong to the training run `run`, whose history the page shows.
    """
    return {
        **build_environment(gpus),
        "MASTER_ADDR": HOST,
        "MASTER_PORT": str(find_free_port()),
        "SANDBOX_RUN": run,
    }


def build_command(kind: GpuKind, request: TrainRequest, job: CurrentJob) -> list[str]:
    """Build a command for one process, or for accelerate's launcher with the options of the request's `launch`."""
    python = job.settings.gpu_python or sys.executable
    program = ["-m", MODULES[kind], str(job.directory.path)]
    if request.processes == 1 and not request.launch:
        return [python, *program]
    launch = {"main_process_port": find_free_port(), **request.launch}
    options = [part for name, value in launch.items() for part in _format_option(name, value)]
    return [
        python,
        *("-m", "accelerate.commands.launch", "--num_processes", str(request.processes)),
        *options,
        *program,
    ]


def _format_option(name: str, value: Any) -> list[str]:
    if value is True:
        return [f"--{name}"]
    return [] if value in (False, None) else [f"--{name}", str(value)]


class _ProgressFollower:
    """Reports the progress that the process has written since the last call."""

    def __init__(self, job: CurrentJob) -> None:
        self._job = job
        self._offset = 0
        # Skip what earlier attempts reported.
        _, self._offset = job.directory.read_progress(0)

    def report_new(self) -> None:
        lines, self._offset = self._job.directory.read_progress(self._offset)
        for line in lines:
            self._job.observer.record_step_times(line.pop("more", {}))
            self._job.report_progress(Progress.model_validate(line))


def _follow(process: Process, job: CurrentJob, follower: _ProgressFollower) -> None:
    while process.poll() is None:
        job.raise_if_stopped()
        follower.report_new()
        time.sleep(POLL_INTERVAL_S)
