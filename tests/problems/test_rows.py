"""Rows of data sets, in their published shapes, become tasks; what cannot be expressed names its field."""

from __future__ import annotations

import base64
import json
import pickle
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import pytest

from sandbox.problems.problem import Problem
from sandbox.problems.rows.detection import detect, read_row
from sandbox.problems.unsupported import Unsupported
from sandbox.runner.contract import Verdict
from sandbox.schema import FunctionTest, TestCase
from sandbox.schema.checkers import ProgramChecker
from sandbox.schema.reward import Task
from sandbox.verify.checkers.program_checker import wrap_with_guard

PAIRS = {"inputs": ["1\n", "2\n"], "outputs": ["2\n", "4\n"]}
APPS: dict[str, Any] = {
    "problem_id": 7,
    "question": "Print the double of n.",
    "solutions": json.dumps(["print(int(input()) * 2)"]),
    "input_output": json.dumps(PAIRS),
    "difficulty": "introductory",
    "url": "https://judge.example/7",
    "starter_code": "",
}
TACO: dict[str, Any] = {
    "question": "Print the double of n.",
    "starter_code": "",
    "input_output": json.dumps(PAIRS),
    "solutions": json.dumps(["print(int(input()) * 2)"]),
    "difficulty": "EASY",
    "raw_tags": "[]",
    "name": None,
    "source": "judge",
    "tags": "[]",
    "skill_types": "[]",
    "url": None,
    "Expected Auxiliary Space": None,
    "time_limit": "2.0 seconds",
    "date": None,
    "picture_num": "0",
    "memory_limit": "256.0 megabytes",
    "Expected Time Complexity": None,
}
CODE_CONTESTS: dict[str, Any] = {
    "name": "7_A. Double",
    "description": "Print the double of n.",
    "public_tests": {"input": ["1\n"], "output": ["2\n"]},
    "private_tests": {"input": ["2\n"], "output": ["4\n"]},
    "generated_tests": {"input": ["3\n"], "output": ["6\n"]},
    "source": 2,
    "difficulty": 7,
    "solutions": {"language": [3, 1, 2], "solution": ["print(int(input())*2)", "print input()*2", "int main() {}"]},
    "incorrect_solutions": {"language": [3], "solution": ["print(2)"]},
    "time_limit": {"seconds": 2, "nanos": 500_000_000},
    "memory_limit_bytes": 256_000_000,
    "input_file": "",
    "output_file": "",
}
CODE_CONTESTS_PLUS: dict[str, Any] = {
    "source": "Codeforces",
    "id": "7_A",
    "title": "Double",
    "description": "Print the double of n.",
    "time_limit": 1500,
    "memory_limit": 256,
    "validator": '#include "testlib.h"\nint main() {}',
    "generator": '#include "testlib.h"\nint main() {}',
    "generator_cmd": "./gen -n 5\n./gen -n 9",
    "checker": '#include "testlib.h"\nint main(int n, char** a) { registerTestlibCmd(n, a); quitf(_ok, "ok"); }',
    "correct_submissions": [{"code": "print(int(input())*2)", "language": "PYTHON3"}],
    "incorrect_submissions": [{"code": "int main() {}", "language": 2}, {"code": "print 2", "language": 1}],
    "test_cases": [{"input": "1\n", "output": "2\n"}],
    "true_positive_rate": 1.0,
    "true_negative_rate": 0.9,
}
HARD_TESTS: dict[str, Any] = {
    "pid": "codeforces_7_a",
    "test_cases_kit": {
        "pid": "codeforces_7_a",
        "input_generation": {"LLMGen": ["1\n"], "RPGen": None, "SPGen": None, "HackGen": None},
        "input_validator": "def validate_input(text):\n    return text.strip().isdigit()\n",
        "output_judging_function": "def output_judging_function(given, candidate, reference):\n"
        "    return sorted(candidate.split()) == sorted(reference.split())\n",
    },
    "mapping": {"LLMGen": [0], "RPGen": [], "SPGen": [], "HackGen": []},
    "test_cases": [{"input": "1\n", "output": "1 2\n"}],
}
OPEN_R1: dict[str, Any] = {
    "id": "7/A",
    "title": "Double",
    "description": "Print the double of n.",
    "time_limit": 2.0,
    "memory_limit": 256.0,
    "interaction_format": None,
    "examples": [{"input": "1", "output": "2"}, {"input": "9", "output": "18"}],
    "official_tests": [{"input": "1\n", "output": "2\n"}, {"input": "2\n", "output": "4\n"}],
    "official_tests_complete": True,
    "input_mode": "stdio",
    "generated_checker": None,
    "executable": True,
    "generated_tests": 12,
}
TESTCASE_EVAL: dict[str, Any] = {
    "problem_id": "1994A",
    "title": "Double",
    "description": "Print the double of n.",
    "input": "n",
    "output": "2n",
    "examples": [["1", "2"]],
    "time_limit_ms": 1000,
    "memory_limit_mb": 256,
    "rating": 800,
    "tags": [],
    "note": "",
    "url": "https://judge.example/1994A",
}
PUBLIC = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]
PRIVATE = [{"input": "2\n", "output": "4\n", "testtype": "stdin"}]


