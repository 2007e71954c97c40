"""Turn data set rows, which requests contain in SandboxFusion's formats, into programs and tests.

| dataset_type         | provided_data                                                                          |
| -------------------- | -------------------------------------------------------------------------------------- |
| CommonOJDataset      | {test: [{input: {stdin}, output: {stdout}}]}                                           |
| HumanEvalDataset     | {prompt, test, entry_point}                                                            |
| MBPPDataset          | {test: [assert, ...], labels: {test_setup_code}}, or MBPP's own {test_list, ...}       |
| LiveCodeBenchDataset | {test: {inputs, outputs, fn_name?}}, or its own {public_test_cases, ...}; may be packed |
| (ScaleBox)           | {test_cases: {type, input: [], output: [], fn_name, json_input}}                       |

The peer appends function calls and asserts to the program; here they run outside its process. As with the peer, the
first code block is the answer, and the peer's imports precede the program (`sandbox.rewards.preamble`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.api.dialects.dialect import parse_json_text
from sandbox.api.dialects.sandbox_fusion_judge import JudgeProblem, SubmitRequest
from sandbox.api.dialects.sandbox_fusion_problem import (
    LIVECODEBENCH_TIMEOUT_S,
    STDIO_CHECKER,
    TIMEOUT_S,
    build_function_problem,
    build_stdio_problem,
    extract_code,
    select_language,
)
from sandbox.errors import BadRequest
from sandbox.rewards import continuation, preamble
from sandbox.rewards.expected_call import ExpectedCall
from sandbox.rewards.packed_tests import NotPacked, unpack_tests

DATA_FIELD = "config.provided_data"
LIVECODEBENCH_CHECKER = {"type": "livecodebench"}

_CASE_COLUMNS = frozenset({"public_test_cases", "private_test_cases"})
_IMPORT = re.compile(r"^(?:import|from)\s.*$", re.MULTILINE)


def parse_problem(body: SubmitRequest) -> JudgeProblem:
    """Parse the problem in `config.provided_data`. Raises BadRequest if its format is unknown."""
    _reject_client_code(body)
    row = _select_row(body)
    kind = (body.config.dataset_type or body.dataset).lower()
    if "test_cases" in row:
        return parse_scalebox_problem(body)
    if "humaneval" in kind or {"entry_point", "prompt"} <= row.keys():
        return _parse_humaneval(body, row)
    if "mbpp" in kind or "test_list" in row:
        return _parse_mbpp(body, row)
    if "livecodebench" in kind or "public_test_cases" in row or "private_test_cases" in row:
        return _parse_livecodebench(body, row)
    return _parse_common_oj(body, row)


def parse_scalebox_problem(body: SubmitRequest) -> JudgeProblem:
    """Parse ScaleBox's `test_cases`: columns of inputs and outputs, a list of cases, or the test of a HumanEval row."""
    _reject_client_code(body)
    field = f"{DATA_FIELD}.test_cases"
    cases = parse_json_text(_select_row(body).get("test_cases"), field)
    if isinstance(cases, list):
        cases = _transpose_cases(cases, field)
    if not isinstance(cases, dict):
        raise BadRequest("test_cases must have input and output", field)
    kind = cases.get("type") or ""
    if kind == "assert":
        return _parse_humaneval(body, cases, freeform=True)
    if kind not in ("", "stdin_stdout", "function_call"):
        raise BadRequest("type must be stdin_stdout, function_call or assert", f"{field}.type")
    pairs = _pair_up(
        parse_json_text(cases.get("input")), parse_json_text(cases.get("output")), field, ("input", "output")
    )
    name = cases.get("fn_name") or ""
    if kind == "stdin_stdout" or not (name or kind):
        return build_stdio_problem(body, pairs, STDIO_CHECKER)
    if cases.get("json_input"):
        pairs = [
            (_parse_lines(given), [parse_json_text(wanted)] if isinstance(given, str) else wanted)
            for given, wanted in pairs
        ]
    if any(isinstance(wanted, list) and not wanted for _, wanted in pairs):
        raise BadRequest("each output must be a list that holds the value, but one list is empty", f"{field}.output")
    calls = [ExpectedCall(given, wanted[0] if isinstance(wanted, list) else wanted) for given, wanted in pairs]
    return build_function_problem(body, str(name), calls, TIMEOUT_S)


def _transpose_cases(cases: Sequence[Any], field: str) -> dict[str, Any]:
    if not all(isinstance(case, dict) and {"input", "output"} <= case.keys() for case in cases):
        raise BadRequest("each case needs input and output", field)
    first = cases[0] if cases else {}
    return {**first, "input": [case["input"] for case in cases], "output": [case["output"] for case in cases]}


