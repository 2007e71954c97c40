"""Checkers and interactors written by users: in a box of their own, by testlib's convention, in any language."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox.client import Client
from sandbox.schema import TestResult
from tests.e2e.verdicts import ACCEPTED, CRASHED, WRONG, judge_tests

INTERNAL = "internal_error"
SQRT = "print(int(float(input()) ** 0.5 * 100) / 100)"

# Does what a checker with testlib does, without it: three files, quitf's exit codes, the message on stderr.
CHECKER_IN_CPP = r"""
#include <bits/stdc++.h>
using namespace std;
int main(int n, char **paths) {
    if (n != 4) return 3;
    ifstream in(paths[1]), out(paths[2]), answer(paths[3]);
    double number, found;
    in >> number;
    if (!(out >> found)) { cerr << "wrong output format"; return 2; }
    string more, wanted;
    if (out >> more) { cerr << "extra tokens"; return 2; }
    getline(answer, wanted);
    if (wanted == "half") { fprintf(stderr, "points %g of 2", abs(found * found - number) < 1 ? 1.0 : 0.0); return 7; }
    if (wanted == "crash") abort();
    if (abs(found * found - number) > 0.1) { cerr << "wrong answer: too far"; return 1; }
    cerr << "ok close enough";
}
"""


def run_checker(
    client: Client, code: str, tests: list[dict[str, Any]], checker: str, **fields: Any
) -> list[TestResult]:
    choice = {"type": "program", "language": "python", "code": checker, **fields}
    return judge_tests(client, code, tests, checker=choice, limits={"cpu_time_s": 2})


def test_a_checker_in_cpp_reads_three_files_and_answers_by_exit_code(client: Client) -> None:
    tests = [
        {"stdin": "2", "expected": "any"},
        {"stdin": "10000000000.7", "expected": "any"},
        {"stdin": "2", "expected": "half"},
        {"stdin": "2", "expected": "crash"},
    ]
    results = run_checker(client, SQRT, tests, CHECKER_IN_CPP, language="cpp", full_score=2)
    outcomes = [(result.verdict.value, result.score, result.message) for result in results]
    assert outcomes[0] == (ACCEPTED, 1.0, "ok close enough")
    assert outcomes[1] == (WRONG, 0.0, "wrong answer: too far")
    assert outcomes[2] == (WRONG, 0.5, "points 1 of 2")
    assert outcomes[3][0] == INTERNAL
    (form,) = run_checker(client, "print('x')", tests[:1], CHECKER_IN_CPP, language="cpp")
    assert (form.verdict.value, form.message) == (WRONG, "wrong output format")


@pytest.mark.parametrize(
    ("checker", "verdict", "score"),
    [
        ("import sys; sys.exit(0)", ACCEPTED, 1.0),
        ("import sys; sys.exit(1)", WRONG, 0.0),
        ("import sys; sys.exit(2)", WRONG, 0.0),
        ("import sys; sys.exit(3)", INTERNAL, 0.0),
        ("import sys; sys.exit(4)", WRONG, 0.0),
        ("import sys; sys.exit(8)", WRONG, 0.0),
        ("import sys; print('points 0.25', file=sys.stderr); sys.exit(7)", WRONG, 0.25),
        ("import sys; print('1.0 all of them'); sys.exit(7)", ACCEPTED, 1.0),
        ("import sys; print('points'); sys.exit(7)", INTERNAL, 0.0),
        ("import sys; sys.exit(80)", WRONG, 0.3),
        ("import sys; sys.exit(150)", ACCEPTED, 1.0),
        ("import sys; sys.exit(200)", INTERNAL, 0.0),
        ("import os; os.abort()", INTERNAL, 0.0),
        ("while True: pass", INTERNAL, 0.0),
        ("x = bytearray(1 << 30)", INTERNAL, 0.0),
        ("while True: print('x' * 9999)", INTERNAL, 0.0),
    ],
)
def test_whatever_a_checker_does_is_not_the_programs_fault(
    client: Client, checker: str, verdict: str, score: float
) -> None:
    limits = {"cpu_time_s": 0.5, "memory_mb": 64, "output_kb": 64}
    (result,) = run_checker(client, "print(1)", [{"expected": "1"}], checker, limits=limits)
    assert result.verdict.value == verdict
    assert result.score == pytest.approx(score)


def test_a_checker_that_does_not_compile_is_an_internal_error(client: Client) -> None:
    (result,) = run_checker(client, "print(1)", [{"expected": "1"}], "int main() {", language="cpp")
    assert result.verdict == INTERNAL
    assert "compile_error" in result.message


def test_a_checker_gets_the_bytes_as_they_are_and_no_program_that_failed(client: Client) -> None:
    checker = """
