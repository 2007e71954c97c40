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
from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from redis import Redis
from redis.client import Pipeline
from redis.exceptions import RedisError

from sandbox.box.environment import EnvironmentBusy
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.errors import Cancelled, CannotRun
from sandbox.queue import fair_queue, job_batch, leases, redis_keys
from sandbox.queue.activity import WorkerActivity
from sandbox.queue.connection import connect, is_redis_full, log_redis_errors
from sandbox.queue.job_batch import Item, UnreadableBatch
from sandbox.queue.leases import Heartbeat
from sandbox.queue.lifecycle import Finished, LifecycleLog
from sandbox.queue.payload_files import PAYLOAD_MISSING, PayloadFiles, PayloadMissing
from sandbox.queue.result_writer import ResultWriter
from sandbox.queue.rq_compat import RqWorker, StopRequested
from sandbox.schema import Lane
from sandbox.worker.batch_rewards import build_reward_writer
from sandbox.worker.batch_source import OFFERS, BatchSource
from sandbox.worker.environments import ItemEnvironments
from sandbox.worker.execute import JudgeTests, build_failure_result, execute_item, judge_in_order
from sandbox.worker.idle_help import IdleHelp
from sandbox.worker.item_trace import ItemTracer
from sandbox.worker.remaining_items import ItemReturns, RemainingItems, select_wanted
from sandbox.worker.self_description import SelfDescription
from sandbox.worker.slot_boxes import make_environment_images, open_slot
from sandbox.worker.slot_check import SelfTest, SlotCallbacks, SlotCheck, run_self_test
from sandbox.worker.spread import Spread
from sandbox.worker.unreadable_batches import UnreadableBatches

logger = logging.getLogger(__name__)

REQUEUE_AFTER_S = 0.25
REQUEUE_CHECK_INTERVAL_S = 0.1
CANCEL_CHECK_INTERVAL_S = 0.3
PUBLISH_INTERVAL_S = 0.4
REDIS_FULL_PAUSE_S = 1.0
Answer = TypeVar("Answer")


