"""Test the live view: slots, rates, and results, which are published without slowing down the work."""

from __future__ import annotations

import time

from redis import Redis

from sandbox.config import QueueSettings
from sandbox.queue import activity, leases, lifecycle, live_view, redis_keys
from sandbox.queue.activity import MAX_RECENT_RESULTS, MAX_RESULTS_PER_PUBLISH, WorkerActivity
from sandbox.queue.job_batch import Item
from sandbox.queue.lifecycle import Finished, ItemTrace
from sandbox.runner.contract import Verdict
from sandbox.schema import ExecuteRequest, ExecuteResult, TestCase, VerifyRequest, VerifyResult
from sandbox.schema.live import LiveView
from sandbox.schema.vote import Candidate, VoteRequest
from sandbox.service import Service
from sandbox.worker.item_trace import ItemTracer
from tests.queue.sample_programs import build_printing_programs, build_sleeping_program
from tests.queue.submit_and_wait import await_outputs, submit, wait_until
from tests.worker_processes import WorkerProcesses

EXECUTED = Finished(ExecuteResult(id="a.0", status="ok").model_dump_json().encode(), "ok")
LEASE_S = 4.0


def _build_item(name: str, stored: bool = False) -> Item:
    request = ExecuteRequest(language="python", code="")
    return Item(submission=name, submitted_at=time.time(), kept=stored, execute=request)


def _run(slot: WorkerActivity, item: Item, result: Finished) -> None:
    tracer = ItemTracer([slot])
    tracer.start_item(item, "default")
    tracer.finish_item(result)


def _read_live_view(redis: Redis) -> LiveView:
    return live_view.read_live_view(redis, LEASE_S, {"default": 7})


def test_a_recent_result_has_a_summary_without_code(redis: Redis) -> None:
    tests = [TestCase(stdin="secret input", expected="secret answer")]
    request = VerifyRequest(language="cpp", code="secret program", tests=tests)
    item = Item(submission="s", index=3, submitted_at=time.time(), kept=True, verify=request)
    result = VerifyResult(id="s.3", verdict=Verdict.ACCEPTED, passed=1, total=1, score=1.0, tests=[])
    slot = WorkerActivity(redis, "host-1-0")
    _run(slot, item, Finished(result.model_dump_json().encode(), result.verdict, result.passed, result.total))
    slot.publish()
    (live_result,) = _read_live_view(redis).recent
    assert (live_result.id, live_result.job, live_result.kind, live_result.language) == ("s.3", "s", "verify", "cpp")
    assert (live_result.verdict, live_result.passed, live_result.total, live_result.worker) == (
        "accepted",
        1,
        1,
        "host-1-0",
    )
    assert b"secret" not in b"".join(redis.lrange(redis_keys.RECENT_RESULTS, 0, -1))


def test_a_vote_names_the_languages_of_its_candidates() -> None:
    candidates = [Candidate(language=name, code="") for name in ("python", "cpp", "python")]
    item = Item(submission="v", submitted_at=0.0, vote=VoteRequest(candidates=candidates, inputs=["1"]))
    assert (item.kind, lifecycle.get_language(item)) == ("vote", "cpp+python")


def test_only_the_latest_results_are_stored_but_all_are_counted(redis: Redis) -> None:
    slot = WorkerActivity(redis, "w")
    for number in range(MAX_RECENT_RESULTS + 50):
        _run(slot, _build_item(f"s{number}"), EXECUTED)
        if number % MAX_RESULTS_PER_PUBLISH == MAX_RESULTS_PER_PUBLISH - 1:
            slot.publish()
    slot.publish()
    view = _read_live_view(redis)
    assert len(view.recent) == MAX_RECENT_RESULTS
    assert view.recent[0].id == f"s{MAX_RECENT_RESULTS + 49}"
    assert sum(second.verdicts["ok"] for second in view.seconds) == MAX_RECENT_RESULTS + 50
    assert all(0 < redis.ttl(key) <= activity.VERDICT_COUNTS_TTL_S for key in redis.keys("sandbox:verdicts:*"))