def pack(value: Any) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(value))).decode()


LIVE_CODE_BENCH: dict[str, Any] = {
    "question_title": "Double",
    "question_content": "Print the double of n.",
    "platform": "atcoder",
    "question_id": "abc7_a",
    "contest_id": "abc7",
    "contest_date": "2024-01-01T00:00:00",
    "starter_code": "",
    "difficulty": "easy",
    "public_test_cases": json.dumps(PUBLIC),
    "private_test_cases": pack(json.dumps(PRIVATE)),
    "metadata": "{}",
}
CALLS = [{"input": "[1, 2]\n3", "output": "[4, 5]", "testtype": "functional"}]
ROWS = {
    "apps": APPS,
    "taco": TACO,
    "code-contests": CODE_CONTESTS,
    "code-contests-plus": CODE_CONTESTS_PLUS,
    "hard-tests": HARD_TESTS,
    "open-r1-codeforces": OPEN_R1,
    "testcase-eval": TESTCASE_EVAL,
    "live-code-bench": LIVE_CODE_BENCH,
}


def list_cases(problem: Problem) -> list[tuple[str, str]]:
    return [(test.test.stdin, test.test.expected) for test in problem.tests if isinstance(test.test, TestCase)]


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_detected_and_becomes_a_task(name: str) -> None:
    assert detect(ROWS[name]) == name
    problem = read_row(ROWS[name], examples_only=True)
    assert problem.format == name
    task = Task.model_validate(problem.build_task())
    assert [test.model_dump() for test in task.tests] == [test.test.model_dump() for test in problem.tests]


def test_apps_tests_and_solutions() -> None:
    problem = read_row(APPS)
    assert (problem.name, problem.statement) == ("7", "Print the double of n.")
    assert list_cases(problem) == [("1\n", "2\n"), ("2\n", "4\n")]
    assert [each.required for each in problem.submissions] == [{Verdict.ACCEPTED}]


def test_apps_functions_are_called_and_their_outputs_unwrapped() -> None:
    data = {"fn_name": "double", "inputs": [[1], [2]], "outputs": [[2], [4]]}
    row = {**APPS, "input_output": json.dumps(data), "starter_code": "class Solution:\n    def double(self, n):\n"}
    problem = read_row(row)
    assert (problem.entry_point, problem.language) == ("Solution.double", "python")
    assert [test.test for test in problem.tests] == [
        FunctionTest(args=[1], expected=2),
        FunctionTest(args=[2], expected=4),
    ]


def test_taco_limits_have_units_and_rows_without_a_name_get_a_stable_one() -> None:
    problem = read_row(TACO)
    assert (problem.limits.cpu_time_s, problem.limits.memory_mb) == (2.0, 256)
    assert problem.name.startswith("taco-")
    assert problem.name == read_row({**TACO, "tags": "[1]"}).name


def test_code_contests_uses_all_three_columns_of_tests() -> None:
    problem = read_row(CODE_CONTESTS)
    assert list_cases(problem) == [("1\n", "2\n"), ("2\n", "4\n"), ("3\n", "6\n")]
    assert [test.is_sample for test in problem.tests] == [True, False, False]
    assert (problem.limits.cpu_time_s, problem.limits.memory_mb) == (2.5, 245)
    assert [each.language for each in problem.submissions] == ["python", "cpp17", "python"]
    assert problem.left_out == ("solutions: 1 programs in languages that are not supported",)


def test_code_contests_programs_that_use_files_get_files() -> None:
    problem = read_row({**CODE_CONTESTS, "input_file": "in.txt", "output_file": "out.txt"})
    assert problem.tests[0].test == TestCase(files={"in.txt": b"1\n"}, expected_files={"out.txt": b"2\n"})


def test_code_contests_plus_has_testlib_programs() -> None:
    problem = read_row(CODE_CONTESTS_PLUS)
    assert problem.name == "Codeforces/7_A"
    assert isinstance(problem.checker, ProgramChecker)
    assert problem.checker.language == problem.input_validators[0].language == "cpp17"
    assert "generator: its tests are in test_cases" in problem.left_out
    assert (problem.limits.cpu_time_s, problem.limits.memory_mb) == (1.5, 256)


