"""Without limits in the request, the time of a problem's reference decides how long its completions may run."""

from __future__ import annotations

import pytest

from sandbox.client import AsyncClient
from sandbox.gpu.evaluation.benchmarks import read_problems
from sandbox.gpu.evaluation.evaluation_job import choose_limits, derive_limits
from sandbox.schema.gpu import EvalProblem, EvaluateRequest

pytestmark = pytest.mark.docker
TESTS = [{"stdin": "20 22\n", "expected": "42\n"}]
RIGHT = "print(sum(map(int, input().split())))"
SLOW = f"import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass\n{RIGHT}"


def _build_problem(reference: str) -> EvalProblem:
    return EvalProblem.model_validate({"name": "p", "prompt": "Add.", "tests": TESTS, "reference": reference})


async def test_a_completion_gets_ten_times_the_time_of_the_reference(url: str) -> None:
    problems = [_build_problem(reference) for reference in (RIGHT, SLOW, "print(0)", "")]
    request = EvaluateRequest(model="m", problems=problems)
    async with AsyncClient(url) as client:
        limits = [limit.cpu_time_s for limit in await choose_limits(client, problems, request)]
        given = EvaluateRequest.model_validate({**request.model_dump(), "limits": {"cpu_time_s": 7}})
        assert [limit.cpu_time_s for limit in await choose_limits(client, problems, given)] == [7.0] * 4
    assert limits[0] == 1.0
    assert limits[1] is not None
    assert 3.0 <= limits[1] < 6.0
    assert limits[2:] == [None, None], "a wrong or missing reference says nothing"


def test_all_tests_together_get_ten_times_their_time_too() -> None:
    limits = derive_limits([0.01, 0.2, 0.05])
    assert (limits.cpu_time_s, limits.total_cpu_time_s) == (2.0, 2.6)
    assert derive_limits([0.01] * 3) == derive_limits([]), "both are at least one second"


def test_rows_of_a_benchmark_bring_their_reference() -> None:
    humaneval = {"task_id": "H/0", "prompt": "def f():\n", "canonical_solution": "    return 1\n", "entry_point": "f"}
    (first,) = read_problems("humaneval", [{**humaneval, "test": "def check(f):\n    assert f() == 1\n"}])
    assert first.reference.endswith("def f():\n    return 1\n")
    mbpp = {"task_id": 1, "text": "One.", "test_list": ["assert f() == 1"], "code": "def f():\n    return 1"}
    (second,) = read_problems("mbpp", [mbpp])
    assert second.reference.endswith("def f():\n    return 1")
    del mbpp["code"]
    assert read_problems("mbpp", [mbpp])[0].reference == ""
