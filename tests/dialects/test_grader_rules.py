"""The rules of each peer's own grader, as the migration guide lists them, on a real service.

Each case is a submission and whether the peer accepts it, or the decision of this service if the guide says it differs.
"""

from __future__ import annotations

import base64
import json
import zlib
from typing import Any

import httpx
import pytest

from tests.dialects.conftest import post


@pytest.fixture
def http(live_http: httpx.AsyncClient) -> httpx.AsyncClient:
    return live_http


async def _is_accepted(
    http: httpx.AsyncClient, kind: str, row: dict[str, Any], completion: str, extra: dict[str, Any] | None = None
) -> bool:
    config = {"language": "python", "dataset_type": kind, "provided_data": row, "extra": extra or {}}
    body = {"dataset": "x", "id": 1, "completion": completion, "config": config}
    return bool((await post(http, "/sandbox_fusion/submit", body))["accepted"])


def _wrap_in_fence(code: str) -> str:
    return f"```python\n{code}\n```"


HUMANEVAL = {
    "prompt": 'def add(a, b):\n    """Sum."""\n',
    "test": "def check(candidate):\n    assert candidate(20, 22) == 42\n",
    "entry_point": "add",
}
WHOLE_FUNCTION = "def add(a, b):\n    return a + b"


@pytest.mark.parametrize(
    ("completion", "extra", "accepted"),
    [
        pytest.param("    return a + b\n", {}, True, id="continues the prompt"),
        pytest.param("    return a - b\n", {}, False, id="is wrong"),
        pytest.param("    return a + b\n\ndef sub(a, b):\n    retu", {}, True, id="is cut where the function ends"),
        pytest.param("    return a + b\nraise ValueError\n", {}, True, id="is cut before a statement"),
        pytest.param("    return a + b\n```\nprint(1)", {}, True, id="is cut at a closing fence"),
        pytest.param(f"{WHOLE_FUNCTION}\n\nassert add(1, 1) == 3\n", {}, True, id="the whole function"),
        pytest.param(f"Here:\n{WHOLE_FUNCTION}\n\nThat adds.", {}, True, id="the whole function between prose"),
        pytest.param(
            f"{_wrap_in_fence(WHOLE_FUNCTION)}\nUse it:\n{_wrap_in_fence('print(add(1, 2))')}",
            {},
            True,
            id="the first block",
        ),
        pytest.param(
            f"{_wrap_in_fence(WHOLE_FUNCTION)}\n{_wrap_in_fence('x = 1')}",
            {"is_freeform": True},
            True,
            id="the first, freeform",
        ),
        pytest.param(
            f"```text\n1\n```\n{_wrap_in_fence(WHOLE_FUNCTION)}",
            {"is_freeform": True},
            True,
            id="the first of its language",
        ),
        pytest.param(
            _wrap_in_fence(f"from __future__ import annotations\n{WHOLE_FUNCTION}"),
            {"is_freeform": True},
            True,
            id="future imports",
        ),
        pytest.param("    return int(np.add(a, b)) + len(Counter())\n", {}, True, id="imports of the grader"),
        pytest.param("    return reduce(lambda x, y: x + y, [a, b])\n", {}, False, id="no other imports"),
    ],
)
async def test_humaneval_of_sandbox_fusion(
    http: httpx.AsyncClient, completion: str, extra: dict[str, Any], accepted: bool
) -> None:
    assert await _is_accepted(http, "HumanEvalDataset", HUMANEVAL, completion, extra) is accepted


async def test_a_humaneval_prompt_may_have_future_imports(http: httpx.AsyncClient) -> None:
    row = {**HUMANEVAL, "prompt": "from __future__ import annotations\n" + HUMANEVAL["prompt"]}
    assert await _is_accepted(http, "HumanEvalDataset", row, "    return a + b\n")


MBPP = {"test_list": ["assert root(4) == 2", "assert math.isclose(root(9), 3)"], "test_imports": ["import math"]}
ROOT = "def root(x):\n    return x ** 0.5"


@pytest.mark.parametrize(
    ("completion", "accepted"),
    [
        pytest.param(_wrap_in_fence(ROOT), True, id="a block"),
        pytest.param(f"[BEGIN]\n{ROOT}\n[DONE]\n\nNext task: cubes", True, id="between the few-shot marks"),
        pytest.param(f"{ROOT}\n[DONE]\n[BEGIN]\ndef root(x):\n    return 0", True, id="up to the mark"),
        pytest.param(f"{ROOT}\nassert root(4) == 5", True, id="up to an assert"),
        pytest.param(f'{ROOT}\n"""\nThat\'s it.', True, id="up to triple quotes"),
        pytest.param(f"{ROOT}\nif __name__ == '__main__':\n    raise ValueError", True, id="up to the main block"),
        pytest.param(f"Sure!\n\n{ROOT}\n\nThat's it.", True, id="between prose"),
        pytest.param("def root(x):\n    return math.sqrt(x)", True, id="imports of the tests"),
        pytest.param("def root(x):\n    return x", False, id="is wrong"),
    ],
)
async def test_mbpp_of_sandbox_fusion(http: httpx.AsyncClient, completion: str, accepted: bool) -> None:
    assert await _is_accepted(http, "MBPPDataset", MBPP, completion) is accepted


