"""Test leases and orphaned work, as the queue of programs and the GPU pool share them."""

from __future__ import annotations

import time

import pytest
from redis import ConnectionError

from sandbox.queue.claims import Claim, LeaseKeeper, reap
from tests.queue.submit_and_wait import wait_until

LEASE_S = 0.4


class OneQueue:
    """Work of one queue, in memory."""

    def __init__(self, claims: list[Claim], queued: set[str]) -> None:
        self._claims = claims
        self._queued = queued
        self.requeued: list[str] = []

    def list_living(self) -> set[str]:
        return {"alive"}

    def list_unfinished(self) -> list[Claim]:
        return self._claims

    def requeue_from(self, claim: Claim) -> bool:
        self.requeued.append(f"{claim.id} of {claim.worker}")
        return claim.id != "finished meanwhile"

    def is_lost(self, claim: Claim) -> bool:
        return claim.id not in self._queued

    def enqueue_lost(self, claim: Claim) -> None:
        self.requeued.append(claim.id)


def test_only_orphaned_work_is_requeued() -> None:
    claims = [
        Claim("running", "q", "alive"),
        Claim("orphaned", "q", "dead"),
        Claim("finished meanwhile", "q", "dead"),
        Claim("waiting", "q", None),
        Claim("lost", "q", None),
    ]
    work = OneQueue(claims, {"waiting"})
    assert reap(work) == ["orphaned", "lost"]
    assert work.requeued == ["orphaned of dead", "finished meanwhile of dead", "lost"]


def test_nobody_is_taken_for_dead_for_one_lease_after_an_outage(caplog: pytest.LogCaptureFixture) -> None:
    reaped: list[float] = []
    renewed: list[float] = []
    away_until = 0.0

    def renew() -> None:
        if time.monotonic() < away_until:
            raise ConnectionError("Redis is away")
        renewed.append(time.monotonic())

    keeper = LeaseKeeper(LEASE_S, renew, lambda: reaped.append(time.monotonic()))
    keeper.start()
    try:
        wait_until(lambda: reaped, "a worker that renews its lease on time reaps")
        away_until = time.monotonic() + 2 * LEASE_S
        wait_until(lambda: renewed[-1] > away_until, "Redis is back")
        back_at = next(at for at in renewed if at > away_until)
        wait_until(lambda: reaped[-1] > away_until, "it reaps again")
    finally:
        keeper.stop()
    assert next(at for at in reaped if at > away_until) - back_at >= LEASE_S
    assert "heartbeat missed: Redis is away" in caplog.text
