"""Every dialect with a real service, which is right where its peer is wrong."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.dialects.conftest import post

TESTS = [{"input": "2", "output": "4"}, {"input": "3", "output": "6"}]
DOUBLE = "print(int(input()) * 2)"
CPP = "#include <iostream>\nint main() { int a; std::cin >> a; std::cout << a * 2; }"


@pytest.fixture
def http(live_http: httpx.AsyncClient) -> httpx.AsyncClient:
    return live_http


async def _run_code(http: httpx.AsyncClient, code: str, **fields: Any) -> dict[str, Any]:
    answer: dict[str, Any] = await post(
        http, "/sandbox_fusion/run_code", {"code": code, "language": "python", **fields}
    )
    return answer


@pytest.mark.parametrize("characters", [200_000, 3_000_000])
async def test_much_output_is_no_timeout_and_is_not_cut(http: httpx.AsyncClient, characters: int) -> None:
    """The peer reads the pipe after the exit: 200 KB become a timeout, and output past 1 MiB is cut silently."""
    answer = await _run_code(http, f"print('x' * {characters})")
    assert answer["status"] == "Success"
    assert answer["run_result"]["stdout"] == "x" * characters + "\n"


async def test_memory_limits_are_kept(http: httpx.AsyncClient) -> None:
    answer = await _run_code(http, "x = bytearray(900 << 20)", memory_limit_MB=128)
    assert (answer["status"], answer["run_result"]["status"]) == ("Failed", "Finished")
    assert answer["run_result"]["return_code"] != 0


async def test_a_program_without_end_is_a_timeout(http: httpx.AsyncClient) -> None:
    answer = await _run_code(http, "while True: pass", run_timeout=1)
    assert (answer["status"], answer["run_result"]["return_code"]) == ("Failed", None)
    assert answer["run_result"]["status"] == "TimeLimitExceeded"


async def test_an_alarm_that_is_switched_off_ends_no_time_limit(http: httpx.AsyncClient) -> None:
    """code-judge implements its limit as an alarm in the program's own process."""
    body = {"type": "python", "solution": "import signal\nsignal.alarm(0)\nwhile True: pass", "expected_output": ""}
    answer = await post(http, "/code_judge/judge", body)
    assert (answer["success"], answer["run_success"], answer["reason"]) == (False, False, "worker_timeout")


async def test_a_cpp_program_is_compiled_once_for_its_tests(http: httpx.AsyncClient) -> None:
    submissions = [
        {"type": "cpp", "solution": CPP, "input": str(number), "expected_output": str(number * 2 if number else 1)}
        for number in range(8)
    ]
    answer = await post(http, "/code_judge/judge/long-batch", {"type": "batch", "submissions": submissions})
    assert [result["success"] for result in answer["results"]] == [False] + [True] * 7


@pytest.mark.parametrize(
    ("data", "completion", "accepted"),
    [
        ({"test": [{"input": {"stdin": "2"}, "output": {"stdout": "4"}}]}, f"```python\n{DOUBLE}\n```", True),
        ({"test": [{"input": {"stdin": "2"}, "output": {"stdout": "5"}}]}, f"```python\n{DOUBLE}\n```", False),
        (
            {"prompt": "def f(x):\n", "test": "def check(f):\n    assert f(2) == 4\n", "entry_point": "f"},
            "    return x * 2\n",
            True,
        ),
        ({"test_list": ["assert f(2) == 4"], "test_setup_code": ""}, "```python\ndef f(x): return x * 2\n```", True),
        ({"test_list": ["assert f(2) == 5"], "test_setup_code": ""}, "```python\ndef f(x): return x * 2\n```", False),
        (
            {"test_cases": {"type": "function_call", "fn_name": "f", "input": [[2]], "output": [[4]]}},
            "```python\nclass Solution:\n    def f(self, x): return x * 2\n```",
            True,
        ),
    ],
)
async def test_submissions_are_judged(
    http: httpx.AsyncClient, data: dict[str, Any], completion: str, accepted: bool
) -> None:
    body = {"dataset": "x", "id": 1, "completion": completion, "config": {"language": "python", "provided_data": data}}
    assert (await post(http, "/sandbox_fusion/submit", body))["accepted"] is accepted


async def test_piston_runs_more_than_a_thousand_characters_of_output(http: httpx.AsyncClient) -> None:
    """The peer kills a program that prints more than 1,024 characters."""
    files = [{"content": "import beside\nprint(beside.text)"}, {"name": "beside.py", "content": "text = 'x' * 5000"}]
    body = {"language": "python", "version": "*", "files": files, "run_timeout": 20_000, "run_cpu_time": 3_000}
    run = (await post(http, "/piston/api/v2/execute", body))["run"]
    assert (run["status"], len(run["stdout"])) == (None, 5001)


async def test_judge0_is_asked_again_until_it_is_done(http: httpx.AsyncClient) -> None:
    body = {"source_code": DOUBLE, "language_id": 71, "stdin": "2", "expected_output": "4"}
    token = (await post(http, "/judge0/submissions", body))["token"]
    answer: dict[str, Any] = {"status": {"id": 1}}
    while answer["status"]["id"] < 3:
        answer = (await http.get(f"/judge0/submissions/{token}")).json()
    assert (answer["status"]["description"], answer["stdout"]) == ("Accepted", "4\n")


async def test_the_reward_protocols(http: httpx.AsyncClient) -> None:
    fenced = f"```python\n{DOUBLE}\n```"
    openrlhf = {"query": ["p" + fenced, "pnone"], "prompts": ["p", "p"], "labels": [TESTS, TESTS]}
    assert (await post(http, "/openrlhf", openrlhf))["rewards"] == [1.0, 0.0]
    assert await post(http, "/slime", {"prompt": "p", "response": fenced, "label": TESTS}) == 1.0
    program = "def add(a, b):\n    return a + b\n"
    asserts = {"program": program, "tests": ["assert add(1, 2) == 3", "assert add(0, 0) == 1"]}
    assert (await post(http, "/open_instruct/test_program", asserts))["results"] == [1, 0]
    stdio = {"program": DOUBLE, "tests": TESTS, "max_execution_time": 5}
    assert (await post(http, "/open_instruct/test_program_stdio", stdio))["results"] == [1, 1]
    scripts = {"scripts": ["3 / 4", "raise ValueError('no')"], "languages": ["python", "python"], "timeout": 30}
    good, bad = await post(http, "/open_r1/execute_batch", scripts)
    assert good["execution"]["results"][0]["text"] == "0.75"
    assert bad["execution"]["error"]["name"] == "ValueError"
    case = {"input": "1\n2", "expectedOutput": "3"}
    call = {"uid": "u", "language": "PYTHON", "code": program, "entryFunction": "add", "testcases": [case]}
    assert (await post(http, "/areal/apis/functioncalls", call))["success"] is True
