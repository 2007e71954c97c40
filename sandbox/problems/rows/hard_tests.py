"""Read rows of HardTests' test suites.

Fields (https://huggingface.co/datasets/sigcp/hardtests_tests): `pid`, `test_cases` (a list of `{"input", "output"}`),
`test_cases_kit` with `input_generation`, `input_validator` (Python source of `validate_input`) and
`output_judging_function` (Python source of a function of that name, or null), and `mapping`, which names the generator
of each test.
"""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.problems.limits import build_limits, parse_mebibytes, parse_seconds
from sandbox.problems.problem import InputValidator, Problem
from sandbox.problems.python_checkers import adapt_judging_function
from sandbox.problems.rows.row import Row, get_text, name_problem, read_cases
from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.schema.checkers import Checker, TokensChecker

# Calls the data set's function and reports in the Kattis protocol: exit code 42 accepts.
_VALIDATOR_ADAPTER = """\
{source}

if __name__ == "__main__":
    import sys as _sys
    _sys.exit(42 if validate_input(_sys.stdin.read()) else 43)
"""


def read_row(row: Row) -> Problem:
    """Build a problem from a row. Raises Unsupported."""
    kit = row.get("test_cases_kit") or {}
    if not isinstance(kit, Mapping):
        raise Unsupported("test_cases_kit", f"must be an object, not {type(kit).__name__}")
    tests = read_cases(row, "test_cases")
    if not tests:
        raise Unsupported("test_cases", "the row has no tests")
    if get_text(row, "starter_code", "").strip():
        raise Unsupported("starter_code", "the program is a function, but the tests do not say how to call it")
    time_s = parse_seconds(row.get("time_limit"), "time_limit")
    generation = kit.get("input_generation") or {}
    if not isinstance(generation, Mapping):
        raise Unsupported("test_cases_kit.input_generation", f"must be an object, not {type(generation).__name__}")
    left_out = [f"test_cases_kit.input_generation.{name}" for name in sorted(generation) if generation[name]]
    return Problem(
        name=name_problem(row, "pid"),
        title=get_text(row, "question_title", ""),
        format="hard-tests",
        statement=get_text(row, "question_content", ""),
        tests=tuple(tests),
        checker=_build_checker(kit),
        limits=build_limits(time_s, parse_mebibytes(row.get("memory_limit"), "memory_limit"), where="limits"),
        input_validators=tuple(_read_validators(kit)),
        left_out=tuple(f"{name}: its tests are in test_cases" for name in left_out),
    )


def _build_checker(kit: Row) -> Checker:
    source = get_text(kit, "output_judging_function", "")
    if not source.strip():
        return TokensChecker(type="tokens")
    return adapt_judging_function(source, "test_cases_kit.output_judging_function")


def _read_validators(kit: Row) -> list[InputValidator]:
    source = get_text(kit, "input_validator", "")
    if not source.strip():
        return []
    if "def validate_input" not in source:
        raise Unsupported("test_cases_kit.input_validator", "must define validate_input")
    with name_the_place("test_cases_kit.input_validator"):
        code = _VALIDATOR_ADAPTER.replace("{source}", source)
        return [InputValidator(name="input_validator", language="python", code=code)]
