"""The ceiling of the queue's Redis: the replayed commands work on real servers, and two masters share the work."""

from __future__ import annotations

from loadtest.redis_ceiling import BATCH_SIZES, Ceiling, record_batch, run


def test_a_batch_is_recorded_as_its_round_trips() -> None:
    trips = record_batch(8, "reader", 0)
    assert [trip[0][0] for trip in trips] == ["EVAL", "BLPOP", "HSET", "MULTI", "BLMOVE", "LPUSH"]
    assert len(next(words for words in trips[3] if words[0] == "RPUSH")) == 2 + 8


def test_the_busiest_server_sets_the_ceiling() -> None:
    assert Ceiling(2, 8, [10.0, 20.0]).verdicts_per_s == 50_000


def test_one_server_and_two_masters_are_measured() -> None:
    found = run(seconds=0.1)
    assert [(one.servers, one.batch_size) for one in found] == [(n, size) for n in (1, 2) for size in BATCH_SIZES]
    assert [len(one.cpu_us) for one in found] == [1, 1, 1, 2, 2, 2]
    assert all(cpu_us > 0 for one in found for cpu_us in one.cpu_us)
