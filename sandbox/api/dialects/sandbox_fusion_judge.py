"""SandboxFusion's judge: data sets' shapes, given in the request, as submissions to verify.

| dataset_type         | provided_data                                                                      |
| -------------------- | ---------------------------------------------------------------------------------- |
| CommonOJDataset      | {test: [{input: {stdin}, output: {stdout}}]}                                       |
| HumanEvalDataset     | {prompt, test, entry_point}                                                        |
| MBPPDataset          | {test: [assert, ...], labels: {test_setup_code}}, or MBPP's own {test_list, ...}   |
| LiveCodeBenchDataset | {test: {inputs, outputs, fn_name?}}, or its own {public_test_cases, ...}           |
| (ScaleBox)           | {test_cases: {type, input: [], output: [], fn_name, json_input}}                   |

What the peer appends to the program and runs with it, a function call or an assert, runs here beside the program.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request, Response
from pydantic import Field

from sandbox.api.dialects.tongue import Foreign, answered, language_of, limits_of, made, verified
from sandbox.errors import BadRequest
from sandbox.rewards.extract import Extraction, extract
from sandbox.runner.contract import Verdict
from sandbox.schema import Lane, TestResult, VerifyRequest, VerifyResult

LANGUAGES = {"nodejs": "javascript"}
DEFAULT_TIMEOUT_S = 20.0
TOTAL_TIMEOUT_S = 300.0
SHOWN_CHARS = 1_000
# The peer: lines equal, or each a number within a relative 1e-5 of the expected one, or of 1e-10 where that is smaller.
STDIO_CHECKER = {"type": "float", "absolute": 1e-15, "relative": 1e-5}
IMPORTS = (
    "import collections, copy, datetime, functools, hashlib, heapq, itertools, math, random, re, string, sys\n"
    "from typing import *\n"
)


class Config(Foreign):
    language: str | None = None
    dataset_type: str | None = None
    compile_timeout: float | None = None
    run_timeout: float | None = None
    custom_extract_logic: str | None = None
    provided_data: dict[str, Any] | list[dict[str, Any]] | None = None
    extra: dict[str, Any] = Field(default_factory=dict)


class Submit(Foreign):
    dataset: str = ""
    id: int | str = 0
    completion: str
    config: Config


@dataclass(frozen=True, slots=True)
class Problem:
    """A completion's program and its tests, with what the peer shows of each of them."""

    code: str
    language: str
    tests: list[dict[str, Any]]
    shown: list[dict[str, Any] | None]
    checker: dict[str, Any] = field(default_factory=lambda: dict(STDIO_CHECKER))
    entry_point: str = ""


def problem_of(asked: Submit) -> Problem:
    """The problem in `config.provided_data`. Raises BadRequest for data of no shape that is known here."""
    _refuse_code_of_the_client(asked)
    row = _row(asked)
    kind = (asked.config.dataset_type or asked.dataset).lower()
    if "test_cases" in row:
        return scalebox_problem(asked)
    if "humaneval" in kind or {"entry_point", "prompt"} <= row.keys():
        return _humaneval(asked, row)
    if "mbpp" in kind or "test_list" in row:
        return _mbpp(asked, row)
    if "livecodebench" in kind or "public_test_cases" in row:
        return _livecodebench(asked, row)
    return _common_oj(asked, row)


def scalebox_problem(asked: Submit) -> Problem:
    """ScaleBox's `test_cases`, columns of inputs and outputs, or a list of cases."""
    _refuse_code_of_the_client(asked)
    cases = _json(_row(asked).get("test_cases"))
    if isinstance(cases, list):
        first = cases[0] if cases else {}
        cases = {**first, "input": [case["input"] for case in cases], "output": [case["output"] for case in cases]}
    if not isinstance(cases, dict) or "input" not in cases or "output" not in cases:
        raise BadRequest("test_cases with input and output are needed", "config.provided_data.test_cases")
    name = cases.get("fn_name") or ""
    called = cases.get("type") == "function_call" or (not cases.get("type") and bool(name))
    if cases.get("type") not in {None, "", "stdin_stdout", "function_call"}:
        raise BadRequest("type must be stdin_stdout or function_call", "config.provided_data.test_cases.type")
    pairs = list(zip(_json(cases["input"]), _json(cases["output"]), strict=False))
    if not called:
        return _stdio(asked, pairs)
    if cases.get("json_input"):
        pairs = [(_lines(given), [_json(wanted)]) for given, wanted in pairs]
    return _calls(asked, name, [(given, wanted[0] if isinstance(wanted, list) else wanted) for given, wanted in pairs])


