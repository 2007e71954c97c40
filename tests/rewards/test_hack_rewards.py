"""Rewards of test writers: what a completion gives, and what its hack is worth."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.rewards.hack_plan import WrittenTest, read_test
from sandbox.rewards.plan import build_plan
from sandbox.rewards.scoring import score_results
from sandbox.runner.contract import Verdict
from sandbox.schema.hack import HackRequest, HackResult
from sandbox.schema.reward import RewardRequest
from sandbox.verify.hacks import HackReason

TASK = {
    "target": {"language": "python", "code": "print(max(0, *map(int, input().split())))"},
    "references": [{"language": "python", "code": "print(max(map(int, input().split())))"}],
}
INPUT = "```input\n-5 -3\n```"


def build_request(*completions: str | None, **fields: Any) -> RewardRequest:
    body = {"completions": list(completions), "hacks": [TASK], "policy": "hack", **fields}
    return RewardRequest.model_validate(body)


def score(reason: HackReason, valid: bool | None, breaks: bool | None, output_right: bool | None) -> float | None:
    result = HackResult(id="1", valid=valid, breaks=breaks, reason=reason, output_right=output_right)
    plan = build_plan(build_request(INPUT), lambda names: {})
    return score_results(plan, [result.model_dump_json().encode()]).rewards[0]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        (INPUT, WrittenTest("-5 -3\n", None, True)),
        (f"<think>```input\n1\n```</think>Try this:\n{INPUT}", WrittenTest("-5 -3\n", None, True)),
        (f"{INPUT}\nThe output:\n```output\n-3\n```", WrittenTest("-5 -3\n", "-3\n", True)),
        ("```\n1\n\n2\n```", WrittenTest("1\n\n2\n", None, True)),
        (f"```python\nprint(1)\n```\n{INPUT}", WrittenTest("-5 -3\n", None, True)),
        (f"```input\n1\n```\n{INPUT}", WrittenTest("-5 -3\n", None, True)),
        ("no block", None),
        ("```python\nprint(1)\n```", None),
        ("<think>```input\n1\n```", None),
    ],
)
def test_a_completion_gives_an_input_and_perhaps_the_output(text: str, written: WrittenTest | None) -> None:
    assert read_test(text) == written


def test_a_plan_has_one_hack_for_each_input() -> None:
    plan = build_plan(build_request(INPUT, "nothing", f"{INPUT}\n```output\n-3\n```"), lambda names: {})
    assert plan.kind == "hack"
    first, second = plan.programs
    assert isinstance(first, HackRequest)
    assert isinstance(second, HackRequest)
    assert first.input is not None
    assert (first.input.stdin, first.output, second.output) == ("-5 -3\n", None, "-3\n")
    assert [planned.program_index for planned in plan.completions] == [0, None, 1]


@pytest.mark.parametrize(
    ("reason", "valid", "breaks", "output_right", "reward"),
    [
        (HackReason.WRONG_OUTPUT, True, True, None, 1.0),
        (HackReason.WRONG_OUTPUT, True, True, True, 1.0),
        (HackReason.WRONG_OUTPUT, True, True, False, 0.0),
        (HackReason.TARGET_PASSES, True, False, True, 0.0),
        (HackReason.INPUT_REJECTED, False, False, None, 0.0),
        (HackReason.SERVICE_FAILED, None, None, None, None),
        (HackReason.TARGET_NOT_COMPILED, True, False, None, None),
    ],
)
def test_a_hack_is_rewarded_if_all_conditions_hold_and_is_null_if_the_service_failed(
    reason: HackReason, valid: bool | None, breaks: bool | None, output_right: bool | None, reward: float | None
) -> None:
    assert score(reason, valid, breaks, output_right) == reward


def test_a_completion_without_an_input_gets_nothing_and_a_lost_result_gets_null() -> None:
    plan = build_plan(build_request(INPUT, "nothing", policy={"name": "hack", "format_bonus": 0.1}), lambda names: {})
    result = score_results(plan, [None])
    assert result.rewards == [None, 0.0]
    assert result.details[1].message == "no input in the completion"
    assert result.details[0].verdict is Verdict.INTERNAL_ERROR


@pytest.mark.parametrize(
    "fields",
    [
        {"policy": "binary"},
        {"hacks": None},
        {"tests": [[{"stdin": "1"}]]},
        {"hacks": [TASK, TASK]},
        {"hacks": [{**TASK, "limits": {"output_kb": 100_000}}]},
    ],
)
def test_requests_that_mix_hacks_and_tests_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        build_request(INPUT, **fields)
