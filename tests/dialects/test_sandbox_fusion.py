"""SandboxFusion's paths: requests and responses as its clients send and read them."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.errors import BoxError, EngineUnavailable, InfrastructureError, QueueFull, QueueUnavailable
from sandbox.schema import AssertTest, ExecuteRequest, FunctionTest, TestCase, VerifyRequest
from tests.api.fake_service import FakeService
from tests.api.threaded_server import serve_in_thread
from tests.dialects.conftest import ScriptedResults

ROOT = "/dialects/sandbox_fusion"
# In the format of verl's client.
RUN_CODE_BODY = {
    "compile_timeout": 10,
    "run_timeout": 10,
    "code": "print(1)",
    "stdin": "1\n",
    "memory_limit_MB": 1024,
    "language": "python",
    "files": {},
    "fetch_files": [],
}
COMMAND_RESULT = {"status": "Finished", "execution_time": 0.02, "return_code": 0, "stdout": "", "stderr": ""}
ANSWER = {
    "status": "Success",
    "message": "",
    "compile_result": None,
    "run_result": COMMAND_RESULT,
    "executor_pod_name": None,
    "files": {},
}


async def test_a_program_that_ends_well(http: httpx.AsyncClient, service: FakeService, script: ScriptedResults) -> None:
    script.runs["print(1)"] = {"stdout": "1\n", "files": {"out": "AA=="}}
    response = await http.post(f"{ROOT}/run_code", json={**RUN_CODE_BODY, "files": {"in": "AA==", "not": None}})
    assert response.status_code == 200
    assert response.json() == {**ANSWER, "run_result": {**COMMAND_RESULT, "stdout": "1\n"}, "files": {"out": "AA=="}}
    (program,) = service.submissions[0].requests
    assert isinstance(program, ExecuteRequest)
    assert (program.stdin, program.files) == ("1\n", {"in": b"\0"})
    assert (program.limits.wall_time_s, program.limits.cpu_time_s, program.limits.memory_mb) == (10, 10, 1024)
    assert (program.limits.compile_wall_time_s, program.limits.compile_cpu_time_s) == (10, 10)


@pytest.mark.parametrize(("seconds", "limits"), [(1.5, (1.5, 1.5)), (5_000, (300, 900)), (0, (None, None))])
async def test_the_time_for_compiling_is_a_limit(
    http: httpx.AsyncClient, service: FakeService, script: ScriptedResults, seconds: float, limits: tuple[float, float]
) -> None:
    late = {"status": "compile_error", "signal": 9, "message": "time_limit_exceeded"}
    script.runs["print(1)"] = {"status": "compile_error", "exit_code": None, "compile": late}
    answer = (await http.post(f"{ROOT}/run_code", json={**RUN_CODE_BODY, "compile_timeout": seconds})).json()
    assert (answer["status"], answer["run_result"]) == ("Failed", None)
    compiled = answer["compile_result"]
    assert (compiled["status"], compiled["return_code"]) == ("TimeLimitExceeded", None)
    config = {"language": "cpp", "provided_data": {"test": [{"input": {"stdin": ""}, "output": {"stdout": "1"}}]}}
    body = {"completion": "```cpp\nint main() {}\n```", "config": {**config, "compile_timeout": seconds}}
    await http.post(f"{ROOT}/submit", json=body)
    for submission in service.submissions:
        wanted = submission.requests[0].limits
        assert (wanted.compile_cpu_time_s, wanted.compile_wall_time_s) == limits
    assert len(service.submissions) == 2


@pytest.mark.parametrize(
    ("result", "run"),
    [
        ({"status": "runtime_error", "exit_code": 3, "stderr": "no\n"}, {"return_code": 3, "stderr": "no\n"}),
        ({"status": "runtime_error", "exit_code": None, "signal": 11}, {"return_code": -11}),
        (
            {"status": "time_limit_exceeded", "exit_code": None, "signal": 9},
            {"status": "TimeLimitExceeded", "return_code": None},
        ),
        ({"status": "memory_limit_exceeded", "exit_code": None, "signal": 9}, {"return_code": -9}),
        ({"status": "output_limit_exceeded", "exit_code": 0}, {"return_code": 1}),
    ],
)
async def test_a_program_that_fails(
    http: httpx.AsyncClient, script: ScriptedResults, result: dict[str, Any], run: dict[str, Any]
) -> None:
    script.runs["print(1)"] = result
    response = await http.post(f"{ROOT}/run_code", json=RUN_CODE_BODY)
    assert response.json() == {**ANSWER, "status": "Failed", "run_result": {**COMMAND_RESULT, **run}}


async def test_what_does_not_compile_has_a_compile_result_alone(
    http: httpx.AsyncClient, script: ScriptedResults
) -> None:
    stage = {"status": "runtime_error", "exit_code": 1, "stderr": "main.cpp:1: no\n"}
    script.runs["x"] = {"status": "compile_error", "exit_code": None, "compile": stage}
    answer = (await http.post(f"{ROOT}/run_code", json={"code": "x", "language": "cpp"})).json()
    assert (answer["status"], answer["run_result"]) == ("Failed", None)
    assert answer["compile_result"] == {
        **COMMAND_RESULT,
        "execution_time": 0.0,
        "return_code": 1,
        "stderr": "main.cpp:1: no\n",
    }


async def test_our_failure_is_a_sandbox_error_and_no_wrong_answer(
    http: httpx.AsyncClient, service: FakeService, script: ScriptedResults
) -> None:
    script.runs["print(1)"] = {"status": "internal_error", "exit_code": None, "message": "a box broke"}
    response = await http.post(f"{ROOT}/run_code", json=RUN_CODE_BODY)
    assert (response.status_code, response.json()["status"]) == (200, "SandboxError")
    assert response.json()["run_result"] is None
    service.failure = BoxError("secret")
    response = await http.post(f"{ROOT}/run_code", json=RUN_CODE_BODY)
    assert response.json()["status"] == "SandboxError"
    assert "secret" not in response.text
    service.refusal = EngineUnavailable("secret")
    assert (await http.post(f"{ROOT}/run_code", json=RUN_CODE_BODY)).json()["status"] == "SandboxError"
    service.refusal = InfrastructureError("secret")
    assert (await http.post(f"{ROOT}/run_code", json=RUN_CODE_BODY)).json()["status"] == "SandboxError"


@pytest.mark.parametrize("refusal", [QueueFull("full"), QueueUnavailable("no Redis")])
@pytest.mark.parametrize("path", ["/run_code", "/submit", "/common_evaluate_batch"])
async def test_overload_is_a_504_for_verl_tries_again_on_nothing_else(
    http: httpx.AsyncClient, service: FakeService, refusal: Exception, path: str
) -> None:
    service.refusal = refusal
    body = RUN_CODE_BODY if path == "/run_code" else SUBMIT_STDIO
    assert (await http.post(ROOT + path, json=body)).status_code == 504


def test_a_result_that_would_come_after_verl_has_hung_up_is_a_504_before(
    tmp_path: Path, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sandbox.api.dialects.sandbox_fusion.GRACE_S", 0.1)
    service.held = True
    with serve_in_thread(create_app(ApiSettings(home=tmp_path), service)) as url:
        body = {**RUN_CODE_BODY, "compile_timeout": 0.1, "run_timeout": 0.1}
        response = httpx.post(f"{url}{ROOT}/run_code", json=body, timeout=10)
    assert response.status_code == 504
    assert service.wait_for_abandonment() == "job0"


@pytest.mark.parametrize(
    ("change", "field"),
    [({"language": "latin"}, "language"), ({"run_timeout": 1e6}, "cpu_time_s"), ({"code": 5}, "code")],
)
async def test_a_request_that_cannot_be_is_a_422_in_fastapis_shape(
    http: httpx.AsyncClient, change: dict[str, Any], field: str
) -> None:
    response = await http.post(f"{ROOT}/run_code", json={**RUN_CODE_BODY, **change})
    assert response.status_code == 422
    assert field in response.json()["detail"][0]["loc"]


async def test_ping(http: httpx.AsyncClient) -> None:
    assert (await http.get(f"{ROOT}/v1/ping")).json() == "pong"


FENCED = "Here:\n```python\nprint(int(input()) * 2)\n```"
CODE = "print(int(input()) * 2)"
CASES = [{"input": {"stdin": "1"}, "output": {"stdout": "2"}}, {"input": {"stdin": "2"}, "output": {"stdout": "4"}}]
SUBMIT_STDIO: dict[str, Any] = {
    "dataset": "x",
    "id": 7,
    "completion": FENCED,
    "config": {
        "language": "python",
        "provided_data": {
            "test_cases": {"type": "stdin_stdout", "input": ["1", "2"], "output": ["2", "4"], "fn_name": None}
        },
    },
}


def _build_submit_body(data: dict[str, Any], completion: str = FENCED, **config: Any) -> dict[str, Any]:
    given = {"language": "python", "provided_data": data, **config}
    return {"dataset": "x", "id": 7, "completion": completion, "config": given}


async def test_common_oj_is_judged_test_by_test(
    http: httpx.AsyncClient, service: FakeService, script: ScriptedResults
) -> None:
    script.verdicts[CODE] = ["accepted", "wrong_answer"]
    body = _build_submit_body({"test": CASES}, dataset_type="CommonOJDataset", extra={"run_all_cases": True})
    answer = (await http.post(f"{ROOT}/submit", json=body)).json()
    assert (answer["id"], answer["accepted"], answer["extracted_code"]) == (7, False, CODE)
    assert [test["passed"] for test in answer["tests"]] == [True, False]
    assert [test["exec_info"]["status"] for test in answer["tests"]] == ["Success", "Success"]
    assert answer["tests"][0]["test_info"] == {"input": {"stdin": "1"}, "output": {"stdout": "2"}}
    (submission,) = service.submissions[0].requests
    assert isinstance(submission, VerifyRequest)
    assert submission.stop_on_failure is False


async def test_data_may_be_json_text_and_rows_that_are_chosen_by_id(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    rows = [{"id": 6, "test": "[]"}, {"id": 7, "test": '[{"input": {"stdin": "1"}, "output": {"stdout": "2"}}]'}]
    response = await http.post(f"{ROOT}/submit", json={**_build_submit_body({}), "config": {"provided_data": rows}})
    assert response.json()["accepted"] is True
    (submission,) = service.submissions[0].requests
    assert isinstance(submission, VerifyRequest)
    assert submission.stop_on_failure is True
    assert isinstance(submission.tests[0], TestCase)


async def test_skipped_tests_are_not_there_as_with_the_peer(http: httpx.AsyncClient, script: ScriptedResults) -> None:
    script.verdicts[CODE] = ["time_limit_exceeded", "skipped"]
    (test,) = (await http.post(f"{ROOT}/submit", json=_build_submit_body({"test": CASES}))).json()["tests"]
    assert test["exec_info"]["run_result"]["status"] == "TimeLimitExceeded"


async def test_our_failure_on_a_test_is_a_sandbox_error_there(http: httpx.AsyncClient, script: ScriptedResults) -> None:
    script.verdicts[CODE] = ["internal_error", "internal_error"]
    tests = (await http.post(f"{ROOT}/submit", json=_build_submit_body({"test": CASES}))).json()["tests"]
    assert [test["exec_info"]["status"] for test in tests] == ["SandboxError"] * 2


async def test_humaneval_runs_the_prompt_with_the_completion_and_its_test_beside_it(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    row = {"prompt": "def double(x):\n", "test": "def check(f):\n    assert f(2) == 4\n", "entry_point": "double"}
    await http.post(f"{ROOT}/submit", json=_build_submit_body(row, completion="    return x * 2\n"))
    (submission,) = service.submissions[0].requests
    assert isinstance(submission, VerifyRequest)
    assert submission.code.endswith("def double(x):\n\n    return x * 2\n")
    (test,) = submission.tests
    assert isinstance(test, AssertTest)
    assert test.assertion.endswith("check(candidate)\n")
    assert submission.entry_point == "double"


@pytest.mark.parametrize(
    "row",
    [
        {"test": ["assert double(2) == 4", "assert double(0) == 0"], "labels": {"test_setup_code": "import math"}},
        {"test_list": ["assert double(2) == 4", "assert double(0) == 0"], "test_setup_code": "import math"},
    ],
)
async def test_mbpp_has_a_test_for_each_assert(
    http: httpx.AsyncClient, service: FakeService, row: dict[str, Any]
) -> None:
    answer = (await http.post(f"{ROOT}/submit", json=_build_submit_body(row, dataset_type="MBPPDataset"))).json()
    assert (answer["accepted"], len(answer["tests"])) == (True, 2)
    (submission,) = service.submissions[0].requests
    assert isinstance(submission, VerifyRequest)
    first = submission.tests[0]
    assert isinstance(first, AssertTest)
    assert first.assertion.startswith("import math\n")


async def test_livecodebench_calls_functions_or_gives_stdin(http: httpx.AsyncClient, service: FakeService) -> None:
    called = {"input_output": '{"inputs": ["[1, 2]\\n3"], "outputs": ["[4]"], "fn_name": "f"}'}
    completion = "```python\nclass Solution:\n    def f(self, a, b): ...\n```"
    for row, text in (
        ({"test": called}, completion),
        ({"public_test_cases": '[{"input": "1", "output": "2", "testtype": "stdin"}]'}, FENCED),
    ):
        body = _build_submit_body(row, completion=text, dataset_type="LiveCodeBenchDataset")
        assert (await http.post(f"{ROOT}/submit", json=body)).json()["accepted"] is True
    first, second = (submitted.requests[0] for submitted in service.submissions)
    assert isinstance(first, VerifyRequest)
    assert isinstance(second, VerifyRequest)
    assert first.entry_point == "Solution.f"
    assert first.tests == [FunctionTest(args=[[1, 2], 3], expected=[4], alternatives=[4])]
    assert second.tests == [TestCase(stdin="1", expected="2")]


async def test_answers_carry_any_integer_and_any_text(http: httpx.AsyncClient) -> None:
    tests = {"inputs": [f"{10**40}", '"\\ud83d"'], "outputs": [f"[{-(10**30)}]", '"\\udc00"'], "fn_name": "f"}
    body = {
        **_build_submit_body({"test": tests}, "```python\ndef f(x): ...\n```", dataset_type="LiveCodeBenchDataset"),
        "id": 2**70,
    }
    response = await http.post(f"{ROOT}/submit", json=body)
    assert response.status_code == 200
    answer = json.loads(response.text)
    assert answer["id"] == 2**70
    assert [test["test_info"]["input"] for test in answer["tests"]] == [[10**40], ["\ud83d"]]
    assert [test["test_info"]["output"] for test in answer["tests"]] == [[-(10**30)], "\udc00"]


async def test_a_number_that_json_does_not_have_is_null_in_an_answer(http: httpx.AsyncClient) -> None:
    tests = {"inputs": ["NaN"], "outputs": [f"{10**40}"], "fn_name": "f"}
    body = _build_submit_body({"test": tests}, "```python\ndef f(x): ...\n```", dataset_type="LiveCodeBenchDataset")
    (test,) = (await http.post(f"{ROOT}/submit", json=body)).json()["tests"]
    assert test["test_info"] == {"fn_name": "f", "input": [None], "output": 10**40}


@pytest.mark.parametrize(
    ("completion", "language", "code"),
    [
        ("```python\na\n```\n```python\nb\n```", "python", "a"),
        ("```\na\n```\n```python\nb\n```", "python", "b"),
        ("```text\na\n```\n```\nb\n```\n```\nc\n```", "python", "b"),
        ("```python\na", "python", "a"),
        ("a = 1\n```\nThat is all.", "python", "a = 1\n"),
        ("int main() {}\n```", "cpp", "int main() {}\n"),
        ("Code\n```\nprint(1)\n", "python", "print(1)\n"),
        ("Prose:\n```cpp\nint main() {}\n```", "python", ""),
        ("Prose:\n```python\na\n```", "cpp", ""),
        ("I do not know.", "python", "I do not know."),
        ("def f(): ...\n\nThis is f.", "python", "def f(): ...\n"),
    ],
)
async def test_the_first_block_in_the_language_is_the_answer(
    http: httpx.AsyncClient, completion: str, language: str, code: str
) -> None:
    body = _build_submit_body({"test": CASES}, completion, language=language)
    assert (await http.post(f"{ROOT}/submit", json=body)).json()["extracted_code"] == code


PACKED = base64.b64encode(zlib.compress(pickle.dumps('[{"input": "3", "output": "6", "testtype": "stdin"}]'))).decode()


async def test_private_tests_are_unpacked(http: httpx.AsyncClient, service: FakeService) -> None:
    public = '[{"input": "1", "output": "2", "testtype": "stdin"}]'
    for row in (
        {"public_test_cases": public, "private_test_cases": PACKED},
        {"public_test_cases": public, "private_test_cases": '[{"input": "3", "output": "6"}]'},
        {"public_test_cases": public, "private_test_cases": [{"input": "3", "output": "6"}], "metadata": "{}"},
    ):
        assert (await http.post(f"{ROOT}/submit", json=_build_submit_body(row))).json()["accepted"] is True
        tests = service.submissions[-1].requests[0].tests  # type: ignore[union-attr]
        assert tests == [TestCase(stdin="1", expected="2"), TestCase(stdin="3", expected="6")]
    packed = {"input_output": '{"inputs": ["1"], "outputs": ["2"]}'}
    whole = base64.b64encode(zlib.compress(pickle.dumps(packed))).decode()
    await http.post(f"{ROOT}/submit", json=_build_submit_body({"test": whole}, dataset_type="LiveCodeBenchDataset"))
    assert service.submissions[-1].requests[0].tests == [TestCase(stdin="1", expected="2")]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("row", "field"),
    [
        ({"public_test_cases": "[]", "private_test_cases": "garbage"}, "private_test_cases"),
        ({"public_test_cases": "[]", "private_test_cases": '["a text"]'}, "private_test_cases"),
        ({"public_test_cases": "[]", "private_test_cases": '{"input": "1"}'}, "private_test_cases"),
        ({"public_test_cases": [1], "private_test_cases": ""}, "public_test_cases"),
        ({"public_test_cases": '[{"input": "1"}]'}, "public_test_cases"),
        ({"public_test_cases": '[{"input": "1", "output": "1", "testtype": "functional"}]'}, "metadata"),
        ({"test": {"inputs": ["1", "2"], "outputs": ["1"]}}, "test"),
        ({"test": {"inputs": ["1"]}}, "test"),
        ({"test": {"inputs": "12", "outputs": "12"}}, "test"),
        ({"test": "garbage"}, "test"),
        ({"test_cases": {"input": ["1", "2"], "output": ["1"]}}, "test_cases"),
        ({"test_cases": {"input": "12", "output": "12"}}, "test_cases"),
        ({"test_cases": [{"input": "1"}]}, "test_cases"),
        ({"test_cases": {"type": "function_call", "fn_name": "f", "input": [[1]], "output": [[]]}}, "output"),
        ({"test_cases": {"type": "cases", "input": [], "output": []}}, "type"),
    ],
)
async def test_tests_that_are_lost_or_do_not_pair_are_named(
    http: httpx.AsyncClient, row: dict[str, Any], field: str
) -> None:
    kind = "" if "test_cases" in row else "LiveCodeBenchDataset"
    response = await http.post(f"{ROOT}/submit", json=_build_submit_body(row, dataset_type=kind))
    assert response.status_code == 422
    assert response.json()["detail"][0]["loc"][-1] == field


@pytest.mark.parametrize(
    ("data", "config", "timeout_s"),
    [
        ({"test": CASES}, {}, 20),
        ({"test": CASES}, {"language": "cpp"}, 10),
        ({"test": CASES}, {"language": "cpp", "run_timeout": 3}, 3),
        ({"test": {"inputs": ["1"], "outputs": ["1"]}}, {"dataset_type": "LiveCodeBenchDataset"}, 6),
        ({"test_list": ["assert f(1)"]}, {}, 20),
    ],
)
async def test_the_default_time_limits_are_the_peers(
    http: httpx.AsyncClient, service: FakeService, data: dict[str, Any], config: dict[str, Any], timeout_s: int
) -> None:
    await http.post(f"{ROOT}/submit", json=_build_submit_body(data, **config))
    limits = service.submissions[0].requests[0].limits
    assert (limits.cpu_time_s, limits.wall_time_s) == (timeout_s, timeout_s)


@pytest.mark.parametrize("total_timeout", ["soon", -1, [1], 1e999])
async def test_a_total_timeout_that_is_none_is_refused(http: httpx.AsyncClient, total_timeout: Any) -> None:
    body = _build_submit_body({"test": CASES}, extra={"total_timeout": total_timeout})
    response = await http.post(f"{ROOT}/submit", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert response.status_code == 422


async def test_programs_run_with_the_assertions_that_the_peers_commands_enable(
    http: httpx.AsyncClient, service: FakeService
) -> None:
    await http.post(f"{ROOT}/run_code", json={**RUN_CODE_BODY, "language": "java"})
    await http.post(f"{ROOT}/submit", json=_build_submit_body({"test": CASES}, language="java"))
    assert [submitted.requests[0].debug_checks for submitted in service.submissions] == [True, True]  # type: ignore[union-attr]


async def test_scalebox_has_columns_of_cases(http: httpx.AsyncClient, service: FakeService) -> None:
    calls = {"type": "function_call", "fn_name": "f", "input": [[1, 2], [3, 4]], "output": [[3], [7]]}
    text = {**calls, "json_input": True, "input": ["[1]\n2"], "output": ["3"]}
    stdio = {"type": "stdin_stdout", "fn_name": None, "input": ["1"], "output": ["2"]}
    for cases in (calls, text, stdio):
        response = await http.post(f"{ROOT}/common_evaluate_batch", json=_build_submit_body({"test_cases": cases}))
        assert response.json()["accepted"] is True
    tests = [submitted.requests[0].tests for submitted in service.submissions]  # type: ignore[union-attr]
    assert tests == [
        [FunctionTest(args=[1, 2], expected=3), FunctionTest(args=[3, 4], expected=7)],
        [FunctionTest(args=[[1], 2], expected=3)],
        [TestCase(stdin="1", expected="2")],
    ]


@pytest.mark.parametrize(
    ("data", "extra"),
    [
        (None, {}),
        ({"content": "a data set of the server's"}, {}),
        ({"test": []}, {}),
        ({"test": [{"input": {"file": "x"}, "output": {}}]}, {}),
        ({"test": CASES}, {"special_judge_program": "print(1)"}),
        ({"test": CASES}, {"checker": {"type": "generous"}}),
    ],
)
async def test_data_that_is_not_served_is_refused_and_not_misjudged(
    http: httpx.AsyncClient, data: Any, extra: dict[str, Any]
) -> None:
    assert (await http.post(f"{ROOT}/submit", json=_build_submit_body(data, extra=extra))).status_code == 422


async def test_it_is_at_the_root_by_setting(tmp_path: Path, service: FakeService) -> None:
    app = create_app(ApiSettings(home=tmp_path, root_dialect="sandbox_fusion"), service)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
        assert (await http.post("/run_code", json=RUN_CODE_BODY)).json()["status"] == "Success"
        assert (await http.post("/execute", json={"language": "python", "code": "1"})).status_code == 200


async def test_a_body_over_the_setting_is_a_413(http: httpx.AsyncClient) -> None:
    assert (await http.post(f"{ROOT}/run_code", json={**RUN_CODE_BODY, "stdin": "x" * (2 << 20)})).status_code == 413
