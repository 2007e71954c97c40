"""Commands, files, several kinds of tests in one submission, and requests that are refused."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest

from sandbox.client import Client
from tests.e2e.verdicts import ACCEPTED, CRASHED, WRONG, judge_tests, read_verdicts

CHECKER = {"type": "program", "language": "c", "code": ""}


def encode_files(files: dict[str, str]) -> dict[str, str]:
    return {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}


def test_a_command_passes_by_its_exit_code(client: Client) -> None:
    check = "import sys, main\nassert main.add(1, 2) == int(sys.argv[1]) == int(input())"
    tests: list[dict[str, Any]] = [
        {"command": ["python3", "check.py", "3"], "stdin": "3", "files": encode_files({"check.py": check})},
        {"command": ["python3", "check.py", "4"], "stdin": "4", "files": encode_files({"check.py": check})},
        {"command": ["sh", "-c", "test -f main.py && grep -q add main.py"]},
        {
            "command": ["python3", "-m", "pytest", "-q", "test_it.py"],
            "files": encode_files({"test_it.py": "def test(): 0"}),
        },
        {"command": ["no-such-program"]},
        {"command": ["sh", "-c", "kill -SEGV $$"]},
        {"command": ["sh", "-c", "while :; do :; done"]},
    ]
    found = read_verdicts(client, "def add(a, b):\n    return a + b", tests, limits={"cpu_time_s": 2})
    assert found == [ACCEPTED, WRONG, ACCEPTED, ACCEPTED, "internal_error", CRASHED, "time_limit_exceeded"]


def test_a_command_runs_next_to_the_built_program_of_a_compiled_language(client: Client) -> None:
    code = '#include <stdio.h>\nint main(int n, char **words) { printf("%s!\\n", words[1]); return n - 2; }'
    command = {"command": ["sh", "-c", 'test "$(./main it)" = "it!"']}
    other = {"command": ["sh", "-c", 'test "$(./main it)" = "that!"']}
    result = client.verify({"language": "c", "code": code, "tests": [command, other]})
    assert [test.verdict.value for test in result.tests] == [ACCEPTED, WRONG]


def test_each_test_has_its_own_arguments_and_files(client: Client) -> None:
    code = "import sys, os\nprint(sys.argv[1:], sorted(os.listdir('.')), open('data.txt').read(), input())"
    first = {"args": ["a", "-b c"], "files": encode_files({"data.txt": "1"}), "stdin": "x"}
    second = {"args": [], "files": encode_files({"data.txt": "2", "z/y.txt": ""}), "stdin": "y"}
    tests: list[dict[str, Any]] = [
        {**first, "expected": "['a', '-b c'] ['data.txt', 'main.py'] 1 x"},
        {**second, "expected": "[] ['data.txt', 'main.py', 'z'] 2 y"},
        {"stdin": "y", "expected": ""},
    ]
    assert read_verdicts(client, code, tests) == [ACCEPTED, ACCEPTED, CRASHED]


def test_files_a_program_must_write_are_judged_by_the_checker(client: Client) -> None:
    code = """
import os
number = int(input())
os.mkdir("out")
open("out/half.txt", "w").write(f"{number / 2}\\n")
if number > 2:
    open("log.bin", "wb").write(b"\\xff\\x00")
os.symlink("/etc/passwd", "link")
print("done")
"""
    log = {"log.bin": base64.b64encode(b"\xff\x00").decode()}
    half = {"out/half.txt": base64.b64encode(b"2").decode()}
    tests = [
        {"stdin": "4", "expected_files": half},
        {"stdin": "4", "expected_files": {**half, **log}, "expected": "done"},
        {"stdin": "4", "expected_files": half, "expected": "undone"},
        {"stdin": "2", "expected_files": {"out/half.txt": base64.b64encode(b"1.0").decode(), **log}},
        {"stdin": "6", "expected_files": half},
        {"stdin": "4", "expected_files": {"link": base64.b64encode(b"").decode()}},
        {"stdin": "x", "expected_files": half},
    ]
    results = judge_tests(client, code, tests, checker={"type": "float"})
    assert [(result.verdict.value, result.message) for result in results] == [
        (ACCEPTED, ""),
        (ACCEPTED, ""),
        (WRONG, "stdout: token 1 differs by more than the tolerance"),
        (WRONG, "log.bin: the file does not exist or exceeds file_mb"),
        (WRONG, "out/half.txt: token 1 differs by more than the tolerance"),
        (WRONG, "link: the file does not exist or exceeds file_mb"),
        (CRASHED, ""),
    ]


def test_tests_of_all_kinds_are_judged_in_one_submission_in_their_order(client: Client) -> None:
    code = "def add(a, b):\n    return a + b\nif __name__ == '__main__':\n    print(add(*map(int, input().split())))"
    tests: list[dict[str, Any]] = [
        {"stdin": "1 2", "expected": "3"},
        {"args": [1, 2], "expected": 3},
        {"assert": "assert add(1, 2) == 3"},
        {"pytest": "from solution import add\ndef test_it():\n    assert add(1, 2) == 3"},
        {"command": ["python3", "-c", "import main; assert main.add(1, 2) == 3"]},
        {"stdin": "1 2", "expected": "4"},
        {"args": [1, 2], "expected": 4},
        {"assert": "assert add(1, 2) == 4"},
        {"pytest": "from solution import add\ndef test_it():\n    assert add(1, 2) == 4"},
        {"command": ["python3", "-c", "import main; assert main.add(1, 2) == 4"]},
    ]
    assert read_verdicts(client, code, tests, entry_point="add") == [ACCEPTED] * 5 + [WRONG] * 5
    stopped = read_verdicts(client, code, tests[4:], entry_point="add", stop_on_failure=True)
    assert stopped == [ACCEPTED, WRONG, *["skipped"] * 4]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"tests": [{"args": [1], "expected": 1}]}, "entry_point"),
        ({"tests": [{"args": [1]}], "entry_point": "a b"}, "entry_point"),
        ({"tests": [{"assert": "", "language": "x"}]}, "language"),
        ({"tests": [{"command": []}]}, "command"),
        ({"tests": [{"pytest": "", "modules": ["a.b"]}]}, "modules"),
        ({"tests": [{"expected_files": {"../x": ""}}]}, "expected_files"),
        ({"tests": [{"expected_files": {"x": ""}}], "checker": CHECKER}, "cannot judge files"),
        ({"tests": [{"pytest": ""}], "language": "c"}, "require the language python"),
        ({"tests": [{"assert": ""}], "language": "c"}, "require the language python"),
        ({"tests": []}, "tests"),
    ],
)
def test_invalid_requests_are_refused_with_the_reason(url: str, fields: dict[str, Any], why: str) -> None:
    answer = httpx.post(f"{url}/verify", json={"language": "python", "code": "", **fields}, timeout=60)
    assert answer.status_code == 422
    assert why in answer.text
