"""The lease of one worker on its GPUs, and the signal that its current job should stop."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Redis

from sandbox.config import GpuSettings
from sandbox.errors import InfrastructureError
from sandbox.queue.claims import LeaseKeeper
from sandbox.queue.connection import log_redis_errors
from sandbox.queue.gpu_claims import GpuClaims
from sandbox.queue.gpu_leases import GpuLeases
from sandbox.queue.repeating_thread import RepeatingThread

logger = logging.getLogger(__name__)

STOP_CHECK_INTERVAL_S = 0.5


class GpuAlreadyLeased(InfrastructureError):
    """Another worker holds a lease on one of the GPUs."""


class WorkerLease:
    """Renews a worker's lease on its GPUs, cleans up after lost workers, and signals a job that it should stop."""

    def __init__(self, redis: Redis, claims: GpuClaims, worker: str, gpus: list[str], settings: GpuSettings) -> None:
        self._claims = claims
        self._leases = GpuLeases(redis)
        self._worker = worker
        self._gpus = gpus
        self._lease_s = settings.gpu_lease_s
        self._job_id = ""
        self._stop_requested = threading.Event()
        self._lease_keeper = LeaseKeeper(
            self._lease_s, self._keep, lambda: claims.reap(settings.gpu_attempts), "cannot renew the lease"
        )
        self._stop_check = RepeatingThread(
            "stop-check", STOP_CHECK_INTERVAL_S, self._check_job, "cannot check whether the job should stop"
        )
        self._is_held = False

    def start(self) -> None:
        """Lease the GPUs. Raises GpuAlreadyLeased if another worker still holds one."""
        self._renew()
        self._is_held = True
        self._lease_keeper.start()
        self._stop_check.start()

    def stop(self) -> None:
        """Release the GPUs."""
        self._stop_check.request_stop()
        self._lease_keeper.stop()
        if self._is_held:
            with log_redis_errors(logger, "cannot release the GPUs"):
                self._leases.release(self._worker, self._gpus)

    @contextmanager
    def track_job(self, job_id: str) -> Iterator[threading.Event]:
        """Associate the lease with a job inside the context; the event is set when the job should stop."""
        self._stop_requested = threading.Event()
        self._job_id = job_id
        try:
            yield self._stop_requested
        finally:
            self._job_id = ""

    def _renew(self) -> None:
        job_id = self._job_id
        other = self._leases.renew(self._worker, self._gpus, job_id, self._lease_s)
        if other is not None:
            left_s = other.until - self._leases.read_time()
            raise GpuAlreadyLeased(
                f"GPU {other.gpu} is held by {other.worker} for another {left_s:.0f} s unless it renews"
            )
        if job_id:
            self._claims.extend(job_id, self._worker)

    def _keep(self) -> None:
        """Renew the lease, or stop this worker if it has lost it. Raises RedisError."""
        try:
            self._renew()
        except GpuAlreadyLeased as error:
            # The lease has expired: another worker has the GPU and the job by now. Stop, so that a new worker starts.
            logger.error("this worker stops: %s", error)
            self._lease_keeper.request_stop()
            self._stop_requested.set()
            os.kill(os.getpid(), signal.SIGTERM)

    def _check_job(self) -> None:
        job_id = self._job_id
        if job_id and not self._claims.is_wanted(job_id, self._worker):
            self._stop_requested.set()