async def evaluated(request: Request, asked: Submit, problem: Problem) -> Response:
    """Judge the problem, and answer as the peer's EvalResult."""
    config = asked.config
    if not problem.tests:
        raise BadRequest("there are no tests", "config.provided_data")
    submission = made(
        VerifyRequest,
        language=problem.language,
        code=problem.code,
        tests=problem.tests,
        entry_point=problem.entry_point,
        checker=config.extra.get("checker") or problem.checker,
        limits=limits_of(
            cpu_time_s=config.run_timeout or DEFAULT_TIMEOUT_S,
            wall_time_s=config.run_timeout or DEFAULT_TIMEOUT_S,
            compile_cpu_time_s=config.compile_timeout,
            compile_wall_time_s=config.compile_timeout,
        ),
        stop_on_failure=not config.extra.get("run_all_cases", False),
        priority=Lane.RL,
    )
    limit_s = float(config.extra.get("total_timeout") or TOTAL_TIMEOUT_S)
    (result,) = await verified(request, [submission], limit_s=limit_s)
    return answered(_answer(asked, problem, result))


def _answer(asked: Submit, problem: Problem, result: VerifyResult) -> dict[str, Any]:
    whole = bool(asked.config.extra.get("return_full_case"))
    tests = [
        {
            "passed": test.verdict is Verdict.ACCEPTED,
            "exec_info": _exec_info(test, result),
            "test_info": shown if whole else _shortened(shown),
        }
        for test, shown in zip(result.tests, problem.shown, strict=False)
        if test.verdict is not Verdict.SKIPPED
    ]
    return {
        "id": asked.id,
        "accepted": result.verdict is Verdict.ACCEPTED,
        "extracted_code": problem.code,
        "full_code": None,
        "test_code": None,
        "tests": tests,
        "extracted_type": "fenced" if "```" in asked.completion else "empty",
        "extra": {"verdict": result.verdict.value, "passed": result.passed, "total": result.total},
    }


def _exec_info(test: TestResult, result: VerifyResult) -> dict[str, Any]:
    """How the test's run ended. Its output is not kept: a worker judges it where it is."""
    answer: dict[str, Any] = {
        "status": "Success" if test.verdict in {Verdict.ACCEPTED, Verdict.WRONG_ANSWER} else "Failed",
        "message": test.message,
        "compile_result": None,
        "run_result": None,
        "executor_pod_name": None,
        "files": {},
    }
    if test.verdict is Verdict.INTERNAL_ERROR:
        return {**answer, "status": "SandboxError"}
    late = test.verdict is Verdict.TIME_LIMIT_EXCEEDED
    code = 0 if answer["status"] == "Success" else -test.signal if test.signal is not None else test.exit_code or 1
    ended = {
        "status": "TimeLimitExceeded" if late else "Finished",
        "execution_time": test.usage.wall_time_s,
        "return_code": None if late else code,
        "stdout": "",
        "stderr": "",
    }
    if test.verdict is Verdict.COMPILE_ERROR:
        compiler = result.compile.stderr if result.compile is not None else ""
        return {**answer, "compile_result": {**ended, "stderr": compiler}}
    return {**answer, "run_result": ended}


def _common_oj(asked: Submit, row: Mapping[str, Any]) -> Problem:
    cases = _json(row.get("test"))
    if not isinstance(cases, list) or not all(isinstance(case, dict) and "input" in case for case in cases):
        raise BadRequest("test: [{input: {stdin}, output: {stdout}}] is needed", "config.provided_data.test")
    named = [name for case in cases for name in ({*case["input"]} | {*case.get("output", {})}) - {"stdin", "stdout"}]
    if named:
        raise BadRequest(f"tests with other files than stdin and stdout: {named[0]}", "config.provided_data.test")
    return _stdio(asked, [(case["input"].get("stdin", ""), case.get("output", {}).get("stdout", "")) for case in cases])


def _humaneval(asked: Submit, row: Mapping[str, Any]) -> Problem:
    if "test" not in row or not row.get("entry_point"):
        raise BadRequest("prompt, test and entry_point are needed, and the language is python", "config.provided_data")
    name = row["entry_point"]
    if asked.config.extra.get("is_freeform") or "```" in asked.completion:
        code = _extracted(asked, "python")
    else:
        code = f"{row.get('prompt', '')}\n{asked.completion}"
    return Problem(
        code=IMPORTS + code,
        language="python",
        tests=[{"assert": f"{IMPORTS}{row['test']}\ncheck(candidate)\n"}],
        shown=[None],
        entry_point=name,
    )


