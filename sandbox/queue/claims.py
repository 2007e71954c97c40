"""Claims on work, and leases of the workers that claim it. The queue of programs and the GPU pool share this module.

Theory of operation. A worker that takes work claims it under its name. It renews a lease a few times before the lease
ends, from a separate thread, so long work does not make the worker look dead. Living workers look for two kinds of
orphans and requeue them: work that is claimed by a worker without a lease, and work that has no claim and is in no
queue, because its worker died between taking and claiming it. A worker that was only suspended may resume and run work
that has also run elsewhere, so each kind of work must ignore the second result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from sandbox.queue.repeating_thread import RepeatingThread

RENEWALS_PER_LEASE = 4


class Claim(NamedTuple):
    """A piece of unfinished work, its queue, and the worker that has claimed it, if any."""

    id: str
    queue: str
    worker: str | None


class ClaimedWork(Protocol):
    """Work in Redis that workers claim. Every method may raise RedisError."""

    def list_living(self) -> set[str]:
        """Return the names of the workers that have a lease."""

    def list_unfinished(self) -> Iterable[Claim]:
        """Return the work that may be orphaned."""

    def requeue_from(self, claim: Claim) -> bool:
        """Requeue work of a lost worker, if that worker still has the claim. Returns whether it did."""

    def is_lost(self, claim: Claim) -> bool:
        """Return whether work without a claim is in no queue, although a worker has had time to claim it."""

    def enqueue_lost(self, claim: Claim) -> None:
        """Queue lost work."""


def reap(work: ClaimedWork) -> list[str]:
    """Requeue orphaned work, and return the ids."""
    living = work.list_living()
    requeued = []
    for claim in work.list_unfinished():
        if claim.worker is None:
            if work.is_lost(claim):
                work.enqueue_lost(claim)
                requeued.append(claim.id)
        elif claim.worker not in living and work.requeue_from(claim):
            requeued.append(claim.id)
    return requeued


class LeaseKeeper:
    """Renews a worker's lease with `renew`, and then calls `reap`, unless living workers could wrongly look dead."""

    def __init__(
        self, lease_s: float, renew: Callable[[], object], reap: Callable[[], object], failed: str = "heartbeat missed"
    ) -> None:
        self._lease_s = lease_s
        self._renew = renew
        self._reap = reap
        self._renewed_at = self._may_reap_from = 0.0
        self._thread = RepeatingThread("lease", lease_s / RENEWALS_PER_LEASE, self._renew_and_reap, failed)

    def start(self) -> None:
        """Take the lease, and renew it from now on. Raises what `renew` raises."""
        self._renew()
        self._renewed_at = time.monotonic()
        self._thread.start()

    def request_stop(self) -> None:
        """Stop renewing the lease, without waiting."""
        self._thread.request_stop()

    def stop(self) -> None:
        """Stop renewing the lease, and wait for a renewal in progress."""
        self._thread.stop(timeout_s=self._lease_s)

    def _renew_and_reap(self) -> None:
        self._renew()
        if self._may_reap():
            self._reap()

    def _may_reap(self) -> bool:
        """Return whether a worker without a lease can be assumed dead.

        After a late renewal, it cannot for the duration of one lease: if Redis was down, living workers could not renew
        their leases either.
        """
        now = time.monotonic()
        if now - self._renewed_at > self._lease_s:
            self._may_reap_from = now + self._lease_s
        self._renewed_at = now
        return now >= self._may_reap_from