def run_checker(problem: Problem, folder: Path, output: str) -> int:
    """Run a Python checker as the service calls it, with the guard around it."""
    checker, case = problem.checker, problem.tests[0].test
    assert isinstance(checker, ProgramChecker)
    assert isinstance(case, TestCase)
    code = wrap_with_guard(checker.code, "output.txt").decode()
    texts = {"main.py": code, "input.txt": case.stdin, "output.txt": output, "answer.txt": case.expected}
    for name, text in texts.items():
        (folder / name).write_text(text)
    command = [sys.executable, "main.py", "input.txt", "output.txt", "answer.txt"]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode


def test_hard_tests_judging_function_decides(tmp_path: Path) -> None:
    problem = read_row(HARD_TESTS)
    assert run_checker(problem, tmp_path, "2 1") == 0
    assert run_checker(problem, tmp_path, "2 2") == 1
    assert problem.left_out == ("test_cases_kit.input_generation.LLMGen: its tests are in test_cases",)


def test_hard_tests_validator_reports_in_the_kattis_protocol() -> None:
    (validator,) = read_row(HARD_TESTS).input_validators
    for stdin, code in (("12", 42), ("x", 43)):
        done = subprocess.run([sys.executable, "-c", validator.code], input=stdin, text=True, check=False)
        assert done.returncode == code


CHECKER = """\
import sys
given, wanted, output = (open(path).read().split() for path in sys.argv[1:4])
print({score})
"""


@pytest.mark.parametrize(
    ("score", "output", "code"),
    [
        ("int(sorted(wanted) == sorted(output))", "2", 0),
        ("int(sorted(wanted) == sorted(output))", "3", 1),
        ("0.5", "2", 7),
        ("'unclear'", "2", 3),
        ("int(output[0])", "one", 1),
        ("number_of(output)", "2", 3),
        ("exec('late = 1') if output == wanted else late", "3", 3),
    ],
)
def test_open_r1_checker_gets_its_own_order_of_files(tmp_path: Path, score: str, output: str, code: int) -> None:
    problem = read_row({**OPEN_R1, "examples": [], "generated_checker": CHECKER.replace("{score}", score)})
    assert run_checker(problem, tmp_path, output) == code


SCORE_SOURCES = {
    "exits after it prints": ("import sys\nprint(1)\nsys.exit()\n", 0),
    "exits with an error": ("import sys\nprint(1)\nraise SystemExit(2)\n", 3),
    "imports from the future": ("from __future__ import annotations\nprint(0)\n", 1),
    "has text of several lines": ('TEXT = """a\nb"""\nprint(int(TEXT == "a\\nb"))\n', 0),
    "writes bytes": ("import sys\nsys.stdout.buffer.write(b'1')\n", 0),
    "reads before it fails": ("import sys\nopen(sys.argv[3]).read()\nif open is None:\n\tx = 1\nprint(x)\n", 1),
    "fails before it reads": ("print(1 / 0)\nopen('output.txt')\n", 3),
}


@pytest.mark.parametrize("name", SCORE_SOURCES)
def test_open_r1_checker_runs_as_one_program(tmp_path: Path, name: str) -> None:
    source, code = SCORE_SOURCES[name]
    problem = read_row({**OPEN_R1, "examples": [], "generated_checker": source})
    assert run_checker(problem, tmp_path, "2") == code


def test_the_format_that_is_asked_for_is_the_format_of_the_problem() -> None:
    assert read_row(APPS, "taco").format == "taco"


def test_a_wrong_program_may_not_fail_to_compile() -> None:
    wrong = read_row(CODE_CONTESTS).submissions[-1]
    assert Verdict.COMPILE_ERROR not in wrong.permitted | wrong.required


def test_open_r1_examples_that_are_official_tests_are_not_repeated() -> None:
    problem = read_row(OPEN_R1)
    assert list_cases(problem) == [("9", "18"), ("1\n", "2\n"), ("2\n", "4\n")]


def test_open_r1_programs_that_use_files_get_files() -> None:
    problem = read_row({**OPEN_R1, "input_mode": "file", "examples": []})
    assert problem.tests[0].test == TestCase(files={"input.txt": b"1\n"}, expected_files={"output.txt": b"2\n"})


def test_live_code_bench_private_tests_are_decoded() -> None:
    problem = read_row(LIVE_CODE_BENCH)
    assert list_cases(problem) == [("1\n", "2\n"), ("2\n", "4\n")]
    assert problem.checker.type == "livecodebench"
    assert list_cases(read_row({**LIVE_CODE_BENCH, "private_test_cases": json.dumps(PRIVATE)})) == list_cases(problem)


