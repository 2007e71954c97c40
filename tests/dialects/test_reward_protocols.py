"""The reward protocols of OpenRLHF, slime, open-instruct, open-r1 and AReaL."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from typing import Any

import httpx
import pytest

from sandbox.errors import BoxError, QueueFull
from sandbox.schema import AssertTest, FunctionTest, TestCase, VerifyRequest
from sandbox.verify.tally import StopRules
from tests.api.fake_service import FakeService
from tests.dialects.conftest import ScriptedResults

TESTS = [{"input": "1", "output": "2"}, {"input": "2", "output": "4"}]
FENCED = "```python\na\n```"


def _get_only_request(service: FakeService) -> VerifyRequest:
    (request,) = service.submissions[-1].requests
    assert isinstance(request, VerifyRequest)
    return request


@pytest.mark.parametrize("path", ["/dialects/openrlhf", "/dialects/openrlhf/get_reward"])
async def test_openrlhf_gets_rewards_scores_and_logs(
    http: httpx.AsyncClient, script: ScriptedResults, path: str
) -> None:
    script.verdicts["a"] = ["accepted", "wrong_answer"]
    body = {"query": ["p" + FENCED, "pnone"], "prompts": ["p", "p"], "labels": [TESTS, TESTS]}
    response = await http.post(path, params={"policy": "fraction"}, json=body)
    assert response.json() == {
        "rewards": [0.5, 0.0],
        "scores": [0.5, 0.0],
        "extra_logs": {"answered": [1.0, 0.0], "all_passed": [0.0, 0.0]},
    }


async def test_openrlhf_may_send_empty_lists(http: httpx.AsyncClient) -> None:
    response = await http.post("/dialects/openrlhf", json={"query": [], "prompts": [], "labels": []})
    assert (response.json()["rewards"], response.json()["scores"]) == ([], [])


async def test_a_missing_reward_is_an_error_unless_the_url_names_a_number(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    service.failure = BoxError("gone")
    openrlhf = {"query": [FENCED], "prompts": [""], "labels": [TESTS]}
    slime = {"prompt": "p", "response": FENCED, "label": TESTS}
    for path, body in (("openrlhf", openrlhf), ("slime", slime)):
        assert (await http.post(f"/dialects/{path}", json=body)).status_code == 500
        assert (await http.post(f"/dialects/{path}?missing=-1", json=body)).status_code == 200
        assert (await http.post(f"/dialects/{path}?missing=x", json=body)).status_code == 422
    service.refusal = QueueFull("full", 3)
    response = await http.post("/dialects/slime", json=slime)
    assert (response.status_code, response.headers["retry-after"]) == (503, "3")


async def test_slimes_whole_answer_is_the_reward(http: httpx.AsyncClient, script: ScriptedResults) -> None:
    script.verdicts["a"] = ["accepted", "wrong_answer"]
    body = {"prompt": "p", "response": FENCED, "label": TESTS}
    assert (await http.post("/dialects/slime?policy=x-coder", json=body)).json() == 2.5
    assert (await http.post("/dialects/slime?policy=generous", json=body)).status_code == 422


async def test_the_url_says_when_the_remaining_tests_of_a_program_are_skipped(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    body = {"prompt": "p", "response": FENCED, "label": TESTS}
    assert (await http.post("/dialects/slime?stop_after_timeouts=2&total_cpu_time_s=7.5", json=body)).status_code == 200
    assert _get_only_request(service).stop_rules == StopRules(True, 2, 7.5)
    for wrong in ("stop_after_timeouts=0", "stop_after_timeouts=1.5", "total_cpu_time_s=x", "total_cpu_time_s=nan"):
        assert (await http.post(f"/dialects/slime?{wrong}", json=body)).status_code == 422


async def test_open_instruct_runs_asserts_and_inputs(
    http: httpx.AsyncClient, service: FakeService, script: ScriptedResults
) -> None:
    script.verdicts["a"] = ["accepted", "wrong_answer"]
    body: dict[str, Any] = {"program": "a", "tests": ["assert f(1) == 2", "assert 0"], "max_execution_time": 2}
    answer = (await http.post("/dialects/open_instruct/test_program", json=body)).json()
    assert answer == {"results": [1, 0], "runtimes": [0.02, 0.02]}
    assert _get_only_request(service).tests[0] == AssertTest(assertion="assert f(1) == 2")
    assert _get_only_request(service).limits.wall_time_s == 2
    answer = (await http.post("/dialects/open_instruct/test_program_stdio", json={**body, "tests": TESTS})).json()
    assert answer["results"] == [1, 0]
    assert _get_only_request(service).tests[1] == TestCase(stdin="2", expected="4")
    empty = await http.post("/dialects/open_instruct/test_program", json={**body, "tests": []})
    assert empty.json() == {"results": [], "runtimes": []}
    assert (await http.get("/dialects/open_instruct/health")).json() == {"status": "healthy"}


async def test_open_instruct_gets_an_http_error_for_our_failure(
    http: httpx.AsyncClient, script: ScriptedResults
) -> None:
    script.verdicts["a"] = ["accepted", "internal_error"]
    body = {"program": "a", "tests": ["assert 1", "assert 1"]}
    assert (await http.post("/dialects/open_instruct/test_program", json=body)).status_code == 500


async def test_open_r1_gets_executions_in_order(
    http: httpx.AsyncClient, service: FakeService, script: ScriptedResults
) -> None:
    script.runs = {
        "print(2 / 4)": {"stdout": "log\n0.5\n"},
        "x": {"status": "runtime_error", "exit_code": 1, "stderr": "Traceback\nValueError: no\n"},
        "y": {"status": "internal_error", "exit_code": None, "message": "broke"},
        "print(7)": {"stdout": "7\n"},
    }
    scripts = ["2 / 4", "x", "y", "z", "print(7)"]
    names = ["python", "javascript", "javascript", "latin", "python"]
    body = {"scripts": scripts, "languages": names, "timeout": 30, "request_timeout": 28}
    good, bad, ours, unknown, plain = (await http.post("/dialects/open_r1/execute_batch", json=body)).json()
    assert good == {
        "execution": {
            "results": [{"text": "0.5", "is_main_result": True}],
            "logs": {"stdout": ["log\n"], "stderr": []},
            "error": None,
            "execution_count": 1,
        },
        "exception_str": None,
    }
    assert bad["execution"]["error"]["name"] == "ValueError"
    assert bad["execution"]["error"]["value"] == "no"
    assert ours == {"execution": None, "exception_str": "broke"}
    assert unknown["execution"] is None
    assert (plain["execution"]["results"], plain["execution"]["logs"]["stdout"]) == ([], ["7\n"])
    assert (await http.get("/dialects/open_r1/health")).json() == {"status": "ok"}
    service.refusal = QueueFull("full")
    assert (await http.post("/dialects/open_r1/execute_batch", json=body)).status_code == 503


CALL = {
    "uid": "u",
    "language": "PYTHON",
    "code": "a",
    "entryFunction": "",
    "isFastFail": True,
    "testcases": [{"input": "1", "expectedOutput": "2"}, {"input": "2", "expectedOutput": "4"}],
    "timeout": 6,
    "memory": 256,
    "query_index": 0,
}
AREAL = "/dialects/areal/apis/functioncalls"


async def test_areal_gets_a_result_for_each_case(
    http: httpx.AsyncClient, service: FakeService, script: ScriptedResults
) -> None:
    script.verdicts["a"] = ["accepted", "wrong_answer"]
    answer = (await http.post(AREAL, json=CALL)).json()
    assert answer == {
        "uid": "u",
        "success": False,
        "results": [
            {"success": True, "reason": "", "errorType": ""},
            {"success": False, "reason": "wrong_answer", "errorType": "UnknownError"},
        ],
    }
    assert (_get_only_request(service).stop_on_failure, _get_only_request(service).limits.memory_mb) == (True, 256)


async def test_areal_calls_functions(http: httpx.AsyncClient, service: FakeService) -> None:
    cases = [{"input": "[1]\n2", "expectedOutput": "3"}]
    body = {**CALL, "entryFunction": "f", "testcases": cases}
    assert (await http.post(AREAL, json=body)).json()["success"] is True
    assert _get_only_request(service).tests == [FunctionTest(args=[[1], 2], expected=3)]


async def test_areal_tries_our_failures_again_and_nothing_that_cannot_be(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    bad = await http.post(AREAL, json={**CALL, "language": "latin", "entryFunction": "f"})
    assert (bad.status_code, bad.json()["results"][0]["errorType"]) == (200, "UnknownError")
    service.failure = BoxError("gone")
    lost = await http.post(AREAL, json=CALL)
    assert {result["errorType"] for result in lost.json()["results"]} == {"SystemError"}
    service.refusal = QueueFull("full")
    assert (await http.post(AREAL, json=CALL)).status_code == 503


async def test_areal_sends_programs_that_test_themselves(http: httpx.AsyncClient, script: ScriptedResults) -> None:
    body = {**CALL, "testcases": []}
    passed = {"uid": "u", "success": True, "results": [{"success": True, "reason": "", "errorType": ""}]}
    assert (await http.post(AREAL, json=body)).json() == passed
    script.runs["a"] = {"status": "runtime_error", "exit_code": 1, "stderr": "Traceback\nAssertionError: no\n"}
    failed = {"success": False, "reason": "AssertionError: no", "errorType": "UnknownError"}
    assert (await http.post(AREAL, json={**body, "uid": 2**70})).json() == {
        "uid": 2**70,
        "success": False,
        "results": [failed],
    }
    script.runs["a"] = {"status": "internal_error", "exit_code": None, "message": "a box broke"}
    assert (await http.post(AREAL, json=body)).json()["results"][0]["errorType"] == "SystemError"


@pytest.mark.parametrize("name", ["", "f"])
@pytest.mark.parametrize(
    "cases",
    [
        [{"input": "1"}],
        [{"expectedOutput": "1"}],
        {"inputs": ["1", "2"], "outputs": ["1"]},
        {"inputs": ["1"], "outputs": ["1", "2"]},
        {"inputs": ["1"]},
        [1],
        "1",
    ],
)
async def test_areals_cases_that_do_not_pair_are_refused(
    http: httpx.AsyncClient, service: FakeService, name: str, cases: Any
) -> None:
    answer = await http.post(AREAL, json={**CALL, "entryFunction": name, "testcases": cases})
    assert (answer.status_code, answer.json()["success"]) == (200, False)
    assert answer.json()["results"][0]["errorType"] == "UnknownError"
    assert not service.submissions


async def test_areals_values_may_be_wrapped_and_its_keys_numbers(http: httpx.AsyncClient, service: FakeService) -> None:
    cases = [{"input": '{"1": 2}', "expectedOutput": "[2]"}, {"input": "1\n2", "expectedOutput": "[1, 2]"}]
    await http.post(AREAL, json={**CALL, "entryFunction": "f", "testcases": cases})
    assert _get_only_request(service).tests == [
        FunctionTest(args=[{"1": 2}], expected=[2], alternatives=[2], integer_keys=True),
        FunctionTest(args=[1, 2], expected=[1, 2]),
    ]


@pytest.mark.parametrize(
    "tests",
    [
        '["assert f(1) == 2", "assert 0"]',
        base64.b64encode(zlib.compress(pickle.dumps(["assert f(1) == 2", "assert 0"]))).decode(),
    ],
)
async def test_open_instructs_tests_may_be_text(
    http: httpx.AsyncClient, service: FakeService, script: ScriptedResults, tests: str
) -> None:
    script.verdicts["a"] = ["accepted", "wrong_answer"]
    answer = await http.post("/dialects/open_instruct/test_program", json={"program": "a", "tests": tests})
    assert answer.json()["results"] == [1, 0]
    assert _get_only_request(service).tests[1] == AssertTest(assertion="assert 0")


async def test_open_instructs_cases_may_be_text(http: httpx.AsyncClient, service: FakeService) -> None:
    for tests in (json.dumps(TESTS), base64.b64encode(zlib.compress(pickle.dumps(TESTS))).decode()):
        body = {"program": "a", "tests": tests}
        assert (await http.post("/dialects/open_instruct/test_program_stdio", json=body)).json()["results"] == [1, 1]
        assert _get_only_request(service).tests == [
            TestCase(stdin="1", expected="2"),
            TestCase(stdin="2", expected="4"),
        ]


async def test_open_instruct_fails_what_is_no_test_and_refuses_what_is_no_list(http: httpx.AsyncClient) -> None:
    path = "/dialects/open_instruct/test_program"
    answer = (await http.post(path, json={"program": "a", "tests": ["assert (", "assert 1", 5]})).json()
    assert answer == {"results": [0, 1, 0], "runtimes": [-1.0, 0.02, -1.0]}
    empty: list[Any] = [None, "", [], "[]"]
    for nothing in empty:
        assert (await http.post(path, json={"program": "a", "tests": nothing})).json()["results"] == []
    for garbage in ("garbage", '{"a": 1}', {"a": 1}, 5):
        assert (await http.post(path, json={"program": "a", "tests": garbage})).status_code == 422
