"""Compute a reward from verdicts: named policies, each with optional format and length terms.

If the infrastructure failed, the reward is None and the trainer drops the sample. A failure of the service is never
reported as a reward of 0.

| policy   | value                                                                            |
| -------- | -------------------------------------------------------------------------------- |
| binary   | 1 if every test is accepted, else 0                                              |
| fraction | tests accepted / tests                                                           |
| x-coder  | 5 x fraction; -2 for no answer or code that does not parse (arXiv 2601.06953)    |
| weighted | weights of the tests accepted / all weights; a test without a weight counts 1    |
| first-k  | fraction over `k` tests: the first ones, or a choice that depends only on `seed` |
| hack     | 1 if the input is valid, it breaks the target, and a claimed output is right     |

Without an answer, or if the code does not compile, every policy except x-coder gives 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.runner.contract import Verdict
from sandbox.schema.reward_policy import Policy as Policy
from sandbox.schema.reward_policy import PolicyName as PolicyName

X_CODER_SCALE = 5.0
X_CODER_NO_ANSWER = -2.0


@dataclass(frozen=True, slots=True)
class CompletionResult:
    """The outcome of one completion: a verdict per test, or none if it was not run.

    `parses` is False for code that is not a program at all. `weights` is empty or has one weight per test.
    """

    answered: bool
    verdicts: Sequence[Verdict] = ()
    parses: bool = True
    weights: Sequence[float] = ()
    well_formed: bool = True
    length: int = 0


def score(policy: Policy, completion: CompletionResult) -> float | None:
    """Return the reward of one completion, or None if an infrastructure failure replaced a verdict that counts."""
    counted = policy.select_tests(len(completion.verdicts))
    if any(completion.verdicts[index] is Verdict.INTERNAL_ERROR for index in counted):
        return None
    return _compute_base_reward(policy, completion, counted) + _compute_adjustments(policy, completion)


def _compute_base_reward(policy: Policy, completion: CompletionResult, counted: Sequence[int]) -> float:
    passed = [completion.verdicts[index] is Verdict.ACCEPTED for index in counted]
    match policy.name:
        case "binary" | "hack":
            return float(bool(passed) and all(passed))
        case "fraction" | "first-k":
            return _compute_fraction(passed)
        case "weighted":
            return _compute_fraction(passed, completion.weights)
        case "x-coder":
            return X_CODER_SCALE * _compute_fraction(passed) if _is_program(completion) else X_CODER_NO_ANSWER


def _compute_fraction(passed: Sequence[bool], weights: Sequence[float] = ()) -> float:
    if not weights:
        return sum(passed) / len(passed) if passed else 0.0
    total = sum(weights)
    return sum(weight for weight, good in zip(weights, passed, strict=True) if good) / total if total > 0 else 0.0


def _is_program(completion: CompletionResult) -> bool:
    return completion.answered and completion.parses and Verdict.COMPILE_ERROR not in completion.verdicts


def _compute_adjustments(policy: Policy, completion: CompletionResult) -> float:
    bonus = policy.format_bonus if completion.answered and completion.well_formed else 0.0
    if policy.max_length is None:
        return bonus
    over = completion.length - (policy.max_length - policy.length_buffer)
    if over <= 0:
        return bonus
    return bonus - policy.length_penalty * (min(1.0, over / policy.length_buffer) if policy.length_buffer else 1.0)
