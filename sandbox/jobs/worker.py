"""A worker process: an RQ worker that owns one slot.

RQ's SimpleWorker runs jobs in its own process, which is what a slot with warm boxes needs. Ours takes and ends a job in
three round trips of a dozen commands, where RQ's bookkeeping for retries, results and dependencies that an envelope
does not have makes 57 (measured: 11 ms of CPU a job, with Redis 14). What RQ keeps for dead workers is done here by a
claim on the envelope and a heartbeat behind it (`leases`), within seconds instead of minutes. And a worker gives back
what its envelope still holds when the current program takes long: the rest then runs elsewhere instead of waiting
behind it. The thread that does so looks as well whether the submission that runs was cancelled, and stops it then.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from sandbox import __version__
from sandbox.box import cpus
from sandbox.box.deferred import DeferredEngine
from sandbox.box.engine import Engine
from sandbox.box.pool import Pool
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.errors import Cancelled, CannotRun, InfrastructureError
from sandbox.jobs import envelope, fairness, keys, leases, tasks
from sandbox.jobs.activity import Activity
from sandbox.jobs.connection import connect
from sandbox.jobs.delivery import Courier
from sandbox.jobs.envelope import Item, Sent, Unreadable
from sandbox.jobs.journal import Journal, log_journey
from sandbox.jobs.leases import Heartbeat
from sandbox.jobs.perform import failed, failed_unread, perform
from sandbox.jobs.slot_check import Proof, Recovery, SlotCheck, prove
from sandbox.jobs.spool import ELSEWHERE, NotHere, Spool
from sandbox.jobs.storage import is_full
from sandbox.schema import Lane

logger = logging.getLogger(__name__)

GIVE_BACK_AFTER_S = 0.25
GIVE_BACK_LOOK_S = 0.1
CANCEL_LOOK_S = 0.3
EXPRESS_LOOK_S = 0.2
PUBLISH_EVERY_S = 0.4
PASS_ON_PAUSE_S = 0.2
LANGUAGES_LOOK_S = 10.0
MOST_PASSES = 150  # 30 s of one idle worker: long enough for a rolling upgrade to bring a newer one
FULL_PAUSE_S = 1.0
TAKE_PATIENCE_S = 5
RQ_HEARTBEAT_S = 60.0
Answer = TypeVar("Answer")
FOR_ONE_PROGRAM = 0  # a box that was lent has reached its run count


class SlotWorker(SimpleWorker):  # type: ignore[misc]
    """Claims envelopes as RQ hands them over; `run_envelope` is what the RQ job calls.

    An express worker serves some lanes only, and of them what nobody else takes: programs of other lanes may run for
    minutes in every other slot.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        slot: Slot,
        redis: Redis,
        name: str,
        journal: Journal,
        express: Sequence[Lane] = (),
        proof: Proof | None = None,
    ) -> None:
        queues = [envelope.lane_queue(lane, redis) for lane in express or keys.LANES]
        super().__init__(queues, name=name, connection=redis, serializer=JSONSerializer, log_job_description=False)
        self._settings = settings
        self._slot = slot
        self._redis = redis
        self._courier = Courier(redis, settings.result_ttl_s, settings.max_kept_mb)
        self._lane = Lane.DEFAULT
        self._rest: deque[Item] = deque()
        self._rest_lock = threading.Lock()
        self._submission = ""  # of the item that runs
        self._cancelled: set[str] = set()  # submissions that were found cancelled while one of their items ran
        self._busy_since = 0.0
        self._rq_beat_at = 0.0
        self._lane_keys = [queue.key for queue in queues]
        self._express = bool(express)
        self._heads: list[bytes | None] = [None for _ in queues]
        self._queue_of = {queue.key.encode(): queue for queue in queues}
        self._side_redis = connect(settings.effective_redis_url)
        self._spool = Spool(settings.home)
        self._missing_walls: list[str] = []
        self._lacking: list[str] = []
        self._languages_seen_at = float("-inf")
        self._description = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "engine": settings.engine,
            "version": __version__,
            "reads": envelope.VERSION,
            "spool": self._spool.identity,
        }
        self._activity = Activity(self._side_redis, name)
        self._journal = journal
        self._heartbeat = Heartbeat(
            self._side_redis, name, settings.lease_s, self._described, self._give_back_rest, journal.reaped
        )
        self._heartbeat.starting = proof is not None
        self._check = SlotCheck(slot, proof, Recovery(on_wait=self._journal.waits, on_ready=self._ready_again))
        tasks.current.runner = self

    def bootstrap(self, *args: Any, **options: Any) -> None:
        super().bootstrap(*args, **options)
        self._heartbeat.start()
        threading.Thread(target=self._watch_rest, name="give-back", daemon=True).start()

    def teardown(self) -> None:
        self._heartbeat.stop()
        super().teardown()

    def check_for_suspension(self, burst: bool) -> None:
        """RQ's suspension of all workers, looked at with each of RQ's heartbeats instead of before each job."""

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """RQ's own heartbeat, by which its tools know us: now and then, not twice a job."""
        if pipeline is not None or time.monotonic() - self._rq_beat_at > RQ_HEARTBEAT_S:
            self._rq_beat_at = time.monotonic()
            try:
                super().heartbeat(timeout, pipeline)
            except RedisError as error:
                if not is_full(error):
                    raise
                logger.warning("Redis is full, so RQ's tools may report this worker as gone: %s", error)

    def dequeue_job_and_maintain_ttl(self, timeout: int | None, max_idle_time: int | None = None) -> Any:
        """The next envelope, from the first lane that has one; None on request to stop."""
        while not self._stop_requested:
            self.heartbeat()
            if not self._check.ready():
                continue
            taken = self._stuck() if self._express else self._redis.blpop(self._lane_keys, timeout=TAKE_PATIENCE_S)
            if taken is not None:
                queue = self._queue_of[taken[0]]
                return Job(taken[1].decode(), connection=self._redis, serializer=JSONSerializer), queue
        return None

    def _ready_again(self) -> None:
        """Say at once that programs run here."""
        self._journal.rests()
        try:
            self._missing_walls = self._slot.missing_walls()
        except InfrastructureError as error:
            logger.warning("cannot ask the engine which isolation layers it lacks: %s", error)
        try:
            self._heartbeat.started()
        except RedisError as error:
            logger.warning("heartbeat missed: %s", error)

    def _stuck(self) -> tuple[bytes, bytes] | None:
        """Take what is the first of its lane for a second look already, while nothing of that lane runs: every slot has
        something of another one. None where there is no such thing.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for key, queue in zip(self._lane_keys, self._queue_of.values(), strict=True):
            pipeline.lindex(key, 0)
            pipeline.llen(key)
            pipeline.zcard(keys.outstanding(queue.name))
        told = pipeline.execute()
        before, self._heads = self._heads, told[::3]
        for place, key in enumerate(self._lane_keys):
            head, waiting, outstanding = told[3 * place : 3 * place + 3]
            stuck = head is not None and head == before[place] and outstanding <= waiting
            if stuck and (envelope_id := self._redis.lpop(key)) is not None:
                return key.encode(), envelope_id
        time.sleep(EXPRESS_LOOK_S)
        return None

    def execute_job(self, job: Job, queue: Queue) -> None:
        self._lane = Lane(queue.name)
        self._state = WorkerStatus.BUSY  # so that RQ's SIGTERM handler lets the envelope end
        self.run_envelope(job.id)
        self._state = WorkerStatus.IDLE

    def run_envelope(self, envelope_id: str) -> None:
        """Run what an envelope still holds; deliver each result as it is there; forget the envelope."""
        pipeline = self._redis.pipeline(transaction=False)
        envelope.claim(pipeline, envelope_id, self.name)
        content = self._with_room(pipeline.execute)[-1]
        try:
            items = [] if content is None else envelope.read(content).items
        except Unreadable as error:
            self._pass_on(envelope_id, content or b"", error)
            return
        wanted = self._wanted(items)
        if len(wanted) < len(items):
            still = {each.id for each in wanted}
            for unwanted in (each for each in items if each.id not in still):
                self._courier.drop(unwanted)
        with self._rest_lock:
            self._rest.extend(wanted)
        not_run: list[Item] = []
        try:
            while (item := self._next()) is not None:
                self._activity.begins(item)
                self._journal.begins(item, self._lane)
                self._slot.tag = f"{item.request} {item.id}" if item.request else item.id
                try:
                    result = self._performed(item)
                except CannotRun as error:
                    self._cannot_run(item, error, not_run)
                    continue
                if result is None:
                    self._courier.drop(item)
                    self._activity.drops()
                    continue
                self._courier.take(item, result)
                if result != ELSEWHERE:
                    self._activity.ends(item, result)
                    self._journal.ends(result)
        finally:
            self._forget_rest()
            self._journal.rests()
        self._return(not_run)
        self._forget(envelope_id, items)

    def _forget(self, envelope_id: str, items: Sequence[Item]) -> None:
        """Deliver what was taken, and forget the envelope in the same round trip."""

        def forget(ending: Pipeline) -> None:
            ending.decrby(keys.depth(self._lane), len(items))
            envelope.done(ending, self._lane, envelope_id)
            if not items or items[0].client:
                fairness.done(ending, self._lane, envelope_id, self._settings.lease_s)

        self._with_room(lambda: self._courier.flush(forget))

    def _with_room(self, write: Callable[[], Answer]) -> Answer:
        """Write to Redis, and while it is full try again: what was accepted waits for room and is not lost."""
        while True:
            try:
                return write()
            except RedisError as error:
                if not is_full(error) or self._stop_requested:
                    raise
                logger.warning("Redis is full, trying again: %s", error)
                time.sleep(FULL_PAUSE_S)

    def _pass_on(self, envelope_id: str, content: bytes, why: Unreadable) -> None:
        """Leave an envelope to a worker of the API's version, and pause so that one gets it.

        One that nobody can read after many tries is answered: its clients would wait until their time is up.
        """
        passes = self._redis.incr(keys.passes(envelope_id))
        self._redis.expire(keys.passes(envelope_id), self._settings.queue_ttl_s)
        if passes > MOST_PASSES:
            self._answer_unread(envelope_id, content, why)
            return
        logger.warning("passed on, upgrade this worker: %s", why, extra={"envelope": envelope_id})
        pipeline = self._redis.pipeline()
        envelope.pass_on(pipeline, self._lane, envelope_id)
        pipeline.execute()
        time.sleep(PASS_ON_PAUSE_S)

    def _answer_unread(self, envelope_id: str, content: bytes, why: Unreadable) -> None:
        logger.error("no worker can read an envelope: %s", why, extra={"envelope": envelope_id})
        try:
            headers = envelope.read_headers(content)
        except Unreadable as error:
            logger.error("its items have no result: %s", error, extra={"envelope": envelope_id})
            headers = []
        for item, request in headers:
            self._courier.take(item, failed_unread(item, request, f"no worker can read the request: {why}"))
        self._forget(envelope_id, [item for item, _ in headers])

    def _performed(self, item: Item) -> bytes | None:
        """The item's result, also where our own code has a fault: an accepted item is never left without an answer.

        None when the submission was cancelled meanwhile.
        """
        try:
            self._slot.doubtful = ""
            with self._spool.lent(item) as whole:
                result = perform(whole, self._slot)
            if self._slot.doubtful:
                self._check.prove_again(self._slot.doubtful)
            return result
        except (StopRequested, CannotRun):
            raise
        except Cancelled:
            return None
        except NotHere as error:
            logger.info("an item is asked for anew: %s", error)
            return ELSEWHERE
        except Exception as error:
            logger.exception("an item met a fault of ours", extra={"item": item.id})
            return failed(item, f"{type(error).__name__}: {error}")

    def _cannot_run(self, item: Item, why: CannotRun, not_run: list[Item]) -> None:
        """Keep an item in the queue where somebody may still run it, with all behind it if this slot serves nothing.

        A client that waits for a program whose image alone is missing is told at once.
        """
        logger.error("an item cannot run: %s", why)
        self._activity.drops()
        self._journal.waits()
        if not self._check.serves():
            with self._rest_lock:
                not_run += [item, *self._rest]
                self._rest.clear()
            return
        self._courier.cannot_run(item, failed(item, str(why)))
        if item.kept:
            not_run.append(item)

    def _return(self, items: Sequence[Item]) -> None:
        """Queue items that could not run: at the front, or at the end where this slot would take them again at once."""
        if items:
            serves = self._check.serves()
            sent = self._queue_again(items, at_front=not serves)
            for submission in {item.submission for item in items if item.kept}:
                if self._redis.exists(keys.job(submission)):  # it is queued again, at this envelope's place
                    self._redis.hset(keys.job(submission), "envelope", sent.ids[0])
            if serves:
                time.sleep(PASS_ON_PAUSE_S)

    def _wanted(self, items: Sequence[Item]) -> Sequence[Item]:
        """The items that nobody cancelled and that have no kept result yet."""
        if not items:
            return items
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.mget([keys.cancelled(item.submission) for item in items])
        for item in items:
            if item.kept:
                pipeline.hexists(keys.results(item.submission), str(item.index or 0))
        cancelled, *there = pipeline.execute()
        have = iter(there)
        return [
            item for item, no in zip(items, cancelled, strict=True) if not (item.kept and next(have)) and no is None
        ]

    def _next(self) -> Item | None:
        """The next item that is still wanted, from which on the slot may be used again after a stop."""
        with self._rest_lock:
            self._slot.stop.clear()
            self._busy_since = time.monotonic()
            while self._rest and self._rest[0].submission in self._cancelled:
                self._courier.drop(self._rest.popleft())
            self._submission = self._rest[0].submission if self._rest else ""
            return self._rest.popleft() if self._rest else None

    def _forget_rest(self) -> None:
        with self._rest_lock:
            self._busy_since = 0.0
            self._submission = ""
            self._rest.clear()
            self._cancelled.clear()

    def _stop_if_cancelled(self) -> None:
        """Stop the item that runs when its submission was cancelled. Raises RedisError."""
        submission = self._submission
        if not submission or submission in self._cancelled or not self._side_redis.exists(keys.cancelled(submission)):
            return
        with self._rest_lock:
            if submission == self._submission:
                self._cancelled.add(submission)
                self._slot.stop.set()

    def _watch_rest(self) -> None:
        told_at = looked_at = 0.0
        while True:
            time.sleep(GIVE_BACK_LOOK_S)
            try:
                self._give_back_rest()
                if time.monotonic() - looked_at >= CANCEL_LOOK_S:
                    looked_at = time.monotonic()
                    self._stop_if_cancelled()
            except RedisError as error:
                logger.warning("could not hand back waiting items or check for cancellations: %s", error)
            if time.monotonic() - told_at >= PUBLISH_EVERY_S:
                told_at = time.monotonic()
                self._publish_activity()

    def _publish_activity(self) -> None:
        try:
            self._activity.publish()
        except RedisError as error:
            logger.warning("the live view misses what ended here: %s", error)

    def _give_back_rest(self) -> None:
        """Queue the items behind a program that takes long as an envelope of their own, at the lane's front."""
        with self._rest_lock:
            slow = self._busy_since and time.monotonic() - self._busy_since > GIVE_BACK_AFTER_S
            if not slow or not self._rest:
                return
            self._queue_again(self._rest, at_front=True)
            self._rest.clear()

    def _queue_again(self, items: Sequence[Item], at_front: bool) -> Sent:
        """Put items of one client into an envelope of their own. Raises RedisError."""
        content = [item.model_dump_json().encode() for item in items]
        client, ttl_s, lease_s = items[0].client, self._settings.queue_ttl_s, self._settings.lease_s
        queue = envelope.lane_queue(self._lane, self._side_redis)
        if client:
            return envelope.park(self._side_redis, queue, [content], ttl_s, client, lease_s, at_front)
        return envelope.send(self._side_redis, queue, [content], time.time(), ttl_s, at_front)

    def _described(self) -> Mapping[str, Any]:
        waiting = self._check.waiting()
        now = {
            **self._description,
            **self._activity.now(),
            "missing_walls": self._missing_walls,
            "boxes": self._slot.places(),
            "waiting": waiting,
            "missing_languages": self._missing_languages(),
        }
        if self._stop_requested:
            return {**now, "state": "draining"}
        if self._slot.starting or not self._check.serves():
            return {**now, "state": "warming"}
        return now

    def _missing_languages(self) -> list[str]:
        """Asked for now and then only: an image may be built while this runs."""
        now = time.monotonic()
        if now - self._languages_seen_at > LANGUAGES_LOOK_S:
            self._languages_seen_at = now
            with suppress(InfrastructureError):
                self._lacking = self._slot.missing_languages()
        return self._lacking


