"""A GPU worker: an RQ worker that holds GPUs and runs one job at a time.

Theory of operation. A host offers its GPUs through one or more workers, each with a share of them. A worker leases its
GPUs in Redis for a few seconds at a time; a separate thread renews the lease, which also serves as the worker's
heartbeat. Generation and evaluation jobs run in this process and use a server that stays warm between jobs
(`sandbox.gpu.serving.local_engine`). A training job first puts that server to sleep to free the GPUs, then runs in a
separate process (`sandbox.gpu.training.training_job`), so that a crash or a full GPU ends only that process. If a
worker is lost, another one takes over its job, finds the job's directory and continues from the last checkpoint. If a
training process ends without a result, its worker requeues the job. Invalid requests are not retried.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Sequence
from typing import Any

from redis import Redis
from rq import Queue
from rq.serializers import JSONSerializer

from sandbox.config import GpuSettings
from sandbox.errors import BadRequest, Cancelled, InfrastructureError, SandboxError
from sandbox.gpu import rq_entry
from sandbox.gpu.current_job import CurrentJob
from sandbox.gpu.evaluation.evaluation_job import evaluate
from sandbox.gpu.host_description import describe_host
from sandbox.gpu.job_dir import resolve_model
from sandbox.gpu.observer import NULL_GPU_OBSERVER, GpuObserver
from sandbox.gpu.required_packages import find_missing_by_lane, get_python, select_working_lanes
from sandbox.gpu.serving.completions import CompletionClient
from sandbox.gpu.serving.engine import fetch_metrics
from sandbox.gpu.serving.generation_job import generate
from sandbox.gpu.serving.local_engine import make_engine
from sandbox.gpu.subprocesses import SubprocessStarter
from sandbox.gpu.training.spare_trainer import SpareTrainer
from sandbox.gpu.training.training_job import MODULES, TrainingFailed, train
from sandbox.gpu.worker_lease import WorkerLease
from sandbox.queue.connection import connect
from sandbox.queue.gpu_claims import GpuClaims
from sandbox.queue.gpu_jobs import LANES, SERVING_LANE, TRAINING_LANE
from sandbox.queue.repeating_thread import RepeatingThread
from sandbox.queue.rq_compat import NoTimeLimit, PatientRqWorker
from sandbox.schema.gpu import (
    REQUEST_MODELS,
    EvaluateRequest,
    GenerateRequest,
    GpuKind,
    GpuRequest,
    GrpoRequest,
    Progress,
    TrainRequest,
)

logger = logging.getLogger(__name__)

SERVER_METRICS_INTERVAL_S = 2.0


class GpuWorker(PatientRqWorker):
    """The worker of one share of a host's GPUs. The RQ job calls its `run_gpu_job`."""

    death_penalty_class = NoTimeLimit

    def __init__(
        self, settings: GpuSettings, share: int, redis: Redis, name: str, observer: GpuObserver = NULL_GPU_OBSERVER
    ) -> None:
        places = range(len(settings.gpu_indices))[share :: settings.gpu_workers]
        gpus = [settings.gpu_indices[place] for place in places]
        lease_keys = [name_leases(settings.gpu_indices)[place] for place in places]
        lanes = select_working_lanes(select_lanes(settings, share), find_missing_by_lane(settings))
        queues = [Queue(lane, connection=redis, serializer=JSONSerializer) for lane in lanes]
        super().__init__(queues, name=name, connection=redis, serializer=JSONSerializer, log_job_description=False)
        self._settings = settings
        self._gpus = gpus
        self._lanes = lanes
        self._subprocesses = SubprocessStarter()
        # On this host, because several hosts may share the GPU folder.
        own_folder = settings.home / f"gpu-worker-{share}"
        trains = settings.gpu_spare and TRAINING_LANE in lanes
        self._spare = SpareTrainer(
            get_python(settings) if trains else "",
            list(MODULES.values()),
            gpus[:1],
            self._subprocesses,
            own_folder,
        )
        self._engine = make_engine(settings, gpus, self._subprocesses, own_folder)
        connection = connect(settings.effective_redis_url, forever=True)
        self._claims = GpuClaims(connection, settings.queue_ttl_s, settings.result_ttl_s)
        self._lease = WorkerLease(connection, self._claims, name, lease_keys, settings)
        self._observer = observer
        self._host = describe_host(get_python(settings), len(gpus))
        self._metrics_thread = RepeatingThread(
            "server-metrics",
            SERVER_METRICS_INTERVAL_S,
            lambda: observer.record_server_metrics(fetch_metrics(self._engine)),
            "cannot read the metrics of the generation servers",
        )
        rq_entry.current_worker.runner = self

    def bootstrap(self, *args: Any, **options: Any) -> None:
        super().bootstrap(*args, **options)
        self._lease.start()
        if SERVING_LANE in self._lanes:
            self._engine.prepare()
        self._spare.prepare()
        self._metrics_thread.start()

    def teardown(self) -> None:
        self._metrics_thread.request_stop()
        self._engine.stop()
        self._spare.stop()
        self._subprocesses.close()
        self._lease.stop()
        super().teardown()

    def run_gpu_job(self, job_id: str) -> None:
        """Run the job and report how it ended. Raises only if this worker is stopped."""
        claimed = self._claims.claim(job_id, self.name)
        if claimed is None:
            return
        kind, text = claimed
        with self._lease.track_job(job_id) as stop_requested:
            job = CurrentJob(
                job_id, self.name, self._gpus, self._settings, self._claims, stop_requested, kind.value, self._observer
            )
            self._observer.record_start(kind.value)
            status = "failed"
            try:
                self._claims.finish(job_id, self.name, self._execute_timed(job, kind, text))
                status = "finished"
            except Cancelled:
                status = "cancelled"
                logger.info("job cancelled or given to another worker", extra={"job": job_id})
            except BadRequest as error:
                self._claims.fail(job_id, self.name, str(error))
            except SandboxError as error:
                logger.warning("job failed and may be retried: %s", error, extra={"job": job_id})
                self._claims.requeue(job_id, self.name, self._settings.gpu_attempts, str(error))
                status = "again"
            except Exception as error:
                logger.exception("job failed with an unexpected error", extra={"job": job_id})
                self._claims.fail(job_id, self.name, f"{type(error).__name__}: {error}")
            finally:
                self._observer.record_end(kind.value, status)

    def _execute_timed(self, job: CurrentJob, kind: GpuKind, text: bytes) -> dict[str, Any]:
        request = REQUEST_MODELS[kind].model_validate_json(text)
        if request.gpus > max(1, len(self._gpus)):
            raise BadRequest(f"the job needs {request.gpus} GPUs and this worker has {len(self._gpus)}", "gpus")
        job.directory.path.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        self._engine.take_phases()  # of a job that failed
        result = self._execute_request(job, kind, request)
        return {
            **result,
            "engine": self._engine.take_phases(),
            "host": self._host,
            "run_time_s": round(time.monotonic() - began, 3),
        }

    def _execute_request(self, job: CurrentJob, kind: GpuKind, request: GpuRequest) -> dict[str, Any]:
        if isinstance(request, TrainRequest):
            return self._train(job, kind, request)
        model = request.model if self._settings.llm_url else resolve_model(request.model, job.root)
        job.report_progress(Progress(message="the model is loading"))
        completions = CompletionClient(
            self._engine, self._settings.llm_requests, self._settings.llm_key, job.report_stage
        )
        if isinstance(request, EvaluateRequest):
            return evaluate(job, request, model, completions)
        assert isinstance(request, GenerateRequest)
        return generate(job, request, model, completions)

    def _train(self, job: CurrentJob, kind: GpuKind, request: TrainRequest) -> dict[str, Any]:
        """Run a training while the warm server sleeps or, with the rollouts `engine`, while it generates for it."""
        engine_url = ""
        if isinstance(request, GrpoRequest) and request.rollouts == "engine":
            model = resolve_model(request.model, job.root)
            engine_url = self._engine.lend(model, job.report_stage)
        else:
            self._engine.release_gpus()
        try:
            return train(job, kind, request, self._subprocesses, self._spare, engine_url)
        except TrainingFailed:
            self._engine.stop()  # the next attempt gets the memory that a warm server holds
            raise


