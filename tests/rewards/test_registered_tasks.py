"""A trainer that sends the ids of tasks gets their checker, limits, validators, references and smallest suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from sandbox.errors import BadRequest
from sandbox.rewards.plan import build_plan
from sandbox.schema import VerifyRequest
from sandbox.schema.hack import HackRequest
from sandbox.schema.reward import RewardRequest, Task

SET = "0" * 64
PROGRAM = {"language": "python", "code": "print(input())"}
TASK: dict[str, Any] = {
    "tests": [{"stdin": str(number), "expected": str(number)} for number in range(4)],
    "weights": [1, 2, 3, 4],
    "checker": {"type": "float", "absolute": 1e-3},
    "limits": {"cpu_time_s": 3},
    "validators": [{**PROGRAM, "code": "int(input())"}],
    "references": [PROGRAM],
    "target": {**PROGRAM, "code": "print(1)"},
    "quality": {"tpr": 1.0, "tnr": 1.0, "smallest_suite": [1, 3]},
}
TASKS = {
    f"{SET}/whole": Task.model_validate(TASK),
    f"{SET}/plain": Task.model_validate({"tests": TASK["tests"]}),
}


def look_up(references: Sequence[str]) -> Mapping[str, Task]:
    return {reference: TASKS[reference] for reference in references}


def plan(*names: str, **fields: Any) -> Any:
    completions = ["```input\n7\n```" if fields.get("policy") == "hack" else "```python\nprint(1)\n```"] * len(names)
    request = {"completions": completions, "tasks": [f"{SET}/{name}" for name in names], **fields}
    return build_plan(RewardRequest.model_validate(request), look_up)


def test_a_task_brings_its_checker_and_limits() -> None:
    (program,) = plan("whole").programs
    assert isinstance(program, VerifyRequest)
    assert (program.checker.type, program.limits.cpu_time_s, len(program.tests)) == ("float", 3, 4)


def test_the_smallest_suite_replaces_all_tests_of_a_task_that_has_one() -> None:
    built = plan("whole", "plain", suite="smallest", policy="weighted")
    assert [[test.stdin for test in program.tests] for program in built.programs] == [["1", "3"], ["0", "1", "2", "3"]]
    assert built.completions[0].weights == [2, 4]


def test_the_policy_hack_takes_the_target_and_the_validators_of_a_task() -> None:
    built = plan("whole", "plain", policy="hack")
    (hack,) = built.programs
    assert isinstance(hack, HackRequest)
    assert (hack.target.code, hack.validators[0].code, hack.references[0].code) == (
        "print(1)",
        "int(input())",
        PROGRAM["code"],
    )
    assert (hack.checker.type, hack.limits.cpu_time_s) == ("float", 3)
    assert not built.completions[1].usable
    with pytest.raises(BadRequest, match="a target and references"):
        plan("plain", policy="hack")


def test_a_suite_with_unknown_tests_is_refused() -> None:
    with pytest.raises(ValidationError, match="positions beyond the tests"):
        Task.model_validate({**TASK, "quality": {"smallest_suite": [4]}})
    with pytest.raises(ValidationError, match="greater than or equal to 0"):
        Task.model_validate({**TASK, "quality": {"smallest_suite": [-1]}})