def _build_call_row(given: str, wanted: str) -> dict[str, Any]:
    return {"test": {"fn_name": "f", "inputs": [given], "outputs": [wanted]}}


@pytest.mark.parametrize(
    ("row", "code", "accepted"),
    [
        pytest.param(_build_call_row("[1, 2]\n3", "6"), "def f(xs, y): return sum(xs) + y", True, id="a value a line"),
        pytest.param(_build_call_row("[1, 2]", "[3]"), "def f(xs): return sum(xs)", True, id="a wrapped value"),
        pytest.param(_build_call_row("[1, 2]", "[3]"), "def f(xs): return [sum(xs)]", True, id="a list of one"),
        pytest.param(
            _build_call_row("[1, 2]", "[1, 2]"), "def f(xs): return xs[0]", False, id="not the first of several"
        ),
        pytest.param(
            _build_call_row('{"1": 2}', "2"), "def f(graph): return graph[1]", True, id="keys that are numbers"
        ),
        pytest.param(_build_call_row('{"a": 2}', "2"), "def f(graph): return graph['a']", True, id="keys that are not"),
        pytest.param(
            _build_call_row('{"1": 2}', '{"1": 3}'), "def f(graph): return {1: graph[1] + 1}", True, id="a dict"
        ),
        pytest.param(_build_call_row("2", "[[1, 2]]"), "def f(n): return [(1, n)]", True, id="tuples are lists"),
        pytest.param(
            _build_call_row(f"{10**30}", f"{10**30 + 1}"), "def f(n): return n + 1", True, id="large integers"
        ),
        pytest.param(
            _build_call_row("1", "2"), "class Solution:\n    def f(self, n): return n + 1", True, id="a method"
        ),
        pytest.param(
            _build_call_row("[3, 1]", "1"),
            "class Solution:\n    def f(self, xs: List[int]) -> int: return min(xs, default=inf) + len(deque())",
            True,
            id="imports of the grader",
        ),
        pytest.param(
            _build_call_row("5000", "5000"),
            "def f(n): return n and 1 + f(n - 1)",
            True,
            id="recursion limit of the grader",
        ),
        pytest.param({"test": {"inputs": ["16"], "outputs": ["4.0"]}}, "print(sqrt(int(input())))", True, id="stdin"),
        pytest.param(
            {"test": {"inputs": ["9000"], "outputs": ["9000"]}},
            "from __future__ import annotations\ndef f(n: Any): return n and 1 + f(n - 1)\nprint(f(int(input())))",
            True,
            id="stdin with future imports and deep recursion",
        ),
        pytest.param(
            {"test": {"inputs": [["1", "2"]], "outputs": [["2", "4"]]}},
            "for _ in range(2): print(2 * int(input()))",
            True,
            id="lists of lines",
        ),
        pytest.param({"test": {"inputs": [""], "outputs": ["1 2.50"]}}, "print('1.0 2.5 ')", True, id="by value"),
        pytest.param({"test": {"inputs": [""], "outputs": ["0.1"]}}, "print('0.1000001')", False, id="exactly"),
    ],
)
async def test_livecodebench_of_sandbox_fusion(
    http: httpx.AsyncClient, row: dict[str, Any], code: str, accepted: bool
) -> None:
    assert await _is_accepted(http, "LiveCodeBenchDataset", row, _wrap_in_fence(code)) is accepted


async def test_private_tests_of_livecodebench_count(http: httpx.AsyncClient) -> None:
    private = json.dumps([{"input": "2", "output": "4", "testtype": "stdin"}])
    row = {
        "public_test_cases": '[{"input": "1", "output": "2", "testtype": "stdin"}]',
        "private_test_cases": base64.b64encode(zlib.compress(private.encode())).decode(),
    }
    assert not await _is_accepted(http, "", row, _wrap_in_fence("print(2)"))
    assert await _is_accepted(http, "", row, _wrap_in_fence("print(int(input()) * 2)"))


@pytest.mark.parametrize(
    ("stdout", "wanted", "accepted"),
    [
        ("5e-16", "0", True),
        ("3.141593", "3.14159", True),
        ("3.1417", "3.14159", False),
        ("YES\n no\n\n", "yes\nNO", True),
        ("1 2", "1  2", False),
        ("1\n2\n3", "1\n2", False),
        ("1", "1\n2", False),
    ],
)
async def test_stdout_of_sandbox_fusion(http: httpx.AsyncClient, stdout: str, wanted: str, accepted: bool) -> None:
    row = {"test": [{"input": {"stdin": ""}, "output": {"stdout": wanted}}]}
    assert await _is_accepted(http, "CommonOJDataset", row, _wrap_in_fence(f"print({stdout!r})")) is accepted


async def test_common_oj_programs_get_no_imports(http: httpx.AsyncClient) -> None:
    row = {"test": [{"input": {"stdin": ""}, "output": {"stdout": "2.0"}}]}
    assert not await _is_accepted(http, "CommonOJDataset", row, _wrap_in_fence("print(sqrt(4))"))