def test_live_code_bench_functions() -> None:
    row = {
        **LIVE_CODE_BENCH,
        "starter_code": "class Solution:\n    def add(self, a, b):\n",
        "metadata": json.dumps({"func_name": "add"}),
        "public_test_cases": json.dumps(CALLS),
        "private_test_cases": pack(json.dumps(CALLS)),
    }
    problem = read_row(row)
    assert problem.entry_point == "Solution.add"
    assert [test.test for test in problem.tests] == [FunctionTest(args=[[1, 2], 3], expected=[4, 5])] * 2


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return (sys.exit, ("executed",))


@pytest.mark.parametrize(
    ("name", "change", "place"),
    [
        ("apps", {"input_output": ""}, "input_output"),
        ("apps", {"input_output": "{"}, "input_output"),
        ("apps", {"input_output": json.dumps({**PAIRS, "checker": "x"})}, "input_output.checker"),
        ("apps", {"input_output": json.dumps({"inputs": ["1"], "outputs": []})}, "input_output"),
        ("apps", {"question": ["a"]}, "question"),
        ("taco", {"time_limit": "2 fortnights"}, "time_limit"),
        ("taco", {"memory_limit": "9000 gigabytes"}, "limits.memory_mb"),
        ("code-contests", {"private_tests": None, "generated_tests": None}, "private_tests"),
        ("code-contests", {"private_tests": {"input": ["1"], "output": []}}, "private_tests"),
        ("code-contests", {"public_tests": {"input": [1], "output": ["1"]}}, "public_tests[0]"),
        ("code-contests-plus", {"test_cases": []}, "test_cases"),
        ("code-contests-plus", {"time_limit": 2}, "time_limit"),
        ("code-contests-plus", {"test_cases": [{"input": "1"}]}, "test_cases[0]"),
        ("code-contests", {"memory_limit_bytes": "256"}, "memory_limit_bytes"),
        ("code-contests", {"time_limit": {"seconds": "2"}}, "seconds"),
        ("code-contests", {"solutions": {"language": 3, "solution": []}}, "solutions"),
        ("code-contests", {"solutions": {"language": [3], "solution": [None]}}, "solutions[0]"),
        ("code-contests-plus", {"memory_limit": float("inf")}, "memory_limit"),
        ("hard-tests", {"test_cases_kit": {"input_generation": ["1"]}}, "test_cases_kit.input_generation"),
        ("testcase-eval", {"time_limit_ms": "1000"}, "time_limit_ms"),
        ("open-r1-codeforces", {"generated_checker": "print("}, "generated_checker"),
        ("hard-tests", {"test_cases": []}, "test_cases"),
        ("hard-tests", {"starter_code": "def f():"}, "starter_code"),
        (
            "hard-tests",
            {"test_cases_kit": {"output_judging_function": "def f(): pass"}},
            "test_cases_kit.output_judging_function",
        ),
        ("open-r1-codeforces", {"official_tests": []}, "official_tests"),
        ("open-r1-codeforces", {"official_tests_complete": False}, "official_tests_complete"),
        ("open-r1-codeforces", {"interaction_format": "Ask questions."}, "interaction_format"),
        ("open-r1-codeforces", {"executable": False}, "executable"),
        ("open-r1-codeforces", {"input_mode": "file", "generated_checker": "print(1)"}, "input_mode"),
        ("live-code-bench", {"private_test_cases": ""}, "private_test_cases"),
        ("live-code-bench", {"private_test_cases": None}, "private_test_cases"),
        ("live-code-bench", {"private_test_cases": "[]"}, "private_test_cases"),
        ("live-code-bench", {"private_test_cases": "garbage"}, "private_test_cases"),
        ("live-code-bench", {"private_test_cases": pack(Evil())}, "private_test_cases"),
        ("live-code-bench", {"private_test_cases": pack(json.dumps(CALLS))}, "testtype"),
        (
            "live-code-bench",
            {"public_test_cases": json.dumps(CALLS), "private_test_cases": pack(json.dumps(CALLS))},
            "metadata.func_name",
        ),
    ],
)
def test_what_cannot_be_expressed_names_its_field(name: str, change: dict[str, Any], place: str) -> None:
    with pytest.raises(Unsupported) as caught:
        read_row({**ROWS[name], **change}, name, examples_only=True)
    assert caught.value.where == place


def test_rows_with_examples_only_need_permission() -> None:
    with pytest.raises(Unsupported, match="--examples-only"):
        read_row(TESTCASE_EVAL)


def test_an_unknown_row_is_an_error_that_shows_its_fields() -> None:
    with pytest.raises(Unsupported, match="fields a, b"):
        read_row({"a": 1, "b": 2})
