"""All code that depends on RQ's internals.

RQ's own enqueue call costs 1 ms. Its bookkeeping (retries, results, dependencies) issues 57 Redis commands per job and
costs 11 ms of CPU time, 14 ms including Redis. Job batches need none of it. Therefore `build_job_fields` builds a job's
hash in RQ's format, and `RqWorker` takes and finishes a job in three round trips with a dozen commands. RQ's tools
still show jobs, queues, and workers. When you upgrade RQ, check this file; no other file depends on its internals.
"""

from __future__ import annotations

import logging
import time
import zlib
from collections.abc import Sequence
from typing import Any, Protocol

from redis import Redis
from redis.exceptions import RedisError
from rq import Queue, SimpleWorker
from rq.exceptions import StopRequested as StopRequested
from rq.job import Job, JobStatus
from rq.serializers import JSONSerializer
from rq.timeouts import BaseDeathPenalty
from rq.worker import WorkerStatus

from sandbox.queue.connection import is_redis_full, is_unreachable, log_redis_errors, stop_waiting

logger = logging.getLogger(__name__)

NO_TIMEOUT = -1
RQ_HEARTBEAT_INTERVAL_S = 60.0


class NoTimeLimit(BaseDeathPenalty):  # type: ignore[misc]
    """Turns off RQ's time limit for jobs whose time is limited elsewhere."""

    def setup_death_penalty(self) -> None:
        pass

    def cancel_death_penalty(self) -> None:
        pass


def build_job_fields(function: str, job_id: str, lane: str) -> tuple[dict[str, Any], bytes]:
    """Return the fields of a job's hash as `rq.job.Job` reads them, without the times, and the data of its call.

    The job calls `function`, a dotted path, with its own id.
    """
    job = Job(job_id, connection=Redis(), serializer=JSONSerializer)
    job._func_name, job._args, job._kwargs, job._instance = function, (job.id,), {}, None
    job.origin, job.timeout, job.result_ttl = lane, NO_TIMEOUT, 0
    job._status = JobStatus.QUEUED
    fields: dict[str, Any] = job.to_dict(include_meta=False, include_result=False)
    # RQ also reads uncompressed data, and compressing it takes longer than sending it.
    data = zlib.decompress(fields.pop("data"))
    del fields["created_at"]
    fields["status"] = JobStatus.QUEUED.value
    return fields, data


class BatchTaker(Protocol):
    """Takes and runs the jobs of an `RqWorker`."""

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def take(self) -> tuple[bytes, str] | None:
        """Wait a few seconds for a job; return its id and its lane, or None."""

    def run(self, job_id: str, lane: str) -> None: ...


class PatientRqWorker(SimpleWorker):  # type: ignore[misc]
    """An RQ worker whose client waits for Redis without limit, until the worker is asked to stop."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.log.addFilter(_is_news)

    def request_stop(self, signum: int, frame: Any) -> None:
        stop_waiting()
        super().request_stop(signum, frame)

    def set_shutdown_requested_date(self) -> None:
        """Do nothing: RQ would write the date to Redis, and a signal handler must not wait."""

    def teardown(self) -> None:
        stop_waiting()
        with log_redis_errors(logger, "RQ's tools may list this worker for a while longer"):
            super().teardown()


def _is_news(record: logging.LogRecord) -> bool:
    """Return False for RQ's log lines about an unreachable Redis, because the outage is already logged."""
    return not (is_unreachable() and "could not connect to Redis" in record.getMessage())


class RqWorker(PatientRqWorker):
    """An RQ worker that leaves taking and running jobs to a `BatchTaker`. Jobs run in this process."""

    def __init__(self, taker: BatchTaker, queues: Sequence[Queue], name: str, redis: Redis) -> None:
        super().__init__(queues, name=name, connection=redis, serializer=JSONSerializer, log_job_description=False)
        self._taker = taker
        self._heartbeat_at = 0.0
        self._queues_by_lane = {queue.name: queue for queue in queues}

    @property
    def is_stopping(self) -> bool:
        """True if a signal has asked this worker to stop."""
        return bool(self._stop_requested)

    def bootstrap(self, *args: Any, **options: Any) -> None:
        super().bootstrap(*args, **options)
        self._taker.start()

    def teardown(self) -> None:
        self._taker.stop()
        super().teardown()

    def check_for_suspension(self, burst: bool) -> None:
        """Do nothing: the check would cost a round trip per job. `rq suspend` therefore has no effect."""

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Send RQ's own heartbeat, which RQ's tools read, once a minute instead of twice per job."""
        if pipeline is not None or time.monotonic() - self._heartbeat_at > RQ_HEARTBEAT_INTERVAL_S:
            self._heartbeat_at = time.monotonic()
            try:
                super().heartbeat(timeout, pipeline)
            except RedisError as error:
                if not is_redis_full(error):
                    raise
                logger.warning("Redis is full, so RQ's tools may report this worker as gone: %s", error)

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """Return the next job and its queue, or None if this worker is stopping."""
        while not self.is_stopping:
            self.heartbeat()
            if (taken := self._taker.take()) is not None:
                job_id, lane = taken
                job = Job(job_id.decode(), connection=self.connection, serializer=JSONSerializer)
                return job, self._queues_by_lane[lane]
        return None

    def execute_job(self, job: Job, queue: Queue) -> None:
        self._state = WorkerStatus.BUSY  # RQ's SIGTERM handler then lets the job end
        try:
            self._taker.run(job.id, queue.name)
        except RedisError as error:
            if not self.is_stopping:
                raise
            logger.warning("stopped before Redis accepted the results, so these items run again: %s", error)
            raise StopRequested from error
        self._state = WorkerStatus.IDLE
