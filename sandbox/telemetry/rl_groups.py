"""Statistics of reinforcement learning steps: how the groups of completions for one task turned out.

A group gives no advantage to learn from if all its completions pass, or all fail. The number of these groups shows
whether tasks are too easy or too hard.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from itertools import groupby
from typing import Any, Literal

from sandbox.errors import SandboxError
from sandbox.schema import VerifyRequest
from sandbox.schema.reward import RewardRequest, RewardResult
from sandbox.telemetry import definitions
from sandbox.telemetry.registry import MetricsRegistry

_VERIFY_RESULT = re.compile(rb'\{"id":"[^"]*","verdict":"(\w+)"')
CompletionOutcome = Literal["pass", "fail", "no_code", "lost"]
LOST_VERDICTS = {"internal_error"}


def record_rewards(registry: MetricsRegistry, request: RewardRequest, result: RewardResult) -> None:
    """Record the result of a POST /reward: its groups, its completions and their mean reward."""
    outcomes: list[CompletionOutcome] = []
    for detail, reward in zip(result.details, result.rewards, strict=True):
        without: CompletionOutcome = "lost" if reward is None else "no_code"
        outcomes.append(without if detail.verdict is None else _classify_verdict(detail.verdict))
    _record(registry, list(_list_task_keys(request)), outcomes)
    known = [reward for reward in result.rewards if reward is not None]
    if known:
        registry.gauge(definitions.REWARD_MEAN, request.policy.name).set(sum(known) / len(known))


def record_batch(registry: MetricsRegistry, items: Sequence[VerifyRequest], results: Sequence[Future[bytes]]) -> None:
    """Record a batch when its last result arrives, in the thread that sets it. Batches with other items are ignored."""
    if len(items) != len(results):
        return
    remaining = len(results)
    lock = threading.Lock()

    def handle_result(_: Future[bytes]) -> None:
        nonlocal remaining
        with lock:
            remaining -= 1
            if remaining:
                return
        _record(
            registry, [_build_task_key(item.tests) for item in items], [_classify_result(result) for result in results]
        )

    for result in results:
        result.add_done_callback(handle_result)


def _record(registry: MetricsRegistry, tasks: Sequence[Any], outcomes: Sequence[CompletionOutcome]) -> None:
    """Record outcomes. Consecutive completions with equal entries in `tasks` form a group."""
    for outcome, number in Counter(outcomes).items():
        registry.counter(definitions.REWARD_COMPLETIONS, outcome).inc(number)
    position = 0
    for _, group in groupby(tasks):
        size = len(list(group))
        known_outcomes = set(outcomes[position : position + size]) - {"lost"}
        position += size
        if size > 1 and known_outcomes:
            name = (
                "mixed"
                if "pass" in known_outcomes and len(known_outcomes) > 1
                else "all_pass"
                if known_outcomes == {"pass"}
                else "all_fail"
            )
            registry.counter(definitions.REWARD_GROUPS, name).inc()


def _list_task_keys(request: RewardRequest) -> Iterable[Any]:
    if request.hacks is not None:
        return request.spread([hack.target.code for hack in request.hacks])
    return request.spread(
        request.tasks if request.tasks is not None else [_build_task_key(tests) for tests in request.tests or []]
    )


def _build_task_key(tests: Sequence[Any]) -> tuple[int, Any]:
    """Return a key that distinguishes tasks: the number of tests and the first test. Comparing all costs too much."""
    return len(tests), tests[0] if tests else None


def _classify_verdict(verdict: str) -> CompletionOutcome:
    return "pass" if verdict == "accepted" else "lost" if verdict in LOST_VERDICTS else "fail"


def _parse_verdict(result_json: bytes) -> str:
    """Return the verdict in a result's JSON.

    Parsing the whole JSON could cost as much as the run did. This reads only its beginning, whose fields are in the
    order of `schema.VerifyResult`. An id contains no quotation mark.
    """
    found = _VERIFY_RESULT.match(result_json)
    return "" if found is None else found[1].decode()


def _classify_result(result: Future[bytes]) -> CompletionOutcome:
    try:
        return "lost" if result.cancelled() else _classify_verdict(_parse_verdict(result.result()))
    except SandboxError:
        return "lost"
