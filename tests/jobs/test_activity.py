"""What watchers see: slots, rates and results, told beside the work and without a round trip of their own."""

from __future__ import annotations

import time

import pytest
from redis import Redis

from sandbox.config import QueueSettings
from sandbox.jobs import activity, keys, leases, watching
from sandbox.jobs.activity import RECENT_KEPT, TOLD_AT_ONCE, Activity
from sandbox.jobs.envelope import Item
from sandbox.runner.contract import Verdict
from sandbox.schema import ExecuteRequest, ExecuteResult, TestCase, TestResult, VerifyRequest, VerifyResult
from sandbox.schema.live import LiveView
from sandbox.schema.vote import Candidate, VoteRequest
from sandbox.service import Service
from tests.crew import Crew
from tests.jobs.waiting import printed, printing, sleeping, until

EXECUTED = ExecuteResult(id="a.0", status="ok").model_dump_json().encode()
LEASE_S = 4.0


def _item(name: str, kept: bool = False) -> Item:
    request = ExecuteRequest(language="python", code="")
    return Item(submission=name, submitted_at=time.time(), kept=kept, execute=request)


def _look(redis: Redis) -> LiveView:
    return watching.look(redis, LEASE_S, {"default": 7})


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdict_is_read_from_a_results_first_bytes(verdict: Verdict) -> None:
    tests = [TestResult(verdict=Verdict.SKIPPED)] * 3
    result = VerifyResult(id="a.0", verdict=verdict, passed=2, total=3, score=0.6, tests=tests)
    assert activity.verdict_of(result.model_dump_json().encode()) == (verdict.value, 2, 3)


def test_a_status_is_read_from_a_runs_first_bytes() -> None:
    assert activity.verdict_of(EXECUTED) == ("ok", None, None)


def test_what_ended_is_told_in_short_and_without_code(redis: Redis) -> None:
    tests = [TestCase(stdin="secret input", expected="secret answer")]
    request = VerifyRequest(language="cpp", code="secret program", tests=tests)
    item = Item(submission="s", index=3, submitted_at=time.time(), kept=True, verify=request)
    result = VerifyResult(id="s.3", verdict=Verdict.ACCEPTED, passed=1, total=1, score=1.0, tests=[])
    slot = Activity(redis, "host-1-0")
    slot.begins(item)
    slot.ends(item, result.model_dump_json().encode())
    slot.publish()
    (told,) = _look(redis).recent
    assert (told.id, told.job, told.kind, told.language) == ("s.3", "s", "verify", "cpp")
    assert (told.verdict, told.passed, told.total, told.worker) == ("accepted", 1, 1, "host-1-0")
    assert b"secret" not in b"".join(redis.lrange(keys.RECENT, 0, -1))


def test_a_votes_languages_are_named() -> None:
    candidates = [Candidate(language=name, code="") for name in ("python", "cpp", "python")]
    item = Item(submission="v", submitted_at=0.0, vote=VoteRequest(candidates=candidates, inputs=["1"]))
    assert (activity.kind_of(item), activity.language_of(item)) == ("vote", "cpp+python")


def test_only_the_last_results_are_kept_and_all_are_counted(redis: Redis) -> None:
    slot = Activity(redis, "w")
    for number in range(RECENT_KEPT + 50):
        item = _item(f"s{number}")
        slot.begins(item)
        slot.ends(item, EXECUTED)
        if number % TOLD_AT_ONCE == TOLD_AT_ONCE - 1:
            slot.publish()
    slot.publish()
    view = _look(redis)
    assert len(view.recent) == RECENT_KEPT
    assert view.recent[0].id == f"s{RECENT_KEPT + 49}"
    assert sum(second.verdicts["ok"] for second in view.seconds) == RECENT_KEPT + 50
    assert all(0 < redis.ttl(key) <= activity.RATE_KEPT_S for key in redis.keys("sandbox:verdicts:*"))


def test_nothing_is_sent_when_nothing_ended(redis: Redis) -> None:
    Activity(redis, "w").publish()
    assert redis.dbsize() == 0


def test_a_silent_worker_is_told_from_a_busy_one(redis: Redis) -> None:
    redis.zadd(keys.WORKERS, {"alive": time.time(), "gone": time.time() - LEASE_S - 1})
    redis.set(keys.worker("alive"), '{"host": "h", "engine": "docker", "state": "busy", "running": null}')
    states = {slot.name: slot.state for slot in _look(redis).slots}
    assert states == {"alive": "busy", "gone": "silent"}


def test_an_express_worker_is_no_slot(redis: Redis) -> None:
    redis.zadd(keys.WORKERS, {"host-1-0": time.time(), f"host-1-1{leases.EXPRESS}": time.time()})
    assert [slot.express for slot in _look(redis).slots] == [False, True]


def test_a_worker_of_the_version_before_is_shown_as_far_as_it_tells(redis: Redis) -> None:
    redis.zadd(keys.WORKERS, {"older": time.time()})
    redis.set(keys.worker("older"), '{"host": "h", "pid": 1, "engine": "docker", "missing_walls": []}')
    (slot,) = _look(redis).slots
    assert (slot.state, slot.host, slot.done, slot.boxes) == ("idle", "h", 0, [])


def test_real_workers_tell_what_they_do_and_have_done(
    service: Service, crew: Crew, redis: Redis, settings: QueueSettings
) -> None:
    crew.hire()
    ticket = service.submit("execute", [sleeping(2.5, "slow")])
    until(lambda: any(slot.state == "busy" for slot in service.live().slots), "a slot says that it is busy")
    busy = next(slot for slot in service.live().slots if slot.state == "busy")
    assert busy.running is not None
    assert (busy.running.kind, busy.running.language) == ("execute", "python")
    assert printed(ticket) == ["slow"]
    assert printed(service.submit("execute", printing(range(20)), batch=True)) == [str(n) for n in range(20)]
    until(lambda: len(service.live().recent) == 21, "all results are told")
    until(lambda: service.live().slots[0].done == 21, "the heartbeat says how many")
    assert service.live().slots[0].boxes == ["python"]
    assert leases.alive(redis, settings.lease_s)


def test_telling_costs_the_way_of_a_verdict_less_than_fifty_microseconds(redis: Redis) -> None:
    slot, item, number = Activity(redis, "w"), _item("s"), 5_000
    began = time.thread_time()
    for _ in range(number):
        slot.begins(item)
        slot.ends(item, EXECUTED)
    assert (time.thread_time() - began) / number < 50e-6
