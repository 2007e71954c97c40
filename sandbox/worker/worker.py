"""A worker process: it owns one slot, takes batches from the queue, and writes the result of each item.

A claim on the batch and a heartbeat (`leases`) let other workers take over the work of a dead worker within seconds;
RQ's own mechanism takes minutes. If the current program is slow, the worker returns the rest of its batch to the queue,
so that it runs elsewhere instead of waiting. The same thread stops the current item if its submission is cancelled.
"""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from sandbox import __version__
from sandbox.box import cpu_pinning
from sandbox.box.deferred_engine import DeferredEngine
from sandbox.box.engine import Engine
from sandbox.box.prestart import PrestartPool
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.errors import Cancelled, CannotRun, InfrastructureError
from sandbox.queue import fair_queue, job_batch, leases, redis_keys
from sandbox.queue.activity import Finished, WorkerActivity
from sandbox.queue.connection import connect, get_failure_log_level
from sandbox.queue.job_batch import Item, SentBatches, UnreadableBatch
from sandbox.queue.leases import Heartbeat
from sandbox.queue.payload_files import PAYLOAD_MISSING, PayloadFiles, PayloadMissing
from sandbox.queue.result_writer import ResultWriter
from sandbox.queue.rq_compat import RqWorker, StopRequested
from sandbox.queue.storage_limits import is_redis_full
from sandbox.queue.stored_rewards import RewardWriter, StoredRewards
from sandbox.queue.task_sets import TaskSets
from sandbox.rewards.scoring import score_stored_request
from sandbox.schema import Lane
from sandbox.worker.execute import build_failure_result, build_unread_failure_result, execute_item
from sandbox.worker.item_trace import ItemTracer, log_trace
from sandbox.worker.remaining_items import RemainingItems
from sandbox.worker.slot_check import SelfTest, SlotCallbacks, SlotCheck, run_self_test

logger = logging.getLogger(__name__)

REQUEUE_AFTER_S = 0.25
REQUEUE_CHECK_INTERVAL_S = 0.1
CANCEL_CHECK_INTERVAL_S = 0.3
RESERVED_CHECK_INTERVAL_S = 0.2
PUBLISH_INTERVAL_S = 0.4
RETURN_PAUSE_S = 0.2
LANGUAGES_CHECK_INTERVAL_S = 10.0
MAX_UNREADABLE_RETURNS = 150  # 30 s for one idle worker: enough for a rolling upgrade to start a newer one
REDIS_FULL_PAUSE_S = 1.0
DEQUEUE_TIMEOUT_S = 5
Answer = TypeVar("Answer")
ONE_PROGRAM_PER_BOX = 0  # a box has reached its maximum of runs after its first use


