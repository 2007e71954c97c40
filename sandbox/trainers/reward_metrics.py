"""Metrics of rewards for a trainer's own log: the share of each verdict, of answers without code and of lost samples.

A sample counts as exactly one of a verdict, `no_code`, `unusable` (its tests cannot be read) and `infra_failed` (the
service failed, so it has no reward). Times are those of the samples that were judged.
"""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.runner.contract import Verdict
from sandbox.schema.reward import RewardDetail, RewardResult

NO_CODE, UNUSABLE, INFRA_FAILED = "no_code", "unusable", "infra_failed"
OUTCOMES = (
    *(verdict.value for verdict in Verdict if verdict not in (Verdict.INTERNAL_ERROR, Verdict.SKIPPED)),
    NO_CODE,
    UNUSABLE,
    INFRA_FAILED,
)
QUEUE_WAIT_S, JUDGE_TIME_S = "queue_wait_s", "judge_time_s"
METRICS = (*OUTCOMES, QUEUE_WAIT_S, JUDGE_TIME_S)


def classify_sample(reward: float | None, detail: RewardDetail) -> str:
    """Return which of OUTCOMES a sample is."""
    if reward is None:
        return UNUSABLE if detail.verdict is None else INFRA_FAILED
    return NO_CODE if detail.verdict is None else detail.verdict.value


def measure_sample(reward: float | None, detail: RewardDetail) -> dict[str, float]:
    """Return the numbers of one sample: 1 for its outcome and 0 for all others, and its times in seconds."""
    found = classify_sample(reward, detail)
    return {
        **{outcome: float(outcome == found) for outcome in OUTCOMES},
        QUEUE_WAIT_S: detail.queue_time_s,
        JUDGE_TIME_S: detail.run_time_s,
    }


def measure_batch(result: RewardResult) -> dict[str, float]:
    """Return the numbers of a batch: `<outcome>_rate` for each outcome, and the mean times in seconds."""
    samples = list(map(measure_sample, result.rewards, result.details))
    judged = [sample for sample in samples if not sample[NO_CODE] + sample[UNUSABLE] + sample[INFRA_FAILED]]
    return {
        **{f"{outcome}_rate": _compute_mean([sample[outcome] for sample in samples]) for outcome in OUTCOMES},
        **{name: _compute_mean([sample[name] for sample in judged]) for name in (QUEUE_WAIT_S, JUDGE_TIME_S)},
    }


def _compute_mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0