import sys
given, output, answer = (open(path, "rb").read() for path in sys.argv[1:])
sys.exit(0 if (given, output, answer) == (b"\\xff in", b"\\x00\\xfe\\r\\n", b"\\xfd\\n") else 1)
"""
    code = "import sys\nsys.stdout.buffer.write(b'\\x00\\xfe\\r\\n')\nif sys.stdin.buffer.read() == b'x': 1 / 0"
    tests = [
        {"stdin_base64": "/yBpbg==", "expected_base64": "/Qo="},
        {"stdin": "x", "expected_base64": "/Qo="},
    ]
    assert [result.verdict.value for result in run_checker(client, code, tests, checker)] == [ACCEPTED, CRASHED]


def test_a_checker_keeps_no_state_between_tests(client: Client) -> None:
    checker = """
import os, sys
places = ("mark", "/tmp/mark", "/dev/shm/mark")
there = [name for name in places if os.path.exists(name)]
for name in places: open(name, "w").close()
sys.exit(1 if there else 0)
"""
    results = run_checker(client, "print(1)", [{"expected": "1"}] * 3, checker)
    assert [result.verdict.value for result in results] == [ACCEPTED] * 3


READS = "import sys\ngiven = open(sys.argv[2]).read()\n"


@pytest.mark.parametrize(
    "checker",
    [
        "import sys\nsys.exit(0",
        "if True:\nprint(1)",
        READS + "import no_such_module",
        READS + "from math import flor",
        READS + "x = math.floor(1.5)",
        READS + "def right(text):\n    return text == wanted\nsys.exit(0 if right(given) else 1)",
        READS + "sys.exti(0)",
        "import sys\nanswer = int(open(sys.argv[3]).read())",
        "import sys\nopen(sys.argv[4])",
        "1 / 0",
    ],
)
@pytest.mark.parametrize("output", ["42", "one", ""])
def test_a_bug_of_a_checker_is_an_internal_error_for_any_output(client: Client, checker: str, output: str) -> None:
    (result,) = run_checker(client, f"print({output!r})", [{"expected": "x"}], checker)
    assert result.verdict.value == INTERNAL, result.message
    assert "Error" in result.message


@pytest.mark.parametrize(
    "checker",
    [
        READS + "number = int(given)",
        READS + "first = given.split()[5]",
        READS + "assert given == 'x', 'no\\nNameError: name is not defined'",
        READS + "for token in given.split('one')[2:]:\n    last = token\nprint(last)",
        READS + "eval(given)",
        READS + "raise Exception(given + '\\nModuleNotFoundError: No module named x')",
        "import pathlib, sys\nint(pathlib.Path(sys.argv[2]).read_text())",
        "import subprocess, sys\nint(subprocess.check_output(['cat', sys.argv[2]]))",
    ],
)
def test_an_output_that_a_checker_cannot_read_is_a_wrong_answer(client: Client, checker: str) -> None:
    (result,) = run_checker(client, "print('one')", [{"expected": "x"}], checker)
    assert result.verdict.value == WRONG, result.message


def test_a_checker_is_the_main_program_of_its_own(client: Client) -> None:
    checker = """
\"\"\"A checker.\"\"\"
from __future__ import annotations
import dataclasses, pickle, sys
@dataclasses.dataclass
class Pair:
    a: int
    b: Undefined
assert __name__ == "__main__" and __doc__ == "A checker." and __file__.endswith("main.py")
assert sys.modules["__main__"].Pair is Pair and pickle.loads(pickle.dumps(Pair(1, 2))) == Pair(1, 2)
assert not {"run", "OutputWatch", "os"} & globals().keys()
if open(sys.argv[2]).read() == "1\\n":
    print("seen")
    sys.exit(0)