class SlotWorker:
    """Takes and runs job batches. `work` returns after a signal asks it to stop.

    A reserved worker serves only some lanes. It takes a batch only if no other worker does, because programs of other
    lanes may occupy every other slot for minutes.
    """

    def __init__(
        self,
        settings: WorkerSettings,
        slot: Slot,
        redis: Redis,
        name: str,
        tracer: ItemTracer,
        reserved_lanes: Sequence[Lane] = (),
        self_test: SelfTest | None = None,
    ) -> None:
        queues = [job_batch.get_lane_queue(lane, redis) for lane in reserved_lanes or redis_keys.LANES]
        self._rq_worker = RqWorker(self, queues, name, redis)
        self._name = name
        self._settings = settings
        self._slot = slot
        self._redis = redis
        self._background_redis = connect(settings.effective_redis_url)
        reward_writer = _build_reward_writer(settings, self._background_redis)
        self._result_writer = ResultWriter(redis, settings.result_ttl_s, settings.max_kept_mb, reward_writer)
        self._lane = Lane.DEFAULT
        self._remaining = RemainingItems()
        self._lane_keys = [queue.key for queue in queues]
        self._is_reserved = bool(reserved_lanes)
        self._lane_heads: list[bytes | None] = [None for _ in queues]
        self._lane_by_key = {queue.key.encode(): queue.name for queue in queues}
        self._payload_files = PayloadFiles(settings.home)
        self._missing_isolation: list[str] = []
        self._known_missing: list[str] = []
        self._languages_checked_at = float("-inf")
        self._description = {
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "engine": settings.engine,
            "version": __version__,
            "reads": job_batch.FORMAT_VERSION,
            "spool": self._payload_files.identity,
        }
        self._activity = WorkerActivity(self._background_redis, name)
        self._tracer = tracer
        self._heartbeat = Heartbeat(
            self._background_redis,
            name,
            settings.lease_s,
            self._describe,
            self._requeue_remaining,
            tracer.record_reaped,
        )
        self._heartbeat.is_starting = self_test is not None
        self._slot_check = SlotCheck(
            slot, self_test, SlotCallbacks(on_wait=self._tracer.set_warming, on_ready=self._handle_ready)
        )

    def work(self) -> None:
        """Run batches until SIGTERM or SIGINT; the current batch is finished first."""
        self._rq_worker.work(logging_level="WARNING")

    def start(self) -> None:
        self._heartbeat.start()
        threading.Thread(target=self._watch_current_item, name="give-back", daemon=True).start()

    def stop(self) -> None:
        self._heartbeat.stop()

    def take(self) -> tuple[bytes, str] | None:
        """Return the id and lane of the next batch, from the first lane that has one; None if there is none yet."""
        if not self._slot_check.ensure_ready():
            return None
        taken = (
            self._take_stuck() if self._is_reserved else self._redis.blpop(self._lane_keys, timeout=DEQUEUE_TIMEOUT_S)
        )
        return None if taken is None else (taken[1], self._lane_by_key[taken[0]])

    def run(self, batch_id: str, lane: str) -> None:
        """Run the remaining items of a batch, write each result as soon as it exists, and delete the batch."""
        self._lane = Lane(lane)
        self._run_batch(batch_id)

    def _handle_ready(self) -> None:
        """Announce immediately that this worker can run programs."""
        self._tracer.set_idle()
        try:
            self._missing_isolation = self._slot.list_missing_isolation()
        except InfrastructureError as error:
            logger.warning("cannot check which isolation layers the engine lacks: %s", error)
        try:
            self._heartbeat.mark_ready()
        except RedisError as error:
            logger.log(get_failure_log_level(), "heartbeat missed: %s", error)

    def _take_stuck(self) -> tuple[bytes, bytes] | None:
        """Take a batch that is still first in its lane at the second check while no batch of that lane runs.

        All other slots are then busy with other lanes. Returns None if there is no stuck batch.
        """
        pipeline = self._redis.pipeline(transaction=False)
        for key, lane in zip(self._lane_keys, self._lane_by_key.values(), strict=True):
            pipeline.lindex(key, 0)
            pipeline.llen(key)
            pipeline.zcard(redis_keys.outstanding(lane))
        replies = pipeline.execute()
        before, self._lane_heads = self._lane_heads, replies[::3]
        for place, key in enumerate(self._lane_keys):
            head, waiting, outstanding = replies[3 * place : 3 * place + 3]
            stuck = head is not None and head == before[place] and outstanding <= waiting
            if stuck and (batch_id := self._redis.lpop(key)) is not None:
                return key.encode(), batch_id
        time.sleep(RESERVED_CHECK_INTERVAL_S)
        return None

    def _run_batch(self, batch_id: str) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        job_batch.claim(pipeline, batch_id, self._name)
        content = self._retry_while_full(pipeline.execute)[-1]
        try:
            items = [] if content is None else job_batch.parse_batch(content).items
        except UnreadableBatch as error:
            self._return_unreadable(batch_id, content or b"", error)
            return
        wanted = self._select_wanted(items)
        if len(wanted) < len(items):
            still = {each.id for each in wanted}
            for unwanted in (each for each in items if each.id not in still):
                self._result_writer.release_item(unwanted)
        self._remaining.extend(wanted)
        not_run: list[Item] = []
        try:
            while (item := self._take_next()) is not None:
                self._activity.start_item(item)
                self._tracer.start_item(item, self._lane)
                self._slot.tag = f"{item.request} {item.id}" if item.request else item.id
                try:
                    result = self._execute_item(item)
                except CannotRun as error:
                    self._handle_cannot_run(item, error, not_run)
                    continue
                if result is None:
                    self._result_writer.release_item(item)
                    self._activity.drop_item()
                    continue
                self._result_writer.write(item, result.json)
                if result.json != PAYLOAD_MISSING:
                    self._activity.finish_item(item, result)
                    self._tracer.finish_item(result)
        finally:
            self._remaining.clear()
            self._tracer.set_idle()
        self._requeue_not_run(not_run)
        self._finish_batch(batch_id, items)

    def _finish_batch(self, batch_id: str, items: Sequence[Item]) -> None:
        """Write the collected results and delete the batch in the same round trip."""

        def add_commands(ending: Pipeline) -> None:
            ending.decrby(redis_keys.depth(self._lane), len(items))
            job_batch.delete_batch(ending, self._lane, batch_id)
            if not items or items[0].client:
                fair_queue.finish_batch(ending, self._lane, batch_id, self._settings.lease_s)

        self._retry_while_full(lambda: self._result_writer.flush(add_commands))

    def _retry_while_full(self, write: Callable[[], Answer]) -> Answer:
        """Write to Redis, and retry while it is full: accepted work waits for room instead of being lost."""
        while True:
            try:
                return write()
            except RedisError as error:
                if not is_redis_full(error) or self._rq_worker.is_stopping:
                    raise
                logger.warning("Redis is full, retrying: %s", error)
                time.sleep(REDIS_FULL_PAUSE_S)

    def _return_unreadable(self, batch_id: str, content: bytes, reason: UnreadableBatch) -> None:
        """Return a batch to its lane for a newer worker, and pause so that one can take it.

        After `MAX_UNREADABLE_RETURNS` returns, write error results instead, so that its clients do not wait for their
        timeout.
        """
        passes = self._redis.incr(redis_keys.unreadable_returns(batch_id))
        self._redis.expire(redis_keys.unreadable_returns(batch_id), self._settings.queue_ttl_s)
        if passes > MAX_UNREADABLE_RETURNS:
            self._fail_unreadable(batch_id, content, reason)
            return
        logger.warning("batch passed on, upgrade this worker: %s", reason, extra={"envelope": batch_id})
        pipeline = self._redis.pipeline()
        job_batch.return_to_lane(pipeline, self._lane, batch_id)
        pipeline.execute()
        time.sleep(RETURN_PAUSE_S)

    def _fail_unreadable(self, batch_id: str, content: bytes, reason: UnreadableBatch) -> None:
        logger.error("no worker can read a batch, failing its items: %s", reason, extra={"envelope": batch_id})
        try:
            headers = job_batch.read_headers(content)
        except UnreadableBatch as error:
            logger.error("the items of a batch get no result: %s", error, extra={"envelope": batch_id})
            headers = []
        for item, request in headers:
            result = build_unread_failure_result(item, request, f"no worker can read the request: {reason}")
            self._result_writer.write(item, result.json)
        self._finish_batch(batch_id, [item for item, _ in headers])

    def _execute_item(self, item: Item) -> Finished | None:
        """Run an item and return its result; return None if the submission was cancelled.

        An unexpected exception also yields a result, so that an accepted item always has one.
        """
        try:
            self._slot.repeated_failure = ""
            with self._payload_files.restore_item(item) as whole:
                result = execute_item(whole, self._slot)
            if self._slot.repeated_failure:
                self._slot_check.repeat_self_test(self._slot.repeated_failure)
            return result
        except (StopRequested, CannotRun):
            raise
        except Cancelled:
            return None
        except PayloadMissing as error:
            logger.info("payload file is missing, requesting the item again: %s", error)
            return Finished(PAYLOAD_MISSING, "")
        except Exception as error:
            logger.exception("item failed with an internal error", extra={"item": item.id})
            return build_failure_result(item, f"{type(error).__name__}: {error}")

    def _handle_cannot_run(self, item: Item, reason: CannotRun, not_run: list[Item]) -> None:
        """Handle an item that cannot run here, and collect in `not_run` what must go back to the queue.

        If the slot can run nothing, that is this item and all remaining ones. If only this program's image is missing,
        a waiting client gets an error at once, and a stored item goes back to the queue.
        """
        logger.error("item cannot run: %s", reason)
        self._activity.drop_item()
        self._tracer.set_warming()
        if not self._slot_check.can_serve():
            not_run += [item, *self._remaining.take_all()]
            return
        self._result_writer.write_cannot_run(item, build_failure_result(item, str(reason)).json)
        if item.kept:
            not_run.append(item)

    def _requeue_not_run(self, items: Sequence[Item]) -> None:
        """Return items that could not run to the queue.

        They go to the front, or to the end if this slot still serves and would take them again immediately.
        """
        if items:
            serves = self._slot_check.can_serve()
            sent = self._requeue(items, at_front=not serves)
            for submission in {item.submission for item in items if item.kept}:
                if self._redis.exists(redis_keys.job(submission)):  # the new batch determines its position
                    self._redis.hset(redis_keys.job(submission), "envelope", sent.ids[0])
            if serves:
                time.sleep(RETURN_PAUSE_S)

    def _select_wanted(self, items: Sequence[Item]) -> Sequence[Item]:
        """Return the items that are not cancelled and have no stored result."""
        if not items:
            return items
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.mget([redis_keys.cancelled(item.submission) for item in items])
        for item in items:
            if item.kept:
                pipeline.hexists(redis_keys.results(item.submission), str(item.index or 0))
        cancelled, *there = pipeline.execute()
        have = iter(there)
        return [
            item
            for item, is_cancelled in zip(items, cancelled, strict=True)
            if not (item.kept and next(have)) and is_cancelled is None
        ]

    def _take_next(self) -> Item | None:
        return self._remaining.take_next(self._slot.stop_signal.clear, self._result_writer.release_item)

    def _stop_if_cancelled(self) -> None:
        """Stop the current item if its submission was cancelled. Raises RedisError."""
        self._remaining.stop_if_cancelled(
            lambda submission: bool(self._background_redis.exists(redis_keys.cancelled(submission))),
            self._slot.stop_signal.set,
        )

    def _watch_current_item(self) -> None:
        published_at = checked_at = 0.0
        while True:
            time.sleep(REQUEUE_CHECK_INTERVAL_S)
            try:
                self._requeue_remaining()
                if time.monotonic() - checked_at >= CANCEL_CHECK_INTERVAL_S:
                    checked_at = time.monotonic()
                    self._stop_if_cancelled()
            except RedisError as error:
                logger.log(get_failure_log_level(), "cannot return waiting items or check for cancellations: %s", error)
            if time.monotonic() - published_at >= PUBLISH_INTERVAL_S:
                published_at = time.monotonic()
                self._publish_activity()

    def _publish_activity(self) -> None:
        try:
            self._activity.publish()
        except RedisError as error:
            logger.log(get_failure_log_level(), "cannot publish finished items to the live view: %s", error)

    def _requeue_remaining(self) -> None:
        """Return the items behind a slow program to the front of the lane, as a batch of their own."""
        self._remaining.requeue_if_slow(REQUEUE_AFTER_S, lambda items: self._requeue(items, at_front=True))

    def _requeue(self, items: Sequence[Item], at_front: bool) -> SentBatches:
        """Queue items of one client as a new batch. Raises RedisError."""
        content = [item.model_dump_json().encode() for item in items]
        client, ttl_s, lease_s = items[0].client, self._settings.queue_ttl_s, self._settings.lease_s
        queue = job_batch.get_lane_queue(self._lane, self._background_redis)
        if client:
            return job_batch.send_for_client(self._background_redis, queue, [content], ttl_s, client, lease_s, at_front)
        return job_batch.send(self._background_redis, queue, [content], time.time(), ttl_s, at_front)

    def _describe(self) -> Mapping[str, Any]:
        waiting = self._slot_check.describe_wait()
        now = {
            **self._description,
            **self._activity.describe_state(),
            "missing_walls": self._missing_isolation,
            "boxes": self._slot.list_box_keys(),
            "waiting": waiting,
            "missing_languages": self._find_missing_languages(),
        }
        if self._rq_worker.is_stopping:
            return {**now, "state": "draining"}
        if self._slot.starting_image or not self._slot_check.can_serve():
            return {**now, "state": "warming"}
        return now

    def _find_missing_languages(self) -> list[str]:
        """Return the languages that the slot cannot run. Checks again every 10 s, because images may be built later."""
        now = time.monotonic()
        if now - self._languages_checked_at > LANGUAGES_CHECK_INTERVAL_S:
            self._languages_checked_at = now
            with suppress(InfrastructureError):
                self._known_missing = self._slot.find_missing_languages()
        return self._known_missing


