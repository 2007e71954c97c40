"""A GPU worker: an RQ worker that holds GPUs and runs one job at a time.

Theory of operation. A host offers its GPUs through one or more workers, each with a share of them. A worker leases its
GPUs in Redis for a few seconds at a time; a separate thread renews the lease, which also serves as the worker's
heartbeat. Generation and evaluation jobs run in this process and use a server that stays warm between jobs
(`sandbox.gpu.serving.engine`). A training job first stops that server to free the GPUs, then runs in a separate process
(`sandbox.gpu.training.training_job`), so that a crash or a full GPU ends only that process. If a worker is lost,
another one takes over its job, finds the job's directory and continues from the last checkpoint. If a training process
ends without a result, its worker requeues the job. Invalid requests are not retried.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue
from rq.serializers import JSONSerializer

from sandbox.config import GpuSettings
from sandbox.errors import BadRequest, Cancelled, InfrastructureError, SandboxError
from sandbox.gpu import rq_entry
from sandbox.gpu.current_job import CurrentJob
from sandbox.gpu.evaluation.evaluation_job import evaluate
from sandbox.gpu.job_dir import resolve_model
from sandbox.gpu.observer import NULL_GPU_OBSERVER, GpuObserver
from sandbox.gpu.required_packages import find_missing_by_lane, select_working_lanes
from sandbox.gpu.serving.completions import CompletionClient
from sandbox.gpu.serving.engine import fetch_metrics, make_engine
from sandbox.gpu.serving.generation_job import generate
from sandbox.gpu.subprocesses import SubprocessStarter
from sandbox.gpu.training.training_job import train
from sandbox.queue.connection import connect, get_failure_log_level
from sandbox.queue.gpu_jobs import LANES, SERVING_LANE, TRAINING_LANE, GpuJobs
from sandbox.queue.rq_compat import NoTimeLimit, PatientRqWorker
from sandbox.schema.gpu import (
    REQUEST_MODELS,
    EvaluateRequest,
    GenerateRequest,
    GpuKind,
    GpuRequest,
    Progress,
    TrainRequest,
)

logger = logging.getLogger(__name__)

RENEWALS_PER_LEASE = 4
STOP_CHECK_INTERVAL_S = 0.5
SERVER_METRICS_INTERVAL_S = 2.0


class GpuAlreadyLeased(InfrastructureError):
    """Another worker holds a lease on one of the GPUs."""


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
        self._subprocesses = SubprocessStarter()
        self._engine = make_engine(settings, gpus, self._subprocesses, settings.effective_gpu_folder)
        connection = connect(settings.effective_redis_url, forever=True)
        self._jobs = GpuJobs(connection, settings.queue_ttl_s, settings.result_ttl_s)
        self._lease = LeaseKeeper(self._jobs, name, lease_keys, settings)
        self._observer = observer
        self._closing = threading.Event()
        self._metrics_thread = threading.Thread(target=self._observe_servers, name="server-metrics", daemon=True)
        rq_entry.current_worker.runner = self

    def bootstrap(self, *args: Any, **options: Any) -> None:
        super().bootstrap(*args, **options)
        self._lease.start()
        self._metrics_thread.start()

    def teardown(self) -> None:
        self._closing.set()
        self._engine.release_gpus()
        self._subprocesses.close()
        self._lease.stop()
        super().teardown()

    def _observe_servers(self) -> None:
        while not self._closing.wait(SERVER_METRICS_INTERVAL_S):
            self._observer.record_server_metrics(fetch_metrics(self._engine))

    def run_gpu_job(self, job_id: str) -> None:
        """Run the job and report how it ended. Only a stop of this worker raises."""
        claimed = self._jobs.claim(job_id, self.name)
        if claimed is None:
            return
        kind, text = claimed
        with self._lease.track_job(job_id) as stop_requested:
            job = CurrentJob(
                job_id, self.name, self._gpus, self._settings, self._jobs, stop_requested, kind.value, self._observer
            )
            self._observer.record_start(kind.value)
            status = "failed"
            try:
                self._jobs.finish(job_id, self.name, self._execute_timed(job, kind, text))
                status = "finished"
            except Cancelled:
                status = "cancelled"
                logger.info("job cancelled or given to another worker", extra={"job": job_id})
            except BadRequest as error:
                self._jobs.fail(job_id, self.name, str(error))
            except SandboxError as error:
                logger.warning("job failed and may be retried: %s", error, extra={"job": job_id})
                self._jobs.requeue(job_id, self.name, self._settings.gpu_attempts, str(error))
                status = "again"
            except Exception as error:
                logger.exception("job failed with an unexpected error", extra={"job": job_id})
                self._jobs.fail(job_id, self.name, f"{type(error).__name__}: {error}")
            finally:
                self._observer.record_end(kind.value, status)

    def _execute_timed(self, job: CurrentJob, kind: GpuKind, text: bytes) -> dict[str, Any]:
        request = REQUEST_MODELS[kind].model_validate_json(text)
        if request.gpus > max(1, len(self._gpus)):
            raise BadRequest(f"the job needs {request.gpus} GPUs and this worker has {len(self._gpus)}", "gpus")
        job.directory.path.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        result = self._execute_request(job, kind, request)
        return {**result, "run_time_s": round(time.monotonic() - began, 3)}

    def _execute_request(self, job: CurrentJob, kind: GpuKind, request: GpuRequest) -> dict[str, Any]:
        if isinstance(request, TrainRequest):
            self._engine.release_gpus()
            return train(job, kind, request, self._subprocesses)
        model = request.model if self._settings.llm_url else resolve_model(request.model, job.root)
        job.report_progress(Progress(message="the model is loading"))
        completions = CompletionClient(self._engine, self._settings.llm_requests, self._settings.llm_key)
        if isinstance(request, EvaluateRequest):
            return evaluate(job, request, model, completions)
        assert isinstance(request, GenerateRequest)
        return generate(job, request, model, completions)


class LeaseKeeper:
    """Renews a worker's lease on its GPUs, cleans up after lost workers, and signals a job that it should stop."""

    def __init__(self, jobs: GpuJobs, worker: str, gpus: list[str], settings: GpuSettings) -> None:
        self._jobs = jobs
        self._worker = worker
        self._gpus = gpus
        self._lease_s = settings.gpu_lease_s
        self._attempts = settings.gpu_attempts
        self._job_id = ""
        self._stop_requested = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._renew_until_stopped, name="lease", daemon=True)

    def start(self) -> None:
        """Lease the GPUs. Raises GpuAlreadyLeased if another worker still holds one."""
        self._renew()
        self._thread.start()

    def _renew(self) -> None:
        other = self._jobs.renew(self._worker, self._gpus, self._job_id, self._lease_s)
        if other is not None:
            left_s = other.until - self._jobs.read_time()
            raise GpuAlreadyLeased(
                f"GPU {other.gpu} is held by {other.worker} for another {left_s:.0f} s unless it renews"
            )

    def stop(self) -> None:
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=self._lease_s)
            with suppress(RedisError):
                self._jobs.release(self._worker, self._gpus)

    def track_job(self, job_id: str) -> _TrackedJob:
        return _TrackedJob(self, job_id)

    def begin_job(self, job_id: str) -> threading.Event:
        self._stop_requested = threading.Event()
        self._job_id = job_id
        return self._stop_requested

    def end_job(self) -> None:
        self._job_id = ""

    def _renew_until_stopped(self) -> None:
        renewal_interval_s = self._lease_s / RENEWALS_PER_LEASE
        next_renewal_at = time.monotonic() + renewal_interval_s
        while not self._stopped.wait(min(STOP_CHECK_INTERVAL_S, renewal_interval_s)):
            try:
                job = self._job_id
                if job and not self._jobs.is_wanted(job, self._worker):
                    self._stop_requested.set()
                if time.monotonic() >= next_renewal_at:
                    next_renewal_at = time.monotonic() + renewal_interval_s
                    self._renew()
                    self._jobs.reap(self._attempts)
            except GpuAlreadyLeased as error:
                # The lease has expired: another worker has the GPU and the job by now. Stop, so that a new worker
                # starts.
                logger.error("this worker stops: %s", error)
                self._stop_requested.set()
                os.kill(os.getpid(), signal.SIGTERM)
                return
            except RedisError as error:
                logger.log(get_failure_log_level(), "cannot renew the lease: %s", error)
            except Exception:
                # The thread must go on: without a lease, a healthy worker counts as lost.
                logger.exception("unexpected error while renewing the lease")


class _TrackedJob:
    """Associates the lease with a job while the job runs."""

    def __init__(self, lease: LeaseKeeper, job_id: str) -> None:
        self._lease = lease
        self._job_id = job_id

    def __enter__(self) -> threading.Event:
        return self._lease.begin_job(self._job_id)

    def __exit__(self, *ended: object) -> None:
        self._lease.end_job()


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
