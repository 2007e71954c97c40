"""The numbers that trainers log about a batch of rewards."""

from __future__ import annotations

import pytest

from sandbox.runner.contract import Verdict
from sandbox.schema.reward import RewardDetail, RewardResult
from sandbox.trainers.reward_metrics import METRICS, OUTCOMES, classify_sample, measure_batch, measure_sample

ACCEPTED = RewardDetail(answered=True, verdict=Verdict.ACCEPTED, queue_time_s=1.0, run_time_s=3.0)
TOO_SLOW = RewardDetail(answered=True, verdict=Verdict.TIME_LIMIT_EXCEEDED, queue_time_s=2.0, run_time_s=5.0)
NO_CODE = RewardDetail(answered=False)
LOST = RewardDetail(answered=True, verdict=Verdict.INTERNAL_ERROR, queue_time_s=90.0)


@pytest.mark.parametrize(
    ("reward", "detail", "outcome"),
    [
        (1.0, ACCEPTED, "accepted"),
        (0.5, TOO_SLOW, "time_limit_exceeded"),
        (-2.0, NO_CODE, "no_code"),
        (None, NO_CODE, "unusable"),
        (None, LOST, "infra_failed"),
    ],
)
def test_a_sample_has_exactly_one_outcome(reward: float | None, detail: RewardDetail, outcome: str) -> None:
    assert classify_sample(reward, detail) == outcome
    measured = measure_sample(reward, detail)
    assert tuple(measured) == METRICS
    assert {name: measured[name] for name in OUTCOMES if measured[name]} == {outcome: 1.0}


def test_a_batch_has_the_share_of_each_outcome_and_the_times_of_what_was_judged() -> None:
    details = [ACCEPTED, TOO_SLOW, NO_CODE, LOST, NO_CODE]
    measured = measure_batch(RewardResult(rewards=[1.0, 0.0, 0.0, None, None], details=details))
    assert {name: value for name, value in measured.items() if value} == {
        "accepted_rate": 0.2,
        "time_limit_exceeded_rate": 0.2,
        "no_code_rate": 0.2,
        "infra_failed_rate": 0.2,
        "unusable_rate": 0.2,
        "queue_wait_s": 1.5,
        "judge_time_s": 4.0,
    }
    assert len(measured) == len(METRICS)


def test_an_empty_batch_has_numbers_too() -> None:
    assert set(measure_batch(RewardResult(rewards=[], details=[])).values()) == {0.0}
