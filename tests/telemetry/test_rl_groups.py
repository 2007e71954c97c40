"""Groups of completions are all_pass, all_fail or mixed, whether they come as rewards or as a batch."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from pathlib import Path

import pytest

from sandbox.errors import Cancelled
from sandbox.runner.contract import Verdict
from sandbox.schema import VerifyRequest, VerifyResult
from sandbox.schema.reward import RewardDetail, RewardRequest, RewardResult
from sandbox.telemetry import rl_groups
from sandbox.telemetry.registry import MetricsRegistry

ONE = [{"stdin": "1", "expected": "1"}]
OTHER = [{"stdin": "2", "expected": "2"}]


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[MetricsRegistry]:
    with closing(MetricsRegistry(tmp_path, "api")) as registry:
        yield registry


def read_counts(registry: MetricsRegistry, name: str) -> dict[str, float]:
    """Return the count per outcome."""
    lines = registry.render().decode().splitlines()
    found = [line.removeprefix(f'sandbox_{name}_total{{outcome="') for line in lines if f"{name}_total{{" in line]
    return {line.partition('"')[0]: float(line.rpartition(" ")[2]) for line in found}


def build_details(*verdicts: str | None) -> list[RewardDetail]:
    shown = [{"answered": verdict is not None, "verdict": verdict} for verdict in verdicts]
    return [RewardDetail.model_validate(one) for one in shown]


def test_completions_with_the_same_tests_are_a_group(registry: MetricsRegistry) -> None:
    request = RewardRequest.model_validate({"completions": ["a"] * 6, "tests": [ONE, ONE, OTHER, OTHER, ONE, ONE]})
    reward_details = build_details("accepted", "accepted", "wrong_answer", None, "accepted", "time_limit_exceeded")
    rl_groups.record_rewards(registry, request, RewardResult(rewards=[1, 1, 0, 0, 1, 0], details=reward_details))
    assert read_counts(registry, "reward_groups") == {"all_pass": 1, "all_fail": 1, "mixed": 1}
    assert read_counts(registry, "reward_completions") == {"pass": 3, "fail": 2, "no_code": 1}
    assert 'sandbox_reward_mean{policy="binary"} 0.5' in registry.render().decode()


def test_one_task_for_all_makes_one_group(registry: MetricsRegistry) -> None:
    request = RewardRequest.model_validate({"completions": ["a"] * 3, "tests": [ONE]})
    reward_details = build_details("accepted", "internal_error", "accepted")
    rl_groups.record_rewards(registry, request, RewardResult(rewards=[1, None, 1], details=reward_details))
    assert read_counts(registry, "reward_groups") == {"all_pass": 1}
    assert read_counts(registry, "reward_completions") == {"pass": 2, "lost": 1}


def test_one_completion_is_no_group(registry: MetricsRegistry) -> None:
    request = RewardRequest.model_validate({"completions": ["a"], "tests": [ONE]})
    rl_groups.record_rewards(registry, request, RewardResult(rewards=[1], details=build_details("accepted")))
    assert read_counts(registry, "reward_groups") == {}


def test_a_batch_is_counted_when_its_last_result_is_there(registry: MetricsRegistry) -> None:
    items = [
        VerifyRequest.model_validate({"language": "python", "code": "", "tests": tests}) for tests in (ONE, ONE, OTHER)
    ]
    results: list[Future[bytes]] = [Future() for _ in items]
    rl_groups.record_batch(registry, items, results)
    results[2].set_exception(Cancelled("gone"))
    results[1].set_result(b'{"id":"x","verdict":"wrong_answer","passed":0,"total":1}')
    assert read_counts(registry, "reward_completions") == {}
    results[0].set_result(b'{"id":"x","verdict":"accepted","passed":1,"total":1}')
    assert read_counts(registry, "reward_completions") == {"pass": 1, "fail": 1, "lost": 1}
    assert read_counts(registry, "reward_groups") == {"mixed": 1}


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdict_is_read_from_the_beginning_of_a_result(verdict: Verdict) -> None:
    result = VerifyResult(id="a.0", verdict=verdict, passed=0, total=1, score=0.0, tests=[])
    assert rl_groups._parse_verdict(result.model_dump_json().encode()) == verdict.value
