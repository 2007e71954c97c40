"""Votes on the wire: refused requests, defaults, and the answer to a request."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.runner.contract import Outcome
from sandbox.schema import TestCase, VerifyRequest
from sandbox.schema.vote import MAX_RUNS, VotePolicy, VoteRequest, VoteResult
from sandbox.verify import golden, voting
from sandbox.verify.judge import CheckerChoice
from tests.verify.outcome_matrices import LOST, build_matrix

CANDIDATES = [{"language": "python", "code": code} for code in ("a", "b", "c")]


def build_request(**fields: Any) -> VoteRequest:
    return VoteRequest.model_validate({"candidates": CANDIDATES, "inputs": ["1", "2"], **fields})


def build_result(asked: VoteRequest, outcomes: list[list[Outcome]]) -> VoteResult:
    checker = asked.effective_checker
    vote_outcome = golden.decide_vote(
        outcomes,
        [given.stdin_bytes for given in asked.inputs],
        [candidate.code for candidate in asked.candidates],
        CheckerChoice(checker.type, checker.model_dump(exclude={"type"})),
        asked.policy.resolve(),
        declared=[given.weight for given in asked.inputs],
    )
    return VoteResult.from_outcome(asked, vote_outcome, [0, 1, 2], id="vote")


def test_an_input_is_its_stdin_or_all_of_a_run() -> None:
    asked = build_request(inputs=["1", {"stdin_base64": "/w==", "args": ["x"], "weight": 2}])
    assert [given.stdin_bytes for given in asked.inputs] == [b"1", b"\xff"]
    assert [given.weight for given in asked.inputs] == [1, 2]


def test_policies() -> None:
    assert build_request().policy.resolve() == voting.Policy()
    assert build_request(policy="x-coder").policy.resolve() == voting.X_CODER_POLICY
    mixed = build_request(policy={"name": "x-coder", "tie": "none", "seed": 5}).policy.resolve()
    assert (mixed.tie, mixed.seed, mixed.quorum) == ("none", 5, 0.0)


def test_the_policy_says_its_defaults() -> None:
    for name, field in VotePolicy.model_fields.items():
        if name in {"name", "tie", "weights", "golden_tie"}:
            continue
        default = getattr(voting.Policy(), name)
        spelt = str(default).lower() if isinstance(default, bool) else f"{default:g}"
        assert (field.description or "").endswith(f"; default {spelt}")


def test_the_checker_goes_with_the_policy() -> None:
    assert build_request().effective_checker.type == "tokens"
    assert build_request(policy="x-coder").effective_checker.type == "code-judge"
    assert build_request(policy="x-coder", checker={"type": "float"}).effective_checker.type == "float"


def test_outputs_of_a_vote_are_bounded() -> None:
    assert build_request().effective_limits.output_kb == 1_024
    assert build_request(limits={"cpu_time_s": 2}).effective_limits.output_kb == 1_024
    assert build_request(limits={"output_kb": 8}).effective_limits.output_kb == 8


@pytest.mark.parametrize(
    "fields",
    [
        {"candidates": []},
        {"inputs": []},
        {"inputs": [3]},
        {"checker": {"type": "regex"}},
        {"checker": {"type": "interactive", "language": "python", "code": ""}},
        {"checker_allows": ["shuffled"]},
        {"policy": "no such"},
        {"policy": {"quorum": 1.1}},
        {"policy": {"quorom": 0.5}},
        {"policy": {"holdout_fraction": 1.0}},
        {"policy": {"tie": "last"}},
        {"policy": {"weights": "heavy"}},
        {"policy": {"min_votes": 0}},
        {"limits": {"output_kb": 100_000}},
        {"inputs": [{"stdin": "1", "weight": -1}]},
        {"inputs": [{"stdin": "1", "expected": "2"}]},
        {"candidates": CANDIDATES * 21, "inputs": ["1"] * (MAX_RUNS // 63 + 1)},
    ],
)
def test_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        build_request(**fields)


def test_an_answer_travels() -> None:
    asked = build_request(inputs=["1", "2", "3"], policy={"holdout_fraction": 0.5})
    result = build_result(asked, build_matrix([b"4\n", b"\xff", "x"], [b"4", b"\xff", "y"], ["5", b"\xff", LOST]))
    again = VoteResult.model_validate_json(result.model_dump_json())
    assert again == result
    assert [label.expected for label in again.labels] == ["4\n", "\ufffd", None]
    assert again.labels[1].expected_base64 == b"\xff"
    assert again.labels[2].why is voting.NoLabel.TIE
    assert [label.held_out for label in again.labels].count(True) == 1
    assert again.matrix[2] == ["wrong_answer", "accepted", "internal_error"]
    assert again.internal_errors == 1
    assert again.golden.index == 0
    assert again.golden.holdout_pass_rate == 1.0
    assert (again.golden.tied, again.golden.tie_break) == (2, "index")


def test_the_labelled_test_set_can_be_posted_as_it_is() -> None:
    asked = build_request(
        inputs=["1", {"stdin_base64": "/w==", "args": ["-v"]}, "3"], checker={"type": "float", "absolute": 0.5}
    )
    result = build_result(asked, build_matrix(["4", b"\xfe", "x"], ["4.1", b"\xfe", "y"], ["5", b"\xfe", "z"]))
    body = {"language": "python", "code": "", **result.model_dump(mode="json")["test_set"]}
    verify = VerifyRequest.model_validate(body)
    tests = [test for test in verify.tests if isinstance(test, TestCase)]
    assert [(test.stdin_bytes, test.args, test.expected_bytes) for test in tests] == [
        (b"1", [], b"4"),
        (b"\xff", ["-v"], b"\xfe"),
    ]
    assert verify.checker == asked.checker


def test_the_example_of_the_documentation_is_a_request() -> None:
    examples = VoteRequest.model_config["json_schema_extra"]
    assert isinstance(examples, dict)
    for example in examples["examples"]:  # type: ignore[union-attr]
        VoteRequest.model_validate(example)
