"""Rows of public benchmarks are read as problems, and results are grouped and plotted."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import BadRequest
from sandbox.gpu.evaluation.benchmarks import read_problems
from sandbox.gpu.evaluation.evaluation_job import build_program, build_report
from sandbox.gpu.evaluation.plot import plot_scores
from sandbox.schema import AssertTest, FunctionTest, TestCase
from sandbox.schema.gpu import EvalProblem, EvaluateRequest

HUMANEVAL = {
    "task_id": "HumanEval/0",
    "prompt": 'def double(x):\n    """Twice x."""\n',
    "test": "def check(candidate):\n    assert candidate(2) == 4\n",
    "entry_point": "double",
}
LIVECODEBENCH = {
    "question_id": "abc100_a",
    "question_content": "Add.",
    "public_test_cases": json.dumps([{"input": "1 2", "output": "3", "testtype": "stdin"}]),
    "metadata": "{}",
    "difficulty": "easy",
    "contest_date": "2024-05-01T00:00:00",
}


def test_a_humaneval_row_is_checked_by_its_own_function() -> None:
    (problem,) = read_problems("humaneval", [HUMANEVAL])
    (test,) = problem.tests
    assert isinstance(test, AssertTest)
    assert test.assertion.endswith("check(double)\n")
    assert (problem.entry_point, problem.before) == ("double", HUMANEVAL["prompt"])


def test_each_assert_of_an_mbpp_row_is_a_test_behind_its_imports() -> None:
    row = {
        "task_id": 2,
        "prompt": "Add.",
        "test_imports": ["import math"],
        "test_list": ["assert f(1) == 1", "assert f(2)"],
    }
    (problem,) = read_problems("mbpp", [row])
    assert problem.name == "MBPP/2"
    assert [test.assertion for test in problem.tests if isinstance(test, AssertTest)] == [
        "import math\nassert f(1) == 1\n",
        "import math\nassert f(2)\n",
    ]


def test_a_livecodebench_row_has_its_date_difficulty_and_packed_cases() -> None:
    private = json.dumps([{"input": "5 5", "output": "10", "testtype": "stdin"}])
    packed = base64.b64encode(zlib.compress(pickle.dumps(private))).decode()
    (problem,) = read_problems("livecodebench", [{**LIVECODEBENCH, "private_test_cases": packed}])
    assert [test.stdin for test in problem.tests if isinstance(test, TestCase)] == ["1 2", "5 5"]
    assert (problem.released, problem.difficulty, problem.checker.type) == (date(2024, 5, 1), "easy", "livecodebench")


def test_a_livecodebench_row_with_a_function_calls_it() -> None:
    row = {
        **LIVECODEBENCH,
        "public_test_cases": json.dumps([{"input": "[1, 2]\n3", "output": "true", "testtype": "functional"}]),
        "metadata": json.dumps({"func_name": "has"}),
        "starter_code": "class Solution:\n    def has(self, a, k):\n        ",
    }
    (problem,) = read_problems("livecodebench", [row])
    assert problem.entry_point == "Solution.has"
    assert problem.tests == [FunctionTest(args=[[1, 2], 3], expected=True)]


def test_a_pickle_that_is_more_than_a_text_is_refused() -> None:
    packed = base64.b64encode(zlib.compress(pickle.dumps(Path("/")))).decode()
    with pytest.raises(BadRequest, match="row 0 is not of the shape livecodebench"):
        read_problems("livecodebench", [{**LIVECODEBENCH, "private_test_cases": packed}])


def test_a_row_of_another_shape_is_named_with_what_it_lacks() -> None:
    with pytest.raises(BadRequest, match="row 1 is not of the shape humaneval: no field 'task_id'") as error:
        read_problems("humaneval", [HUMANEVAL, {}])
    assert error.value.field == "rows.1"


def run_double(completion: str) -> object:
    """Return what the function of the HumanEval problem, completed like this, returns for 21."""
    (problem,) = read_problems("humaneval", [HUMANEVAL])
    names: dict[str, Any] = {}
    exec(compile(build_program(problem, completion), "main.py", "exec", dont_inherit=True), names)
    return names["double"](21)


@pytest.mark.parametrize(
    "completion",
    [
        "    return 2 * x",
        "```python\n    return 2 * x\n```",
        "Here:\n```python\ndef double(x):\n    return 2 * x\n```",
        "def double(x):\n    return 2 * x\n",
        # The function ends before what follows it, and finds the imports that the grader adds.
        "    return 2 * x\n\ndef other(:\n",
        "    return 2 * x\n```\nThat is it.",
        "def double(x):\n    return 2 * x\n\nprint(input())",
        "```python\nfrom __future__ import annotations\ndef double(x: List[int]): return 2 * x\n```",
        " Sure:\n```python\ndef double(x):\n    return len(Counter()) + math.floor(2 * x)\n```",
    ],
)
def test_the_rest_of_a_function_and_the_whole_of_it_both_make_a_program(completion: str) -> None:
    assert run_double(completion) == 42


def test_livecodebench_and_mbpp_programs_have_the_graders_imports() -> None:
    (live,) = read_problems("livecodebench", [LIVECODEBENCH])
    program = build_program(live, "```python\nfrom __future__ import annotations\nprint(sqrt(4))\n```")
    assert program.startswith("from __future__ import annotations\n")
    assert "sys.setrecursionlimit(50000)\npass\nprint(sqrt(4))" in program
    (mbpp,) = read_problems("mbpp", [{"task_id": 2, "prompt": "Add.", "test_list": ["assert f(1)"]}])
    names: dict[str, Any] = {}
    exec(build_program(mbpp, "```python\ndef f(xs: List[int]): return deque(xs)\n```"), names)
    assert list(names["f"]([1])) == [1]


def test_problems_without_a_data_set_get_no_imports() -> None:
    assert build_program(_build_problem("a", date(2024, 1, 5), "easy"), "print(1)") == "print(1)"


def test_a_completion_without_code_makes_none() -> None:
    (problem,) = read_problems("humaneval", [HUMANEVAL])
    assert build_program(problem, "```\n```") == ""


def _build_problem(name: str, released: date, difficulty: str) -> EvalProblem:
    return EvalProblem(name=name, prompt="p", tests=[TestCase()], released=released, difficulty=difficulty)


def test_scores_are_told_by_difficulty_by_month_and_around_the_cutoff(tmp_path: Path) -> None:
    scored = [
        (_build_problem("a", date(2024, 1, 5), "easy"), 4, 4),
        (_build_problem("b", date(2024, 2, 5), "hard"), 4, 2),
        (_build_problem("c", date(2024, 2, 6), "hard"), 4, 0),
    ]
    request = EvaluateRequest(
        model="m", problems=[one for one, _, _ in scored], k=[1, 2], sampling={"n": 4}, cutoff=date(2024, 2, 1)
    )
    result = build_report(scored, request)
    assert result["all"]["pass@1"] == pytest.approx(0.5)
    assert result["all"]["avg@4"] == pytest.approx(0.5)
    assert result["all"]["pass@2"] == pytest.approx((1 + 5 / 6 + 0) / 3)
    assert result["by_difficulty"]["hard"]["pass@1"] == pytest.approx(0.25)
    assert list(result["by_month"]) == ["2024-01", "2024-02"]
    assert result["cutoff"]["drop"]["pass@1"] == pytest.approx(0.75)
    image = base64.b64decode(plot_scores(result, tmp_path / "result.png"))
    assert image.startswith(b"\x89PNG")