class SlotWorker:
    """Takes and runs job batches. `work` returns after a signal asks it to stop.

    A reserved worker serves only `reserved_lanes`, and takes only batches that no other worker takes.
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
        self._source = BatchSource(redis, reserved_lanes, settings.spread_tests)
        self._rq_worker = RqWorker(self, self._source.queues, name, redis)
        self._name = name
        self._settings = settings
        self._slot = slot
        self._redis = redis
        self._background_redis = connect(settings.effective_redis_url)
        reward_writer = build_reward_writer(settings, self._background_redis)
        self._result_writer = ResultWriter(redis, settings.result_ttl_s, settings.max_kept_mb, reward_writer)
        self._unreadable = UnreadableBatches(redis, self._result_writer, settings.queue_ttl_s)
        self._lane = Lane.DEFAULT
        self._remaining = RemainingItems()
        self._returns = ItemReturns(redis, self._background_redis, settings.queue_ttl_s, settings.lease_s)
        self._payload_files = PayloadFiles(settings.home)
        self._activity = WorkerActivity(self._background_redis, name)
        images = make_environment_images(settings, tracer.record_environment_build)
        self._environments = ItemEnvironments(redis, images, slot)
        self._tracer = tracer
        tracer.add_observer(self._activity)
        self._spread = Spread(self._background_redis, name, settings.lease_s, tracer)
        self._help = IdleHelp(self._background_redis, name, slot, self._environments, tracer, self._activity)
        self._slot_check = SlotCheck(
            slot, self_test, SlotCallbacks(on_wait=tracer.set_warming, on_ready=self._handle_ready)
        )
        self._description = SelfDescription(
            settings, self._payload_files.identity, slot, self._slot_check, self._activity
        )
        self._heartbeat = Heartbeat(
            self._background_redis,
            name,
            settings.lease_s,
            lambda: self._description.describe(self._rq_worker.is_stopping),
            self._requeue_remaining,
            tracer.record_reaped,
        )
        self._heartbeat.is_starting = self_test is not None

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
        self._slot.close_idle_environments()
        taken = self._source.take() if self._slot_check.ensure_ready() else None
        if taken is None or taken[1] != OFFERS:
            return taken
        self._help.help(taken[0].decode())
        return None

    def run(self, batch_id: str, lane: str) -> None:
        """Run the remaining items of a batch, write each result as soon as it exists, and delete the batch."""
        self._lane = Lane(lane)
        self._run_batch(batch_id)

    def _handle_ready(self) -> None:
        """Announce immediately that this worker can run programs."""
        self._tracer.set_idle()
        self._description.check_isolation()
        with log_redis_errors(logger, "heartbeat missed"):
            self._heartbeat.mark_ready()

    def _run_batch(self, batch_id: str) -> None:
        pipeline = self._redis.pipeline(transaction=False)
        job_batch.claim(pipeline, batch_id, self._name)
        *_, may_be_cancelled, content = self._retry_while_full(pipeline.execute)
        try:
            items = [] if content is None else job_batch.parse_batch(content).items
        except UnreadableBatch as error:
            if not self._unreadable.leave_to_others(self._lane, batch_id, error):
                self._finish_batch(batch_id, self._unreadable.fail_items(batch_id, content or b"", error))
            return
        wanted = select_wanted(self._redis, items) if may_be_cancelled or any(each.kept for each in items) else items
        if len(wanted) < len(items):
            still = {each.id for each in wanted}
            for unwanted in (each for each in items if each.id not in still):
                self._result_writer.release_item(unwanted)
        self._remaining.extend(wanted)
        not_run: list[Item] = []
        try:
            while (item := self._take_next()) is not None:
                self._tracer.start_item(item, self._lane)
                self._slot.tag = f"{item.request} {item.id}" if item.request else item.id
                try:
                    result = self._execute_item(item)
                except EnvironmentBusy:  # the image will be there soon; meanwhile this slot runs other programs
                    self._tracer.drop_item("returned")
                    not_run.append(item)
                    continue
                except CannotRun as error:
                    self._handle_cannot_run(item, error, not_run)
                    continue
                if result is None:
                    self._result_writer.release_item(item)
                    self._tracer.drop_item("cancelled")
                    continue
                # The final flush sends the last result, unless items must be requeued first, which would delay it.
                is_last = self._remaining.is_empty and not not_run
                self._result_writer.write(item, result.json, is_last)
                if result.json == PAYLOAD_MISSING:
                    self._tracer.drop_item("returned")
                else:
                    self._tracer.finish_item(result)
        finally:
            self._remaining.clear()
            self._tracer.set_idle()
        self._returns.requeue_not_run(not_run, self._lane, self._slot_check.can_serve())
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
        """Write to Redis, and retry while Redis is full, so that results of accepted work are not lost."""
        while True:
            try:
                return write()
            except RedisError as error:
                if not is_redis_full(error) or self._rq_worker.is_stopping:
                    raise
                logger.warning("Redis is full, retrying: %s", error)
                time.sleep(REDIS_FULL_PAUSE_S)

    def _execute_item(self, item: Item) -> Finished | None:
        """Run an item and return its result; return None if the submission was cancelled.

        An unexpected exception also yields a result, so that an accepted item always has one.
        """
        try:
            self._slot.repeated_failure = ""
            with self._payload_files.restore_item(item) as whole, self._environments.use(whole):
                result = execute_item(whole, self._slot, self._build_judge(item))
            if self._slot.repeated_failure:
                self._slot_check.repeat_self_test(self._slot.repeated_failure)
            return result
        except (StopRequested, CannotRun, EnvironmentBusy):
            raise
        except Cancelled:
            return None
        except PayloadMissing as error:
            logger.info("payload file is missing, requesting the item again: %s", error)
            return Finished(PAYLOAD_MISSING, "")
        except Exception as error:
            logger.exception("item failed with an internal error", extra={"item": item.id})
            return build_failure_result(item, f"{type(error).__name__}: {error}")

    def _build_judge(self, item: Item) -> JudgeTests:
        return partial(self._spread.judge, item, self._slot) if self._settings.spread_tests else judge_in_order

    def _handle_cannot_run(self, item: Item, reason: CannotRun, not_run: list[Item]) -> None:
        """Handle an item that cannot run here. Add the items that must go back to the queue to `not_run`.

        If the slot can run nothing, these are this item and all remaining ones. If only this program's image is
        missing, a waiting client gets an error at once, and a stored item goes back to the queue.
        """
        logger.error("item cannot run: %s", reason)
        self._tracer.drop_item("returned")
        self._tracer.set_warming()
        if not self._slot_check.can_serve():
            not_run += [item, *self._remaining.take_all()]
            return
        self._result_writer.write_cannot_run(item, build_failure_result(item, str(reason)).json)
        if item.kept:
            not_run.append(item)

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
            with log_redis_errors(logger, "cannot return waiting items or check for cancellations"):
                self._requeue_remaining()
                self._spread.offer()
                self._help.stop_if_needed()
                if time.monotonic() - checked_at >= CANCEL_CHECK_INTERVAL_S:
                    checked_at = time.monotonic()
                    self._stop_if_cancelled()
            if time.monotonic() - published_at >= PUBLISH_INTERVAL_S:
                published_at = time.monotonic()
                with log_redis_errors(logger, "cannot publish finished items to the live view"):
                    self._activity.publish()

    def _requeue_remaining(self) -> None:
        """Return the items that wait behind a slow program to the front of the lane, as a new batch."""
        self._remaining.requeue_if_slow(
            REQUEUE_AFTER_S, lambda items: self._returns.requeue(items, self._lane, at_front=True)
        )


def main(
    settings: WorkerSettings, slot: int, tracer: ItemTracer | None = None, reserved_lanes: Sequence[Lane] = ()
) -> int:
    """Run a worker until SIGTERM or SIGINT; the current batch is finished first."""
    tracer = ItemTracer([LifecycleLog()]) if tracer is None else tracer
    redis = connect(settings.effective_redis_url, forever=True)
    name = f"{socket.gethostname()}-{os.getpid()}-{slot}{leases.RESERVED_SUFFIX if reserved_lanes else ''}"
    self_test = None if reserved_lanes else run_self_test
    with open_slot(settings, slot, tracer, prestarts=not reserved_lanes) as box_slot:
        SlotWorker(settings, box_slot, redis, name, tracer, reserved_lanes, self_test).work()
    return 0