def _parse_common_oj(body: SubmitRequest, row: Mapping[str, Any]) -> JudgeProblem:
    field = f"{DATA_FIELD}.test"
    cases = parse_json_text(row.get("test"), field)
    if not isinstance(cases, list) or not all(isinstance(case, dict) and _is_stdio(case) for case in cases):
        raise BadRequest("test must be a list of {input: {stdin}, output: {stdout}}", field)
    files = [name for case in cases for name in ({*case["input"]} | {*case.get("output", {})}) - {"stdin", "stdout"}]
    if files:
        raise BadRequest(f"tests may have only the files stdin and stdout, not {files[0]}", field)
    pairs = [(case["input"].get("stdin", ""), case.get("output", {}).get("stdout", "")) for case in cases]
    return build_stdio_problem(body, pairs, STDIO_CHECKER)


def _is_stdio(case: Mapping[str, Any]) -> bool:
    return isinstance(case.get("input"), dict) and isinstance(case.get("output", {}), dict)


def _parse_humaneval(body: SubmitRequest, row: Mapping[str, Any], freeform: bool = False) -> JudgeProblem:
    """Parse a row whose `test` checks a function.

    Unless `freeform` or the config's `is_freeform` is set, the completion continues the prompt, but a complete function
    is also accepted.
    """
    if not isinstance(row.get("test"), str) or not row.get("entry_point") or select_language(body) != "python":
        raise BadRequest("prompt, test and entry_point are required, and the language must be python", DATA_FIELD)
    name, prompt, test = str(row["entry_point"]), str(row.get("prompt") or ""), row["test"]
    freeform = freeform or bool(body.config.extra.get("is_freeform"))
    code = body.completion
    if freeform or not continuation.continues_function(prompt, code):
        code = extract_code(code, "python")
        if "```" not in body.completion:
            code = continuation.cut_after_function(code, name)
    if continuation.is_continuation(code):
        code = continuation.cut_continuation(prompt, code)
    whole = (freeform or "```" in body.completion) and not continuation.is_continuation(code)
    program = code if whole else continuation.complete_prompt(prompt, code)
    imports = preamble.build_humaneval_preamble(program, test)
    return JudgeProblem(
        extracted_code=code,
        code=preamble.join_parts(imports, program),
        language="python",
        tests=[{"assert": preamble.join_parts(imports, f"{test}\ncheck(candidate)\n")}],
        shown_tests=[None],
        checker=STDIO_CHECKER,
        run_timeout_s=TIMEOUT_S,
        entry_point=name,
    )


def _parse_mbpp(body: SubmitRequest, row: Mapping[str, Any]) -> JudgeProblem:
    """Parse asserts and their imports. The completion ends at [DONE], or where it starts to add its own tests."""
    asserts = parse_json_text(
        row.get("test") if row.get("test") is not None else row.get("test_list"), f"{DATA_FIELD}.test"
    )
    if not isinstance(asserts, list) or not all(isinstance(each, str) for each in asserts):
        raise BadRequest("test must be a list of asserts", f"{DATA_FIELD}.test")
    labels = parse_json_text(row.get("labels"))
    imports = parse_json_text(row.get("test_imports")) or []
    setup = (labels.get("test_setup_code") if isinstance(labels, dict) else "") or row.get("test_setup_code") or ""
    if not isinstance(imports, list) or not isinstance(setup, str):
        raise BadRequest("test_imports must be a list and test_setup_code a string", DATA_FIELD)
    before = "\n".join([*map(str, imports), setup])
    code = continuation.cut_before_tests(extract_code(_extract_marked_answer(body.completion), "python"))
    # With the peer, program and tests are one file, so the program sees the imports of its tests.
    given = "".join(f"{line}\n" for line in _IMPORT.findall(before))
    return JudgeProblem(
        extracted_code=code,
        code=preamble.join_parts(preamble.build_humaneval_preamble(code), given, code),
        language="python",
        tests=[{"assert": f"{before}\n{each}\n"} for each in asserts],
        shown_tests=[{"assert": each} for each in asserts],
        checker=STDIO_CHECKER,
        run_timeout_s=TIMEOUT_S,
    )


def _extract_marked_answer(completion: str) -> str:
    """Return the answer to a few-shot prompt, in which answers are enclosed in [BEGIN] and [DONE]."""
    before, _, _ = completion.partition("[DONE]")
    _, begun, rest = before.partition("[BEGIN]")
    return rest if begun else before