def make_engine(settings: WorkerSettings, slot: int) -> Engine:
    """The engine the settings name; imported only when chosen, so that neither needs the other's packages."""
    if settings.engine == "docker":
        from sandbox.box.docker_engine import DockerEngine

        return DockerEngine(settings, slot)
    from sandbox.box.local_engine import LocalEngine

    return LocalEngine(settings, slot)


def main(settings: WorkerSettings, slot: int, journal: Journal | None = None, express: Sequence[Lane] = ()) -> int:
    """Work until SIGTERM or SIGINT; a program that runs then is finished first."""
    journal = Journal(readers=[log_journey]) if journal is None else journal
    redis = connect(settings.effective_redis_url)
    engine: Engine = DeferredEngine(lambda: make_engine(settings, slot))
    # A local box has the CPUs of the worker that starts it.
    if settings.pin == "slots" or (settings.pin == "boxes" and settings.engine == "local"):
        os.sched_setaffinity(0, cpus.of_slot(slot, settings.slots))
    ready = settings.fresh_ready if settings.isolation == "fresh" else settings.spare_boxes
    if ready and not express:
        engine = Pool(engine, ready)
    max_runs = settings.box_max_runs if settings.isolation == "box" else FOR_ONE_PROGRAM
    boxes = Slot(engine, max_runs, settings.box_max_age_s, journal)
    name = f"{socket.gethostname()}-{os.getpid()}-{slot}{leases.EXPRESS if express else ''}"
    proof = None if express else prove
    try:
        SlotWorker(settings, boxes, redis, name, journal, express, proof).work(logging_level="WARNING")
    finally:
        boxes.close()
        engine.close()
    return 0
