"""Valid values on the wire, and the paths of errors for invalid ones."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from pydantic import ValidationError

from sandbox import schema
from sandbox.runner.contract import Limits, Outcome, Status, Usage
from sandbox.schema import (
    ExecuteBatchRequest,
    ExecuteRequest,
    ExecuteResult,
    Lane,
    LimitsRequest,
    StageResult,
    TestCase,
    VerifyRequest,
    VerifyResult,
)
from sandbox.schema.error_paths import format_dotted_path
from sandbox.schema.vote import VoteRequest

PROGRAM = {"language": "python", "code": "print(1)"}
VERIFY = {**PROGRAM, "tests": [{"stdin": "1", "expected": "1"}]}


def _find_error_path(model: type[Any], value: dict[str, Any]) -> str:
    """Return the dotted path of the only error."""
    with pytest.raises(ValidationError) as refused:
        model.model_validate(value)
    (error,) = refused.value.errors()
    return ".".join(map(str, error["loc"]))


@pytest.mark.parametrize(
    ("test", "path"),
    [
        ({"pytest": 3}, "tests.0.pytest"),
        ({"pytest": "", "modules": ["0"]}, "tests.0.modules.0"),
        ({"assert": 3}, "tests.0.assert"),
        ({"command": []}, "tests.0.command"),
        ({"args": 3, "kwargs": {}}, "tests.0.args"),
        ({"stdin": 3}, "tests.0.stdin"),
    ],
)
def test_the_path_of_an_error_has_no_level_for_the_kind_of_a_test(test: dict[str, Any], path: str) -> None:
    with pytest.raises(ValidationError) as refused:
        VerifyRequest.model_validate({**PROGRAM, "entry_point": "f", "tests": [test]})
    assert [format_dotted_path(error["loc"]) for error in refused.value.errors()] == [path]


def test_the_least_that_is_needed_is_a_language_and_code() -> None:
    request = ExecuteRequest.model_validate(PROGRAM)
    assert (request.stdin_bytes, request.args, request.files, request.priority) == (b"", [], {}, Lane.DEFAULT)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"stdn": ""}, "stdn"),
        ({"language": 3}, "language"),
        ({"code": None}, "code"),
        ({"args": ["a\0b"]}, "args.0"),
        ({"args": ["x" * (schema.MAX_ARGUMENT_CHARS + 1)]}, "args.0"),
        ({"args": ["x" * schema.MAX_ARGUMENT_CHARS, "y"]}, ""),
        ({"args": ["x"] * 257}, "args"),
        ({"stdin": "a", "stdin_base64": "YQ=="}, ""),
        ({"stdin_base64": "not base64!"}, "stdin_base64"),
        ({"files": {"a": "???"}}, "files.a"),
        ({"fetch_files": ["a"] * (schema.MAX_FILES + 1)}, "fetch_files"),
        ({"priority": "urgent"}, "priority"),
        ({"limits": {"cpu_time_s": 0}}, "limits.cpu_time_s"),
        ({"limits": {"cpu_time_s": float("nan")}}, "limits.cpu_time_s"),
        ({"limits": {"memory_mb": 1}}, "limits.memory_mb"),
        ({"limits": {"processes": 10_000}}, "limits.processes"),
        ({"limits": {"output_kb": 1 << 30}}, "limits.output_kb"),
        ({"limits": {"memory": 100}}, "limits.memory"),
    ],
)
def test_what_cannot_be_is_refused_with_its_place(change: dict[str, Any], place: str) -> None:
    assert _find_error_path(ExecuteRequest, {**PROGRAM, **change}) == place


@pytest.mark.parametrize(
    "name", ["", "/etc/passwd", "../up", "a/../b", "a//b", "./a", "a/", "a\0b", "x" * 256, "/".join("a" * 17)]
)
def test_a_file_name_that_could_leave_the_directory_is_refused(name: str) -> None:
    assert _find_error_path(ExecuteRequest, {**PROGRAM, "fetch_files": [name]}) == "fetch_files.0"
    with pytest.raises(ValidationError):
        ExecuteRequest.model_validate({**PROGRAM, "files": {name: ""}})


@pytest.mark.parametrize("name", ["a", "a.txt", "a/b/c.bin", "..a", "ünïcödé", "with blank", "-rf"])
def test_a_plain_relative_name_is_fine(name: str) -> None:
    assert ExecuteRequest.model_validate({**PROGRAM, "files": {name: ""}}).files == {name: b""}


def test_a_verification_needs_tests_and_a_known_checker() -> None:
    assert _find_error_path(VerifyRequest, {**VERIFY, "tests": []}) == "tests"
    misspelt = _find_error_path(VerifyRequest, {**VERIFY, "tests": [{"stdin": "1", "output": "1"}]})
    assert misspelt.startswith("tests.0.")
    assert misspelt.endswith(".output")
    assert _find_error_path(VerifyRequest, {**VERIFY, "checker": {"type": "guess"}}) == "checker"
    assert _find_error_path(VerifyRequest, {**VERIFY, "checker": {"type": "float", "absolute": -1}}).startswith(
        "checker.float"
    )


def test_a_batch_has_at_least_one_item_and_names_the_bad_one() -> None:
    assert _find_error_path(ExecuteBatchRequest, {"items": []}) == "items"
    assert _find_error_path(ExecuteBatchRequest, {"items": [PROGRAM, {**PROGRAM, "code": 1}]}) == "items.1.code"


def test_bytes_come_through_json_unchanged() -> None:
    data = bytes(range(256))
    request = ExecuteRequest.model_validate(
        {**PROGRAM, "stdin_base64": b64encode(data).decode(), "files": {"f": b64encode(data).decode()}}
    )
    again = ExecuteRequest.model_validate_json(request.model_dump_json())
    assert again.stdin_bytes == again.files["f"] == data
    assert TestCase(expected_base64=data).expected_bytes == data


def test_limits_left_out_are_the_defaults_and_wall_time_follows_cpu_time() -> None:
    default = Limits()
    assert LimitsRequest().resolve(default) is default
    assert LimitsRequest(memory_mb=64).resolve(default) == Limits(memory_mb=64)
    assert LimitsRequest(cpu_time_s=3).resolve(default) == Limits(cpu_time_s=3, wall_time_s=8.0)
    assert LimitsRequest(total_cpu_time_s=3).resolve(default) == Limits(cpu_time_s=3)
    assert LimitsRequest(total_cpu_time_s=30, cpu_time_s=3).resolve(default) == Limits(cpu_time_s=3, wall_time_s=8.0)
    assert LimitsRequest(cpu_time_s=3, wall_time_s=4).resolve(default) == Limits(cpu_time_s=3, wall_time_s=4)


def test_limits_of_compiling_are_the_languages_where_they_are_left_out() -> None:
    languages = Limits(cpu_time_s=60, wall_time_s=120, memory_mb=2_048)
    assert LimitsRequest(cpu_time_s=1, memory_mb=64).resolve_compile(languages) is languages
    both = LimitsRequest(compile_cpu_time_s=3, compile_wall_time_s=4)
    assert both.resolve(default := Limits()) is default
    assert both.resolve_compile(languages) == Limits(cpu_time_s=3, wall_time_s=4, memory_mb=2_048)
    cpu, wall = LimitsRequest(compile_cpu_time_s=3), LimitsRequest(compile_wall_time_s=4)
    assert cpu.resolve_compile(languages) == Limits(cpu_time_s=3, wall_time_s=8.0, memory_mb=2_048)
    assert wall.resolve_compile(languages) == Limits(cpu_time_s=60, wall_time_s=4, memory_mb=2_048)
    for bad in ({"compile_cpu_time_s": 0}, {"compile_cpu_time_s": 301}, {"compile_wall_time_s": 901}):
        with pytest.raises(ValidationError):
            LimitsRequest.model_validate(bad)


def test_an_outcome_is_text_where_it_is_text_and_has_a_twin_where_not() -> None:
    stage = StageResult.from_outcome(Outcome(Status.OK, exit_code=0, stdout="ü".encode(), stderr=b"\xff"))
    assert (stage.stdout, stage.stdout_base64) == ("ü", None)
    assert (stage.stderr, stage.stderr_base64) == ("\N{REPLACEMENT CHARACTER}", b"\xff")
    assert StageResult.model_validate_json(stage.model_dump_json()) == stage


def test_results_come_through_json_unchanged() -> None:
    result = ExecuteResult(id="a", status=Status.OK, usage=Usage(0.1, 0.2, 3.0), files={"f": b"\0\xff"})
    assert ExecuteResult.model_validate_json(result.model_dump_json()) == result
    verdict = {
        "id": "a",
        "verdict": "accepted",
        "passed": 1,
        "total": 1,
        "score": 1.0,
        "tests": [{"verdict": "accepted"}],
    }
    assert VerifyResult.model_validate(verdict).tests[0].verdict == "accepted"


def test_an_error_does_not_repeat_the_input() -> None:
    with pytest.raises(ValidationError) as refused:
        ExecuteRequest.model_validate({**PROGRAM, "language": ["secret-in-the-request"]})
    assert "secret-in-the-request" not in str(refused.value)


@pytest.mark.parametrize(
    "name", ["\N{LATIN SMALL LETTER U WITH DIAERESIS}" * 200, "\N{GRINNING FACE}" * 64, "a/" + "\N{BULLET}" * 90]
)
def test_a_file_name_is_bounded_in_bytes(name: str) -> None:
    with pytest.raises(ValidationError, match="255 bytes"):
        ExecuteRequest(language="python", code="", files={name: b""})
    with pytest.raises(ValidationError, match="255 bytes"):
        ExecuteRequest(language="python", code="", fetch_files=[name])
    assert ExecuteRequest(language="python", code="", files={name[:60]: b""}).files


@pytest.mark.parametrize("name", ["main.py", "main.py/x", "main.py/deep/er"])
@pytest.mark.parametrize(
    "test",
    [{"expected": ""}, {"command": ["true"]}, {"pytest": "def test_x(): pass"}],
    ids=["stdin", "command", "pytest"],
)
def test_no_file_of_a_test_takes_the_programs_place(name: str, test: dict[str, Any]) -> None:
    tests = [{"expected": "1"}, {**test, "files": {name: b""}}]
    with pytest.raises(ValidationError, match=r"tests\.1\.files: .* the program itself"):
        VerifyRequest.model_validate({"language": "python", "code": "", "tests": tests})
    other = {**test, "files": {"main.pyx": b"", "data/main.py": b""}}
    assert VerifyRequest.model_validate({"language": "python", "code": "", "tests": [other]}).tests


@pytest.mark.parametrize(
    ("language", "name"), [("c", "main"), ("c", "main.c"), ("cpp", "main/x"), ("java", "main.jar"), ("bash", "main.sh")]
)
def test_neither_does_one_take_the_place_of_what_its_compiler_made(language: str, name: str) -> None:
    with pytest.raises(ValidationError, match="the program itself"):
        ExecuteRequest(language=language, code="", files={name: b""})
    candidates = [{"language": "python", "code": ""}, {"language": language, "code": ""}]
    with pytest.raises(ValidationError, match=r"inputs\.0\.files"):
        VoteRequest.model_validate({"candidates": candidates, "inputs": [{"files": {name: b""}}]})


@pytest.mark.parametrize("files", [{"a": b"", "a/b": b""}, {"a/b/c": b"", "a/b": b""}, {"x/y/z": b"", "x": b""}])
@pytest.mark.parametrize("test", [{"expected": ""}, {"command": ["true"]}, {"pytest": "pass"}])
def test_no_name_is_a_file_and_a_folder(files: dict[str, bytes], test: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="both a file and a folder"):
        VerifyRequest.model_validate({"language": "python", "code": "", "tests": [{**test, "files": files}]})


def test_half_a_surrogate_pair_is_no_argument() -> None:
    with pytest.raises(ValidationError):
        ExecuteRequest(language="python", code="", args=["\ud83d"])