def _mbpp(asked: Submit, row: Mapping[str, Any]) -> Problem:
    asserts = _json(row.get("test") if row.get("test") is not None else row.get("test_list"))
    if not isinstance(asserts, list) or not all(isinstance(each, str) for each in asserts):
        raise BadRequest("test: [assert, ...] is needed", "config.provided_data.test")
    labels = _json(row.get("labels")) or {}
    setup = labels.get("test_setup_code") or row.get("test_setup_code") or ""
    return Problem(
        code=_extracted(asked, "python"),
        language="python",
        tests=[{"assert": f"{setup}\n{each}\n"} for each in asserts],
        shown=[{"assert": each} for each in asserts],
    )


def _livecodebench(asked: Submit, row: Mapping[str, Any]) -> Problem:
    test = _json(row.get("test"))
    if isinstance(test, dict):
        test = _json(test.get("input_output", test))
    if isinstance(test, dict) and "inputs" in test and "outputs" in test:
        name, pairs = test.get("fn_name") or "", list(zip(test["inputs"], test["outputs"], strict=False))
    else:
        cases = [*_listed(row.get("public_test_cases")), *_listed(row.get("private_test_cases"))]
        metadata = _json(row.get("metadata")) or {}
        name = metadata.get("func_name", "") if any(case.get("testtype") == "functional" for case in cases) else ""
        pairs = [(case["input"], case["output"]) for case in cases]
    if name:
        return _calls(asked, name, [(_lines(given), _json(wanted)) for given, wanted in pairs])
    return _stdio(asked, pairs, {"type": "livecodebench"})


def _stdio(asked: Submit, pairs: Sequence[tuple[Any, Any]], checker: dict[str, Any] | None = None) -> Problem:
    language = _language(asked)
    return Problem(
        code=_extracted(asked, language),
        language=language,
        tests=[{"stdin": str(given), "expected": str(wanted)} for given, wanted in pairs],
        shown=[{"input": {"stdin": str(given)}, "output": {"stdout": str(wanted)}} for given, wanted in pairs],
        checker=dict(checker or STDIO_CHECKER),
    )


def _calls(asked: Submit, name: str, pairs: Sequence[tuple[Any, Any]]) -> Problem:
    code = _extracted(asked, _language(asked))
    entry_point = f"Solution.{name}" if "class Solution" in code else name
    return Problem(
        code=IMPORTS + code,
        language=_language(asked),
        tests=[
            {"args": list(given) if isinstance(given, list) else [given], "expected": each} for given, each in pairs
        ],
        shown=[{"fn_name": name, "input": given, "output": wanted} for given, wanted in pairs],
        entry_point=entry_point,
    )


def _extracted(asked: Submit, language: str) -> str:
    """The code of the completion. A completion without a fence is taken for code itself."""
    answer = extract(asked.completion, language, Extraction(bare="raw"))
    if answer is not None:
        return answer.code
    return "" if "```" in asked.completion else asked.completion


def _language(asked: Submit) -> str:
    return language_of(asked.config.language or "python", LANGUAGES)


def _row(asked: Submit) -> dict[str, Any]:
    data = asked.config.provided_data
    if isinstance(data, list):
        data = next((row for row in data if row.get("id") == asked.id or row.get("task_id") == asked.id), None)
    if not data:
        raise BadRequest("only data given in the request is judged: config.provided_data", "config.provided_data")
    return data


def _refuse_code_of_the_client(asked: Submit) -> None:
    """The peer runs these outside the box or as another program; taken for nothing they would change verdicts."""
    if asked.config.custom_extract_logic:
        raise BadRequest("custom_extract_logic is not served: send the code alone", "config.custom_extract_logic")
    if asked.config.extra.get("special_judge_program"):
        raise BadRequest(
            "special_judge_program is not served: give extra.checker, as POST /verify takes it", "config.extra"
        )


def _json(value: Any) -> Any:
    """JSON text parsed, anything else as it is."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _listed(value: Any) -> list[dict[str, Any]]:
    cases = _json(value)
    return [case for case in cases if isinstance(case, dict)] if isinstance(cases, list) else []


def _lines(text: Any) -> Any:
    """Arguments as LiveCodeBench writes them: a JSON value a line."""
    return [_json(line) for line in text.split("\n")] if isinstance(text, str) else text


def _shortened(shown: Any) -> Any:
    if isinstance(shown, str):
        return shown if len(shown) <= SHOWN_CHARS else shown[:SHOWN_CHARS] + "..."
    if isinstance(shown, dict):
        return {name: _shortened(value) for name, value in shown.items()}
    return shown