"""
    (result,) = run_checker(client, "print(1)", [{"expected": "1"}], checker)
    assert (result.verdict.value, result.message) == (ACCEPTED, "seen")


@pytest.mark.parametrize(
    ("language", "source"),
    [("bash", "if true; then exit 0"), ("javascript", "const a = (;"), ("cpp", "int main( {")],
)
def test_a_checker_that_does_not_parse_is_an_internal_error_in_every_language(
    client: Client, language: str, source: str
) -> None:
    (result,) = run_checker(client, "print(1)", [{"expected": "1"}], source, language=language)
    assert result.verdict.value == INTERNAL, result.message


@pytest.mark.parametrize("language", ["bash", "javascript"])
def test_a_checker_in_a_script_language_decides(client: Client, language: str) -> None:
    source = {
        "bash": 'test "$(cat "$2")" = "$(cat "$3")"',
        "javascript": 'const read = require("fs").readFileSync;'
        "process.exit(read(process.argv[3]).equals(read(process.argv[4])) ? 0 : 1);",
    }[language]
    tests = [{"expected": "1\n"}, {"expected": "2\n"}]
    assert [one.verdict.value for one in run_checker(client, "print(1)", tests, source, language=language)] == [
        ACCEPTED,
        WRONG,
    ]


@pytest.mark.parametrize(
    ("checker", "code"),
    [
        (READS + "while 'loop' in given: pass", "print('loop')"),
        (READS + "x = [bytearray(10_000) for c in given]", "print('x' * 60_000)"),
        (READS + "print(given * 3)", "print('x' * 60_000)"),
    ],
)
def test_an_output_that_drives_a_checker_over_its_limits_is_a_wrong_answer(
    client: Client, checker: str, code: str
) -> None:
    limits = {"cpu_time_s": 0.5, "memory_mb": 64, "output_kb": 64}
    results = run_checker(client, code, [{"expected": "1"}, {}], checker, limits=limits)
    assert [result.verdict.value for result in results] == [WRONG, WRONG], results[0].message
    assert "exceed its limits" in results[0].message


INTERACTOR = """
import sys
secret, asked = int(open(sys.argv[1]).read()), 0
for line in sys.stdin:
    asked += 1
    guess = int(line)
    print("=" if guess == secret else "<" if secret < guess else ">", flush=True)
    if guess == secret:
        print(f"{asked} questions", file=sys.stderr)
        sys.exit(0 if asked <= 7 else 1)
sys.exit(1)
"""
HALVING = """
low, high = 1, 100
while True:
    guess = (low + high) // 2
    print(guess, flush=True)
    answer = input()
    if answer == "=":
        break
    low, high = (low, guess - 1) if answer == "<" else (guess + 1, high)
"""


def run_interactive(client: Client, code: str, interactor: str = INTERACTOR, **fields: Any) -> TestResult:
    limits = fields.pop("limits", {"cpu_time_s": 2, "wall_time_s": 20})
    choice = {"type": "interactive", "language": "python", "code": interactor, "idle_time_s": 0.5, **fields}
    choice["limits"] = {"cpu_time_s": 1}
    (result,) = judge_tests(client, code, [{"stdin": "42", "expected": "7"}], checker=choice, limits=limits)
    return result


@pytest.mark.parametrize(
    ("code", "verdict"),
    [
        (HALVING, ACCEPTED),
        ("for guess in range(1, 101):\n    print(guess, flush=True)\n    if input() == '=':\n        break", WRONG),
        ("print(42)", ACCEPTED),  # ends before the answer arrives
        ("pass", WRONG),
        ("print('x', flush=True)\ninput()", WRONG),
        ("1 / 0", CRASHED),
        ("print(42, flush=True)\ninput()\n1 / 0", CRASHED),
        ("input()", "time_limit_exceeded"),  # both wait: a deadlock
        ("print(1)\ninput()\ninput()", "time_limit_exceeded"),  # its question is still in its buffer
        ("import time\ntime.sleep(60)", "time_limit_exceeded"),  # idle
        ("while True: pass", "time_limit_exceeded"),
        ("x = bytearray(1 << 30)", "memory_limit_exceeded"),
        ("while True:\n    print(1, flush=True)\n    input()", "time_limit_exceeded"),
    ],
)
def test_a_program_and_an_interactor_hold_a_conversation(client: Client, code: str, verdict: str) -> None:
    limits = {"cpu_time_s": 0.5, "wall_time_s": 3, "memory_mb": 64}
    assert run_interactive(client, code, limits=limits).verdict.value == verdict


def test_a_deadlock_is_found_by_its_idle_time_and_says_so(client: Client) -> None:
    result = run_interactive(client, "input()", limits={"cpu_time_s": 0.5, "wall_time_s": 60})
    assert result.message == "program and interactor waited for each other"
    assert result.usage.wall_time_s < 15


@pytest.mark.parametrize(
    ("interactor", "verdict", "score"),
    [
        ("import sys; print('points 5', file=sys.stderr); sys.exit(7)", WRONG, 0.5),
        ("import sys; sys.exit(3)", INTERNAL, 0),
        ("import os; os.abort()", INTERNAL, 0),
        ("while True: pass", INTERNAL, 0),
        ("import sys; print('x' * 1_000_000); sys.exit(0)", ACCEPTED, 1),  # to a program that does not read
        ("import sys; open(sys.argv[2], 'w').write('log'); assert open(sys.argv[3]).read() == '7'", ACCEPTED, 1),
    ],
)
def test_the_interactors_result_decides(client: Client, interactor: str, verdict: str, score: float) -> None:
    result = run_interactive(client, "print(1)", interactor, full_score=10)
    assert (result.verdict.value, result.score) == (verdict, score)


def test_an_interactor_that_has_ended_decides_even_if_the_program_still_writes_to_it(client: Client) -> None:
    late = "import time\ntime.sleep(0.3)\nprint('x' * 200_000)"
    assert run_interactive(client, late, "import sys; sys.exit(0)").verdict.value == ACCEPTED
    assert run_interactive(client, late, "import sys; sys.exit(1)").verdict.value == WRONG


def test_an_interaction_between_two_languages(client: Client) -> None:
    code = r"""