def _parse_livecodebench(body: SubmitRequest, row: Mapping[str, Any]) -> JudgeProblem:
    test = _read_packed(row.get("test"), f"{DATA_FIELD}.test")
    if isinstance(test, dict) and "input_output" in test:
        test = parse_json_text(test["input_output"], f"{DATA_FIELD}.test.input_output")
    places = [test, row] if isinstance(test, dict) else [row]
    private = _read_first_cases(places, "private_test_cases")
    cases = [*_read_first_cases(places, "public_test_cases"), *private]
    has_inputs = isinstance(test, dict) and bool(test.get("inputs"))
    if _CASE_COLUMNS.issubset(key for place in places for key in place) and not private and not has_inputs:
        raise BadRequest(
            "private_test_cases is empty: the public tests alone would accept wrong programs. Send the private tests, "
            "or leave the field out to judge by the public tests on purpose",
            f"{DATA_FIELD}.private_test_cases",
        )
    metadata = parse_json_text(row.get("metadata"))
    called = any(case.get("testtype") == "functional" for case in cases)
    name = metadata.get("func_name", "") if called and isinstance(metadata, dict) else ""
    if called and not name:
        raise BadRequest("functional tests need func_name in metadata", f"{DATA_FIELD}.metadata")
    pairs = [(case["input"], case["output"]) for case in cases]
    if isinstance(test, dict) and "inputs" in test:
        own_name = test.get("fn_name") or ""
        if cases and own_name != name:
            raise BadRequest("test and private_test_cases call different functions", f"{DATA_FIELD}.test")
        name = own_name
        pairs += _pair_up(test["inputs"], test.get("outputs"), f"{DATA_FIELD}.test", ("inputs", "outputs"))
    if name:
        calls = [
            ExpectedCall.from_livecodebench(_parse_lines(given), parse_json_text(wanted)) for given, wanted in pairs
        ]
        return build_function_problem(body, str(name), calls, LIVECODEBENCH_TIMEOUT_S)
    limit = preamble.build_livecodebench_preamble(preamble.SANDBOX_FUSION_RECURSION_LIMIT)
    return build_stdio_problem(body, pairs, LIVECODEBENCH_CHECKER, limit, LIVECODEBENCH_TIMEOUT_S)


def _read_first_cases(places: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    """Read a column from the first place where it has cases."""
    return next(filter(None, (_read_cases(place, name) for place in places)), [])


def _read_cases(row: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """Read a column of cases, which may be JSON text or packed. Raises BadRequest if it is neither."""
    value = row.get(name)
    if value is None or value == "":
        return []
    cases = _read_packed(value, f"{DATA_FIELD}.{name}")
    if not isinstance(cases, list) or not all(
        isinstance(case, dict) and {"input", "output"} <= case.keys() for case in cases
    ):
        raise BadRequest(f"{name} must be a list of cases with input and output", f"{DATA_FIELD}.{name}")
    return cases


def _read_packed(value: Any, field: str) -> Any:
    value = parse_json_text(value, field)
    if not isinstance(value, str) or not value.strip():
        return value
    try:
        return unpack_tests(value)
    except NotPacked as error:
        raise BadRequest(f"{field.rpartition('.')[2]} is neither JSON nor packed tests: {error}", field) from None


def _pair_up(inputs: Any, outputs: Any, field: str, names: tuple[str, str]) -> list[tuple[Any, Any]]:
    if not isinstance(inputs, list) or not isinstance(outputs, list):
        raise BadRequest(f"{names[0]} and {names[1]} must be lists", field)
    if len(inputs) != len(outputs):
        raise BadRequest(f"got {len(inputs)} {names[0]} but {len(outputs)} {names[1]}", field)
    return list(zip(inputs, outputs, strict=True))


def _select_row(body: SubmitRequest) -> dict[str, Any]:
    data = body.config.provided_data
    if isinstance(data, list):
        data = next((row for row in data if row.get("id") == body.id or row.get("task_id") == body.id), None)
    if not data:
        raise BadRequest("this service has no data sets: put the row into config.provided_data", DATA_FIELD)
    return data


def _reject_client_code(body: SubmitRequest) -> None:
    """Reject fields that the peer executes as code. Ignoring them would change verdicts."""
    if body.config.custom_extract_logic:
        raise BadRequest("custom_extract_logic is not supported: send only the code", "config.custom_extract_logic")
    if body.config.extra.get("special_judge_program"):
        raise BadRequest(
            "special_judge_program is not supported: set extra.checker to a checker of POST /verify", "config.extra"
        )


def _parse_lines(text: Any) -> Any:
    """Parse arguments in LiveCodeBench's format: one JSON value per line."""
    return [parse_json_text(line) for line in text.split("\n") if line.strip()] if isinstance(text, str) else text
