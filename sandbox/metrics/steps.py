"""Steps of reinforcement learning as the service sees them: how the groups of completions of one task came out.

A group whose completions all pass, or all fail, has no advantage to learn from; how many there are tells whether tasks
are too easy or too hard.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from itertools import groupby
from typing import Any, Literal

from sandbox.errors import SandboxError
from sandbox.jobs.activity import verdict_of
from sandbox.metrics import declare
from sandbox.metrics.meters import Meters
from sandbox.schema import VerifyRequest
from sandbox.schema.reward import RewardRequest, RewardResult

Outcome = Literal["pass", "fail", "no_code", "lost"]
LOST = {"internal_error"}


def record_rewards(meters: Meters, request: RewardRequest, result: RewardResult) -> None:
    """Count the answer to a POST /reward: its groups, its completions and their mean reward."""
    outcomes: list[Outcome] = []
    for detail, reward in zip(result.details, result.rewards, strict=True):
        without: Outcome = "lost" if reward is None else "no_code"
        outcomes.append(without if detail.verdict is None else _outcome(detail.verdict))
    _record(meters, list(_groups_of(request)), outcomes)
    known = [reward for reward in result.rewards if reward is not None]
    if known:
        meters.gauge(declare.REWARD_MEAN, request.policy.name).set(sum(known) / len(known))


def watch_batch(meters: Meters, items: Sequence[VerifyRequest], results: Sequence[Future[bytes]]) -> None:
    """Count a batch once its last result is there, in the thread that brings it; one of no verify requests has none."""
    if len(items) != len(results):
        return
    left = len(results)
    lock = threading.Lock()

    def one_done(_: Future[bytes]) -> None:
        nonlocal left
        with lock:
            left -= 1
            if left:
                return
        _record(meters, [_task(item.tests) for item in items], [_outcome_of(result) for result in results])

    for result in results:
        result.add_done_callback(one_done)


def _record(meters: Meters, tasks: Sequence[Any], outcomes: Sequence[Outcome]) -> None:
    """`tasks` has for each completion what its neighbours of the same task have too."""
    for outcome, number in Counter(outcomes).items():
        meters.counter(declare.REWARD_COMPLETIONS, outcome).inc(number)
    at = 0
    for _, same in groupby(tasks):
        size = len(list(same))
        told = set(outcomes[at : at + size]) - {"lost"}
        at += size
        if size > 1 and told:
            name = "mixed" if "pass" in told and len(told) > 1 else "all_pass" if told == {"pass"} else "all_fail"
            meters.counter(declare.REWARD_GROUPS, name).inc()


def _groups_of(request: RewardRequest) -> Iterable[Any]:
    every = request.tasks if request.tasks is not None else [_task(tests) for tests in request.tests or []]
    return list(every) * len(request.completions) if len(every) == 1 else every


def _task(tests: Sequence[Any]) -> tuple[int, Any]:
    """What tells two tasks apart: comparing all their tests would cost more than it is worth."""
    return len(tests), tests[0] if tests else None


def _outcome(verdict: str) -> Outcome:
    return "pass" if verdict == "accepted" else "lost" if verdict in LOST else "fail"


def _outcome_of(result: Future[bytes]) -> Outcome:
    try:
        return "lost" if result.cancelled() else _outcome(verdict_of(result.result())[0])
    except SandboxError:
        return "lost"
