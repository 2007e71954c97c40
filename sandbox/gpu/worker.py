"""A GPU worker: an RQ worker that holds GPUs and does one job at a time.

Theory of operation. A host lends its GPUs through one or more workers, each with a share of them. A worker leases its
GPUs in Redis for as long as it lives, a few seconds at a time, from a thread of its own; the same lease says that it
lives. A job that serves models is done in this process, over a server that stays warm (`engine`); a job that trains
first sends that server to rest, and runs in a process of its own (`training`), so that what crashes or fills the GPU
there ends that process and nothing else. A job whose worker is lost goes to another one, which finds its folder and
goes on from the last checkpoint; a job whose process ended without a result is queued again by its own worker. What is
the request's fault is not tried again.
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
from rq import Queue, SimpleWorker
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty

from sandbox.config import GpuSettings
from sandbox.errors import BadRequest, Cancelled, InfrastructureError, SandboxError
from sandbox.gpu import tasks
from sandbox.gpu.children import Children
from sandbox.gpu.completions import Completions
from sandbox.gpu.engine import make_engine, metrics_of
from sandbox.gpu.evaluate import evaluate
from sandbox.gpu.folder import place_of
from sandbox.gpu.generate import generate
from sandbox.gpu.installed import lacking, lanes_that_work
from sandbox.gpu.job import CurrentJob
from sandbox.gpu.training import train
from sandbox.gpu.watch import UNWATCHED, GpuWatch
from sandbox.jobs.connection import connect
from sandbox.jobs.gpu_jobs import LANES, SERVING, TRAINING, GpuJobs
from sandbox.schema.gpu import (
    REQUESTS,
    EvaluateRequest,
    GenerateRequest,
    GpuKind,
    GpuRequest,
    Progress,
    TrainRequest,
)

logger = logging.getLogger(__name__)

BEATS_PER_LEASE = 4
WANTED_LOOK_S = 0.5
SERVERS_LOOK_S = 2.0


class GpuTaken(InfrastructureError):
    """Another worker holds one of the GPUs."""


class Untimed(BaseDeathPenalty):  # type: ignore[misc]
    """No limit of RQ's: a training job may take days, and is watched here."""

    def setup_death_penalty(self) -> None:
        pass

    def cancel_death_penalty(self) -> None:
        pass


class GpuWorker(SimpleWorker):  # type: ignore[misc]
    """`run_gpu_job` is what the RQ job calls."""

    death_penalty_class = Untimed

    def __init__(self, settings: GpuSettings, share: int, redis: Redis, name: str, watch: GpuWatch = UNWATCHED) -> None:
        places = range(len(settings.gpu_indices))[share :: settings.gpu_workers]
        gpus = [settings.gpu_indices[place] for place in places]
        lent = [lease_names(settings.gpu_indices)[place] for place in places]
        lanes = lanes_that_work(lanes_of(settings, share), lacking(settings))
        queues = [Queue(lane, connection=redis, serializer=JSONSerializer) for lane in lanes]
        super().__init__(queues, name=name, connection=redis, serializer=JSONSerializer, log_job_description=False)
        self._settings = settings
        self._gpus = gpus
        self._children = Children()
        self._engine = make_engine(settings, gpus, self._children, settings.folder)
        side = connect(settings.effective_redis_url)
        self._jobs = GpuJobs(side, settings.queue_ttl_s, settings.result_ttl_s)
        self._lease = Lease(self._jobs, name, lent, settings)
        self._watch = watch
        self._torn_down = threading.Event()
        self._looking = threading.Thread(target=self._look_at_servers, name="server-metrics", daemon=True)
        tasks.current.runner = self

    def bootstrap(self, *args: Any, **options: Any) -> None:
        super().bootstrap(*args, **options)
        self._lease.start()
        self._looking.start()

    def teardown(self) -> None:
        self._torn_down.set()
        self._engine.rest()
        self._children.close()
        self._lease.stop()
        super().teardown()

    def _look_at_servers(self) -> None:
        while not self._torn_down.wait(SERVERS_LOOK_S):
            self._watch.servers(metrics_of(self._engine))

    def run_gpu_job(self, job_id: str) -> None:
        """Do the job and say how it ended; only a stop of this very worker is raised."""
        claimed = self._jobs.claim(job_id, self.name)
        if claimed is None:
            return
        kind, text = claimed
        with self._lease.working_on(job_id) as unwanted:
            job = CurrentJob(
                job_id, self.name, self._gpus, self._settings, self._jobs, unwanted, kind.value, self._watch
            )
            self._watch.began(kind.value)
            status = "failed"
            try:
                self._jobs.finish(job_id, self.name, self._done(job, kind, text))
                status = "finished"
            except Cancelled:
                status = "cancelled"
                logger.info("a job is not wanted any more", extra={"job": job_id})
            except BadRequest as error:
                self._jobs.fail(job_id, self.name, str(error))
            except SandboxError as error:
                logger.warning("a job could not be done: %s", error, extra={"job": job_id})
                self._jobs.hand_back(job_id, self.name, self._settings.gpu_attempts, str(error))
                status = "again"
            except Exception as error:
                logger.exception("a job met a fault of ours", extra={"job": job_id})
                self._jobs.fail(job_id, self.name, f"{type(error).__name__}: {error}")
            finally:
                self._watch.ended(kind.value, status)

    def _done(self, job: CurrentJob, kind: GpuKind, text: bytes) -> dict[str, Any]:
        request = REQUESTS[kind].model_validate_json(text)
        if request.gpus > max(1, len(self._gpus)):
            raise BadRequest(f"the job needs {request.gpus} GPUs and this worker has {len(self._gpus)}", "gpus")
        job.folder.path.mkdir(parents=True, exist_ok=True)
        began = time.monotonic()
        result = self._result(job, kind, request)
        return {**result, "run_time_s": round(time.monotonic() - began, 3)}

    def _result(self, job: CurrentJob, kind: GpuKind, request: GpuRequest) -> dict[str, Any]:
        if isinstance(request, TrainRequest):
            self._engine.rest()
            return train(job, kind, request, self._children)
        model = request.model if self._settings.llm_url else place_of(request.model, job.root)
        job.report(Progress(message="the model is loading"))
        completions = Completions(self._engine, self._settings.llm_requests, self._settings.llm_key)
        if isinstance(request, EvaluateRequest):
            return evaluate(job, request, model, completions)
        assert isinstance(request, GenerateRequest)
        return generate(job, request, model, completions)