def _build_reward_writer(settings: WorkerSettings, redis: Redis) -> RewardWriter:
    # A worker reads the tasks of a batch only once, so they are not cached.
    task_sets = TaskSets(redis, settings.task_set_ttl_s, cache_mb=0)
    score_rewards = partial(score_stored_request, look_up_tasks=task_sets.get)
    return RewardWriter(StoredRewards(redis, settings.result_ttl_s, score_rewards))


def make_engine(settings: WorkerSettings, slot: int) -> Engine:
    """Create the engine that the settings choose. Imports only its module, so the other's packages may be absent."""
    if settings.engine == "docker":
        from sandbox.box.docker.engine import DockerEngine

        return DockerEngine(settings, slot)
    from sandbox.box.local.engine import LocalEngine

    return LocalEngine(settings, slot)


def main(
    settings: WorkerSettings, slot: int, tracer: ItemTracer | None = None, reserved_lanes: Sequence[Lane] = ()
) -> int:
    """Run a worker until SIGTERM or SIGINT; the current batch is finished first."""
    tracer = ItemTracer(trace_handlers=[log_trace]) if tracer is None else tracer
    redis = connect(settings.effective_redis_url, forever=True)
    engine: Engine = DeferredEngine(lambda: make_engine(settings, slot))
    # A local box inherits the CPUs of the worker that starts it.
    if settings.pin == "slots" or (settings.pin == "boxes" and settings.engine == "local"):
        os.sched_setaffinity(0, cpu_pinning.assign_cpus(slot, settings.slots))
    ready_count = settings.fresh_ready if settings.isolation == "fresh" else settings.spare_boxes
    if ready_count and not reserved_lanes:
        engine = PrestartPool(engine, ready_count)
    max_runs = settings.box_max_runs if settings.isolation == "box" else ONE_PROGRAM_PER_BOX
    box_slot = Slot(engine, max_runs, settings.box_max_age_s, tracer)
    name = f"{socket.gethostname()}-{os.getpid()}-{slot}{leases.RESERVED_SUFFIX if reserved_lanes else ''}"
    self_test = None if reserved_lanes else run_self_test
    try:
        SlotWorker(settings, box_slot, redis, name, tracer, reserved_lanes, self_test).work()
    finally:
        box_slot.close()
        engine.close()
    return 0