def test_verdicts_are_counted_by_minute_for_a_day(redis: Redis) -> None:
    now = int(time.time())
    slot = WorkerActivity(redis, "w")
    for age_s, number in ((0, 3), (1_800, 2), (5_400, 4), (86_000, 1), (90_000, 7)):
        for _ in range(number):
            at = now - age_s
            slot.record_finished(
                ItemTrace(_build_item("s"), "default", "execute", "python", at, ended_at=at, verdict="accepted")
            )
    slot.publish()
    hour, day = (live_view.read_history(redis, hours) for hours in (1, 24))
    assert [period.verdicts["accepted"] for period in hour.periods] == [2, 3]
    assert [period.verdicts["accepted"] for period in day.periods] == [1, 4, 2, 3]
    assert (hour.step_s, day.step_s) == (60, 300)
    assert all(period.at % step_s == 0 for step_s, found in ((60, hour), (300, day)) for period in found.periods)
    keys = redis.keys("sandbox:history:*")
    assert all(0 < redis.ttl(key) <= activity.VERDICT_HISTORY_TTL_S for key in keys)


def test_nothing_is_published_if_no_item_finished(redis: Redis) -> None:
    WorkerActivity(redis, "w").publish()
    assert redis.dbsize() == 0


def test_a_silent_worker_differs_from_a_busy_one(redis: Redis) -> None:
    redis.zadd(redis_keys.WORKERS, {"alive": time.time(), "gone": time.time() - LEASE_S - 1})
    redis.set(redis_keys.worker("alive"), '{"host": "h", "engine": "docker", "state": "busy", "running": null}')
    states = {slot.name: slot.state for slot in _read_live_view(redis).slots}
    assert states == {"alive": "busy", "gone": "silent"}


def test_a_reserved_worker_is_not_a_slot(redis: Redis) -> None:
    redis.zadd(redis_keys.WORKERS, {"host-1-0": time.time(), f"host-1-1{leases.RESERVED_SUFFIX}": time.time()})
    assert [slot.express for slot in _read_live_view(redis).slots] == [False, True]


def test_a_worker_of_the_previous_version_is_shown_with_the_fields_it_sends(redis: Redis) -> None:
    redis.zadd(redis_keys.WORKERS, {"older": time.time()})
    redis.set(redis_keys.worker("older"), '{"host": "h", "pid": 1, "engine": "docker", "missing_walls": []}')
    (slot,) = _read_live_view(redis).slots
    assert (slot.state, slot.host, slot.done, slot.boxes) == ("idle", "h", 0, [])


def test_real_workers_report_their_current_and_finished_items(
    service: Service, worker_processes: WorkerProcesses, redis: Redis, settings: QueueSettings
) -> None:
    worker_processes.start()
    ticket = submit(service, [build_sleeping_program(2.5, "slow")])
    wait_until(
        lambda: any(slot.state == "busy" for slot in service.get_live_view().slots), "a slot says that it is busy"
    )
    busy = next(slot for slot in service.get_live_view().slots if slot.state == "busy")
    assert busy.running is not None
    assert (busy.running.kind, busy.running.language) == ("execute", "python")
    assert await_outputs(ticket) == ["slow"]
    assert await_outputs(submit(service, build_printing_programs(range(20)), batch=True)) == [str(n) for n in range(20)]
    wait_until(lambda: len(service.get_live_view().recent) == 21, "all results are told")
    wait_until(lambda: service.get_live_view().slots[0].done == 21, "the heartbeat says how many")
    assert service.get_live_view().slots[0].boxes == ["python"]
    assert leases.list_alive(redis, settings.lease_s)


def test_recording_an_item_takes_less_than_fifty_microseconds(redis: Redis) -> None:
    tracer, item, number = ItemTracer([WorkerActivity(redis, "w")]), _build_item("s"), 5_000
    began = time.thread_time()
    for _ in range(number):
        tracer.start_item(item, "default")
        tracer.finish_item(EXECUTED)
    assert (time.thread_time() - began) / number < 50e-6