def name_leases(gpus: Sequence[int]) -> list[str]:
    """Return the names of the leases on this host's GPUs. A GPU that is listed n times has n leases."""
    host = socket.gethostname()
    times = [gpus[:place].count(gpu) for place, gpu in enumerate(gpus)]
    return [f"{host}/{gpu}" + (f".{time}" if time else "") for gpu, time in zip(gpus, times, strict=True)]


def select_lanes(settings: GpuSettings, share: int) -> tuple[str, ...]:
    """Return the lanes of a worker: all of them, unless some workers are reserved for serving."""
    if not settings.gpu_servers:
        return LANES
    return (SERVING_LANE,) if share < settings.gpu_servers else (TRAINING_LANE,)


def main(settings: GpuSettings, share: int, observer: GpuObserver = NULL_GPU_OBSERVER) -> int:
    """Run worker number `share` of this host until SIGTERM or SIGINT."""
    settings.effective_gpu_folder.mkdir(parents=True, exist_ok=True)
    name = f"{socket.gethostname()}-{os.getpid()}-gpu-{share}"
    try:
        redis = connect(settings.effective_redis_url, forever=True)
        GpuWorker(settings, share, redis, name, observer).work(logging_level="WARNING")
    except InfrastructureError as error:
        logger.error("cannot start the GPU worker: %s", error)
        return 1
    return 0