class Lease:
    """Keeps a worker's lease on its GPUs, looks after what others left, and tells a job that it is not wanted."""

    def __init__(self, jobs: GpuJobs, worker: str, gpus: list[str], settings: GpuSettings) -> None:
        self._jobs = jobs
        self._worker = worker
        self._gpus = gpus
        self._lease_s = settings.gpu_lease_s
        self._attempts = settings.gpu_attempts
        self._job = ""
        self._unwanted = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def start(self) -> None:
        """Take the GPUs. Raises GpuTaken when another worker holds one still."""
        self._renew()
        self._thread.start()

    def _renew(self) -> None:
        other = self._jobs.renew(self._worker, self._gpus, self._job, self._lease_s)
        if other is not None:
            left_s = other.until - self._jobs.now()
            raise GpuTaken(f"GPU {other.gpu} is held by {other.worker} for another {left_s:.0f} s unless it renews")

    def stop(self) -> None:
        self._ended.set()
        if self._thread.ident is not None:
            self._thread.join(timeout=self._lease_s)
            with suppress(RedisError):
                self._jobs.release(self._worker, self._gpus)

    def working_on(self, job_id: str) -> _Working:
        return _Working(self, job_id)

    def begin(self, job_id: str) -> threading.Event:
        self._unwanted = threading.Event()
        self._job = job_id
        return self._unwanted

    def end(self) -> None:
        self._job = ""

    def _keep(self) -> None:
        beat_s = self._lease_s / BEATS_PER_LEASE
        next_beat = time.monotonic() + beat_s
        while not self._ended.wait(min(WANTED_LOOK_S, beat_s)):
            try:
                job = self._job
                if job and not self._jobs.is_wanted(job, self._worker):
                    self._unwanted.set()
                if time.monotonic() >= next_beat:
                    next_beat = time.monotonic() + beat_s
                    self._renew()
                    self._jobs.reap(self._attempts)
            except GpuTaken as error:
                # Silent for too long: its job is another's by now, and so is the GPU. It ends, and asks anew.
                logger.error("this worker stops: %s", error)
                self._unwanted.set()
                os.kill(os.getpid(), signal.SIGTERM)
                return
            except RedisError as error:
                logger.warning("the lease could not be renewed: %s", error)
            except Exception:
                # The thread must live: without it a worker that works is taken for dead.
                logger.exception("keeping the lease met a fault of ours")


class _Working:
    """A lease that names its job."""

    def __init__(self, lease: Lease, job_id: str) -> None:
        self._lease = lease
        self._job_id = job_id

    def __enter__(self) -> threading.Event:
        return self._lease.begin(self._job_id)

    def __exit__(self, *ended: object) -> None:
        self._lease.end()


def lease_names(gpus: Sequence[int]) -> list[str]:
    """What the leases on this host's GPUs are called; one that is listed several times is lent as often."""
    host = socket.gethostname()
    times = [gpus[:place].count(gpu) for place, gpu in enumerate(gpus)]
    return [f"{host}/{gpu}" + (f".{time}" if time else "") for gpu, time in zip(gpus, times, strict=True)]


def lanes_of(settings: GpuSettings, share: int) -> tuple[str, ...]:
    """The lanes a worker is for: all, unless some of the workers were set apart to serve."""
    if not settings.gpu_servers:
        return LANES
    return (SERVING,) if share < settings.gpu_servers else (TRAINING,)


def main(settings: GpuSettings, share: int, watch: GpuWatch = UNWATCHED) -> int:
    """Work until SIGTERM or SIGINT, the `share`th worker of this host."""
    settings.folder.mkdir(parents=True, exist_ok=True)
    name = f"{socket.gethostname()}-{os.getpid()}-gpu-{share}"
    try:
        GpuWorker(settings, share, connect(settings.effective_redis_url), name, watch).work(logging_level="WARNING")
    except InfrastructureError as error:
        logger.error("GPU worker cannot work: %s", error)
        return 1
    return 0