#include <cstdio>
int main() {
    int low = 1, high = 100; char answer;
    do {
        int guess = (low + high) / 2;
        printf("%d\n", guess); fflush(stdout);
        if (scanf(" %c", &answer) != 1) return 1;
        if (answer == '<') high = guess - 1; else low = guess + 1;
    } while (answer != '=');
}
"""
    choice = {"type": "interactive", "language": "python", "code": INTERACTOR}
    result = client.verify({"language": "cpp", "code": code, "tests": [{"stdin": "17"}], "checker": choice})
    assert (result.verdict, result.tests[0].message) == (ACCEPTED, "7 questions")


NEVER_FLUSHES = INTERACTOR.replace(", flush=True", "")
ASKS_A_LINE = "import sys\nprint(50, flush=True)\nsys.stdin.readline()"


@pytest.mark.parametrize(
    "interactor",
    [
        NEVER_FLUSHES,
        "import sys, time\nsys.stdin.readline()\nsys.stdout.write('<\\n')\nsys.stdin.readline()",
        "import time\ntime.sleep(60)",
    ],
)
@pytest.mark.parametrize("code", [HALVING, ASKS_A_LINE])
def test_an_interactor_that_keeps_its_answer_is_to_blame_for_the_silence(
    client: Client, interactor: str, code: str
) -> None:
    result = run_interactive(client, code, interactor, limits={"cpu_time_s": 0.5, "wall_time_s": 10})
    assert result.verdict.value == INTERNAL
    assert "flush" in result.message


@pytest.mark.parametrize(
    "code",
    [
        "import sys\nprint(50, end='', flush=True)\nsys.stdin.readline()",  # the line has no end
        "import time\ntime.sleep(0.9)\nprint(50, flush=True)\nfor _ in range(9): input()",  # asked at the last moment
        "import sys, time\nprint(50, flush=True)\ntime.sleep(60)",  # the answer is already there
        "import sys\nsys.stdin.readline()",
    ],
)
def test_a_program_that_idles_exceeds_the_time_limit(client: Client, code: str) -> None:
    result = run_interactive(client, code, limits={"cpu_time_s": 0.5, "wall_time_s": 10})
    assert result.verdict == "time_limit_exceeded"


def test_a_program_that_floods_its_interactor_is_to_blame(client: Client) -> None:
    patient = "import sys\nfor line in sys.stdin:\n    pass\nsys.exit(0)"
    flood = "while True: print('7' * 1_000)"
    limits = {"cpu_time_s": 5, "wall_time_s": 30, "output_kb": 256}
    result = run_interactive(client, flood, patient, limits=limits)
    assert result.verdict == "output_limit_exceeded"
    greedy = "import sys\nwords = []\nfor line in sys.stdin:\n    words.append(bytearray(100_000))\nsys.exit(0)"
    result = run_interactive(client, "for i in range(20_000): print(i)", greedy, limits=limits)
    assert (result.verdict.value, result.score) == (WRONG, 0)
    assert "exceed its limits" in result.message


def test_an_interactor_reads_all_that_a_program_said_before_it_ended(client: Client) -> None:
    slow = (
        "import sys, time\ntime.sleep(0.3)\ntext = sys.stdin.read()\n"
        "sys.exit(0 if text == 'x' * 3_000_000 + '\\n' else 1)"
    )
    assert run_interactive(client, "print('x' * 3_000_000)", slow).verdict.value == ACCEPTED


@pytest.mark.parametrize(
    "interactor", ["import sys\nsys.exit(", "import numpi", "import sys\nline = sys.stdin.readline()\nprint(lime)"]
)
def test_a_bug_of_an_interactor_is_an_internal_error(client: Client, interactor: str) -> None:
    assert run_interactive(client, "print(1)", interactor).verdict.value == INTERNAL


def test_an_interactor_that_cannot_read_what_a_program_says_calls_it_wrong(client: Client) -> None:
    assert run_interactive(client, "print('x')", "number = int(input())").verdict.value == WRONG
