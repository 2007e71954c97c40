"""Reward policies turn verdicts into rewards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.rewards.policy import CompletionResult, Policy, PolicyName, score
from sandbox.runner.contract import Verdict

A, W, S = Verdict.ACCEPTED, Verdict.WRONG_ANSWER, Verdict.SKIPPED
TIMEOUT = Verdict.TIME_LIMIT_EXCEEDED
C, INTERNAL = Verdict.COMPILE_ERROR, Verdict.INTERNAL_ERROR

POLICIES = [Policy("binary"), Policy("fraction"), Policy("x-coder"), Policy("weighted"), Policy("first-k", k=2)]


@pytest.mark.parametrize(
    ("name", "verdicts", "reward"),
    [
        ("binary", [A, A], 1.0),
        ("binary", [A, W], 0.0),
        ("binary", [W, S], 0.0),
        ("fraction", [A, TIMEOUT, S, S], 0.25),
        ("weighted", [A, TIMEOUT, S, S], 0.25),
        ("x-coder", [A, TIMEOUT, S, S], 1.25),
        ("fraction", [A, A, W, W], 0.5),
        ("fraction", [C, C], 0.0),
        ("x-coder", [A, A, A, W], 3.75),
        ("x-coder", [W, W], 0.0),
        ("x-coder", [C, C], -2.0),
    ],
)
def test_each_policy_has_its_value(name: PolicyName, verdicts: list[Verdict], reward: float) -> None:
    assert score(Policy(name), CompletionResult(True, verdicts)) == reward


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_no_answer_is_worth_nothing_and_less_for_x_coder(policy: Policy) -> None:
    assert score(policy, CompletionResult(False)) == (-2.0 if policy.name == "x-coder" else 0.0)


def test_code_that_does_not_parse_is_worth_minus_two_for_x_coder() -> None:
    assert score(Policy("x-coder"), CompletionResult(True, [Verdict.RUNTIME_ERROR], parses=False)) == -2.0
    assert score(Policy("fraction"), CompletionResult(True, [Verdict.RUNTIME_ERROR], parses=False)) == 0.0


@pytest.mark.parametrize("policy", POLICIES, ids=lambda policy: policy.name)
def test_an_infrastructure_failure_is_none_and_never_a_number(policy: Policy) -> None:
    assert score(policy, CompletionResult(True, [INTERNAL, INTERNAL])) is None
    assert score(policy, CompletionResult(True, [A, INTERNAL])) is None


def test_a_failure_on_a_test_that_does_not_count_does_not_matter() -> None:
    assert score(Policy("first-k", k=1), CompletionResult(True, [A, INTERNAL])) == 1.0


def test_weights_weigh_and_missing_ones_count_one() -> None:
    assert score(Policy("weighted"), CompletionResult(True, [A, W], weights=[3.0, 1.0])) == 0.75
    assert score(Policy("weighted"), CompletionResult(True, [A, W])) == 0.5
    assert score(Policy("weighted"), CompletionResult(True, [A, W], weights=[0.0, 0.0])) == 0.0


def test_first_k_takes_the_first_ones_without_a_seed() -> None:
    assert Policy("first-k", k=3).select_tests(10) == [0, 1, 2]
    assert score(Policy("first-k", k=2), CompletionResult(True, [A, W, W, W])) == 0.5


def test_a_seed_chooses_the_same_tests_for_ever() -> None:
    assert Policy("first-k", k=3, seed=7).select_tests(10) == [3, 4, 7]
    assert Policy("first-k", k=3, seed=8).select_tests(10) != [3, 4, 7]


@given(st.integers(1, 50), st.integers(0, 60), st.none() | st.integers())
def test_a_choice_is_k_different_tests_in_order(k: int, tests: int, seed: int | None) -> None:
    chosen = Policy("first-k", k=k, seed=seed).select_tests(tests)
    assert len(chosen) == min(k, tests)
    assert chosen == sorted(set(chosen))
    assert all(0 <= index < tests for index in chosen)


def test_a_closed_fence_earns_the_format_bonus() -> None:
    policy = Policy("binary", format_bonus=0.1)
    assert score(policy, CompletionResult(True, [A])) == pytest.approx(1.1)
    assert score(policy, CompletionResult(True, [A], well_formed=False)) == 1.0
    assert score(policy, CompletionResult(False)) == 0.0


@pytest.mark.parametrize(("length", "term"), [(0, 0.0), (80, 0.0), (90, -0.5), (100, -1.0), (5_000, -1.0)])
def test_overlong_completions_lose_softly(length: int, term: float) -> None:
    policy = Policy("fraction", max_length=100, length_buffer=20)
    assert score(policy, CompletionResult(True, [A], length=length)) == pytest.approx(1.0 + term)


def test_without_a_buffer_the_length_term_is_a_step() -> None:
    policy = Policy("fraction", max_length=100, length_penalty=0.5)
    assert score(policy, CompletionResult(True, [A], length=100)) == 1.0
    assert score(policy, CompletionResult(True, [A], length=101)) == 0.5


@pytest.mark.parametrize(
    "fields", [{"name": "first-k"}, {"k": 3}, {"name": "first-k", "k": 0}, {"max_length": 5, "length_buffer": 6}]
)
def test_a_policy_that_makes_no_sense_is_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"^(the policy first-k needs k|k |length_buffer )"):
        Policy(**fields)  # type: ignore[arg-type]