async def test_scalebox_checks_asserts_and_calls(http: httpx.AsyncClient) -> None:
    path = "/sandbox_fusion/common_evaluate_batch"
    for cases, accepted in (
        ({"type": "assert", "test": HUMANEVAL["test"], "entry_point": "add"}, True),
        ({"type": "function_call", "fn_name": "add", "input": [[20, 22]], "output": [[42]]}, True),
        ({"type": "function_call", "fn_name": "add", "input": ["20\n22"], "output": ["42"], "json_input": True}, True),
        ({"type": "function_call", "fn_name": "add", "input": [[20, 22]], "output": [[[42]]]}, False),
    ):
        config = {"language": "python", "provided_data": {"test_cases": cases}}
        body = {"dataset": "x", "id": 1, "completion": _wrap_in_fence(WHOLE_FUNCTION), "config": config}
        assert (await post(http, path, body))["accepted"] is accepted, cases


async def test_php_gets_the_tag_that_is_missing(http: httpx.AsyncClient) -> None:
    for code in ("echo 6 * 7;", "<?php echo 6 * 7;"):
        answer = await post(http, "/sandbox_fusion/run_code", {"language": "php", "code": code})
        assert answer["run_result"]["stdout"] == "42"


@pytest.mark.parametrize(
    ("solution", "expected", "success"),
    [
        ("print(' 1\\n2 \\n\\n')", "1\n2", True),
        ("print('1 \\n2')", "1\n2", False),
        ("print(1); raise SystemExit(1)", "1", False),
        ("print(1); raise SystemExit", "1", True),
        ("print(1.0)", "1", False),
    ],
)
async def test_code_judge(http: httpx.AsyncClient, solution: str, expected: str, success: bool) -> None:
    body = {"type": "python", "solution": solution, "expected_output": expected}
    assert (await post(http, "/code_judge/judge", body))["success"] is success


@pytest.mark.parametrize(
    ("program", "tests", "results"),
    [
        pytest.param("x = 1", ["assert x == 1", "assert x == 2", "y = x"], [1, 0, 1], id="each test by itself"),
        pytest.param("x = [1]", ["x.append(2)", "assert len(x) == 1"], [1, 1], id="in a new process"),
        pytest.param("x = 1", ["assert (", "assert x"], [0, 1], id="a test that is no Python fails"),
        pytest.param("import os\nx = os.sep", ["assert x == '/'"], [1], id="modules that the peer refuses"),
        pytest.param("x = sqrt(4)", ["assert x == 2"], [0], id="no imports"),
    ],
)
async def test_open_instructs_asserts(
    http: httpx.AsyncClient, program: str, tests: list[str], results: list[int]
) -> None:
    body = {"program": program, "tests": tests, "max_execution_time": 5}
    assert (await post(http, "/open_instruct/test_program", body))["results"] == results


async def test_open_instructs_stdin(http: httpx.AsyncClient) -> None:
    tests = [{"input": "16\n", "output": "4"}, {"input": "2\n", "output": "1.4"}]
    body = {"program": "print(sqrt(int(input())), '')", "tests": json.dumps(tests), "max_execution_time": 5}
    assert (await post(http, "/open_instruct/test_program_stdio", body))["results"] == [1, 0]


@pytest.mark.parametrize(
    ("fields", "success"),
    [
        pytest.param({"code": f"{WHOLE_FUNCTION}\nassert add(1, 2) == 3"}, True, id="tests of its own"),
        pytest.param({"code": f"{WHOLE_FUNCTION}\nassert add(1, 2) == 4"}, False, id="tests of its own that fail"),
        pytest.param({"code": "x: List[int] = [1]"}, True, id="imports of the grader"),
        pytest.param({"code": "#include <cassert>\nint main() { assert(0); }", "language": "CPP"}, False, id="in C++"),
        pytest.param({"code": "print(sqrt(4))", "testcases": [{"input": "", "expectedOutput": "2"}]}, True, id="stdin"),
        pytest.param(
            {
                "code": WHOLE_FUNCTION,
                "entryFunction": "add",
                "testcases": [{"input": "20\n22", "expectedOutput": "[42]"}],
            },
            True,
            id="a wrapped value",
        ),
    ],
)
async def test_areal(http: httpx.AsyncClient, fields: dict[str, Any], success: bool) -> None:
    body = {"uid": "u", "language": "PYTHON", "entryFunction": "", "testcases": [], "timeout": 5, **fields}
    assert (await post(http, "/areal/apis/functioncalls", body))["success"] is success


async def test_judge0_compares_lines(http: httpx.AsyncClient) -> None:
    for source, expected, status in (("print('1 ')", "1\r\n", 3), ("print(' 1')", "1", 4), ("", "", 3)):
        body = {"source_code": source or "pass", "language_id": 71, "expected_output": expected}
        answer = await post(http, "/judge0/submissions?wait=true", body)
        assert answer["status"]["id"] == status, source
