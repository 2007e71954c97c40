"""The lifecycle of an item, and the interface of everything that observes it.

A submission is accepted or refused by the process that received it; its items are queued from then on. A worker starts
an item and finishes it. An item that is cancelled, or goes back to the queue, is dropped instead. Metrics, traces, log
lines and the live view are observers, so that each stage is reported in one place.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from sandbox.box.observer import Cache, Phase
from sandbox.errors import SandboxError
from sandbox.queue.job_batch import Item
from sandbox.queue.submission import Submission
from sandbox.schema.hack import HackRequest
from sandbox.schema.vote import VoteRequest

logger = logging.getLogger(__name__)

# Cancelled by its client, left by a client that disconnected, or returned to the queue by its worker.
DropReason = Literal["cancelled", "abandoned", "returned"]


class Finished(NamedTuple):
    """An item's result: its JSON, and a summary for the live view, metrics, and traces.

    If the program was run but not judged, `verdict` is its status. `passed` and `total` count tests; they are None if
    there are no tests. `test_verdicts` is empty if all tests were accepted.
    """

    json: bytes
    verdict: str
    passed: int | None = None
    total: int | None = None
    test_verdicts: Sequence[str] = ()


@dataclass(slots=True)
class ItemTrace:
    """The path of one item through its worker.

    `started_at` and `ended_at` are in seconds since the epoch, `phases` in seconds after the start. `result` is empty
    once all observers have seen it.
    """

    item: Item
    lane: str
    kind: str
    language: str
    started_at: float
    ended_at: float = 0.0
    result: bytes = b""
    verdict: str = ""
    passed: int | None = None
    total: int | None = None
    test_verdicts: Sequence[str] = ()
    phases: list[tuple[Phase, float, float]] = field(default_factory=list)
    seconds_by_phase: dict[Phase, float] = field(default_factory=dict)
    covered_s: float = 0.0
    covered_until_s: float = 0.0
    sent_bytes: int = 0
    received_bytes: int = 0
    cache_uses: dict[tuple[Cache, bool], int] = field(default_factory=dict)

    @property
    def queued_s(self) -> float:
        return max(0.0, self.started_at - self.item.submitted_at)

    @property
    def took_s(self) -> float:
        return max(0.0, self.ended_at - self.started_at)

    @property
    def judge_s(self) -> float:
        return max(0.0, self.took_s - self.covered_s)


class LifecycleObserver:
    """Receives the stages of items. A subclass overrides the stages that it needs.

    The methods must be fast and must not raise. Those about one item are called by the thread that runs it.
    """

    def record_accepted(self, submission: Submission, submission_id: str) -> None:
        """Record that a submission was accepted.

        `submission_id` of a repeated submission is that of the first one with the same idempotency key.
        """

    def record_refused(self, error: SandboxError) -> None:
        """Record that a submission was refused."""

    def record_started(self, trace: ItemTrace) -> None:
        """Record that a worker has started an item."""

    def record_finished(self, trace: ItemTrace) -> None:
        """Record that an item has its result."""

    def record_dropped(self, reason: DropReason) -> None:
        """Record that a submission was cancelled, or that the current item of a worker ends without a result."""


class LifecycleLog(LifecycleObserver):
    """Logs one line for each accepted submission, and one for each finished item. The log context adds their ids."""

    def record_accepted(self, submission: Submission, submission_id: str) -> None:
        """Log the line that connects a request's id with its submission."""
        items = len(submission.requests)
        logger.info(
            "accepted",
            extra={"submission": submission_id, "kind": submission.kind, "lane": submission.lane, "items": items},
        )

    def record_finished(self, trace: ItemTrace) -> None:
        logger.info(
            "judged" if trace.kind == "verify" else "ran",
            extra={
                "kind": trace.kind,
                "language": trace.language,
                "verdict": trace.verdict,
                "queued_s": round(trace.queued_s, 6),
                "took_s": round(trace.took_s, 6),
            },
        )


def get_language(item: Item) -> str:
    """Return the language as the client named it: the candidates' languages for a vote, the target's for a hack."""
    if isinstance(item.work, VoteRequest):
        return "+".join(sorted({candidate.language for candidate in item.work.candidates})[:3])
    if isinstance(item.work, HackRequest):
        return item.work.target.language
    return "" if item.work is None else item.work.language


def get_lane(item: Item) -> str:
    return "" if item.work is None else item.work.priority.value
