"""`sandbox problem study` on a real service: programs in two languages, and an interactive package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.api.app import create_app
from sandbox.cli import app
from sandbox.client import Client
from sandbox.config import ApiSettings
from sandbox.problems.importer import Options, read_package
from sandbox.problems.interactive_tests import judge_submissions
from sandbox.problems.problem import Program
from sandbox.problems.program_outcomes import run_program
from sandbox.problems.vote_study import STEPS
from sandbox.runner.contract import Status
from sandbox.schema import LimitsRequest
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.problems.test_kattis import BASE, write

VALIDATE = "import sys\nline = sys.stdin.read()\nsys.exit(42 if line[:-1].isdigit() else 43)\n"
DOUBLE = "#include <iostream>\nint main() {{ int n; std::cin >> n; std::cout << {}; }}\n"
PACKAGE = {
    **BASE,
    "input_validators/validate.py": VALIDATE,
    "submissions/accepted/right.cpp": DOUBLE.format("n + n"),
    "submissions/wrong_answer/square.py": "print(int(input()) ** 2)\n",
    "submissions/wrong_answer/same.cpp": DOUBLE.format("n"),
    "submissions/time_limit_exceeded/slow.py": "n = int(input())\nwhile n > 2:\n    pass\nprint(n * 2)\n",
}
INTERACTIVE = Path(__file__).with_name("packages") / "guess_the_number"
FATES = """\
#include <cstdio>
int main() {
    volatile int n;
    int read;
    if (std::scanf("%d", &read) != 1) return 1;
    n = read;
    while (n == 2) {}
    if (n == 3) return 0;
    std::printf("%c", read);
}
"""


@pytest.fixture(scope="module")
def url(live_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    settings = ApiSettings(home=tmp_path_factory.mktemp("api"))
    with serve_in_thread(create_app(settings, live_service)) as url:
        yield url


def test_a_study_votes_with_the_programs_of_both_languages(url: str, tmp_path: Path) -> None:
    folder = write(tmp_path / "double", {**PACKAGE, "problem.yaml": BASE["problem.yaml"].replace("1.5", "0.2")})
    out = tmp_path / "out"
    arguments = ["--out", str(out), "--candidates", "4", "--repeats", "3", "--mutants", "1", "--url", url]
    result = CliRunner().invoke(app, ["problem", "study", str(folder), *arguments])
    assert result.exit_code == 0, result.output
    assert "X-Coder, arXiv 2601.06953, n = 16" in result.output
    written = json.loads((out / "votes.json").read_text())
    [problem] = written["problems"]
    assert (problem["right"], problem["inputs"] - problem["invalid_inputs"]) == (2, 2)
    assert 3 <= problem["cpp"] < problem["right"] + problem["wrong"]
    assert [row["step"] for row in written["measures"]] == [step.name for step in STEPS]
    assert written["measures"] == written["groups"]["packages"]
    assert {row["measure"] for row in written["published"]} == {"label_accuracy", "golden_full_pass", "tpr", "tnr"}
    assert (out / "votes.png").read_bytes().startswith(b"\x89PNG")


def test_a_compiled_program_has_an_outcome_and_a_cpu_time_on_each_input(url: str) -> None:
    program = Program(name="fates.cpp", language="cpp", code=FATES)
    with Client(url) as client:
        outcomes = run_program(program, [b"65", b"200", b"2", b"x", b"3"], LimitsRequest(cpu_time_s=0.2), client)
    assert [outcome.status for outcome in outcomes] == [
        Status.OK,
        Status.OK,
        Status.TIME_LIMIT_EXCEEDED,
        Status.RUNTIME_ERROR,
        Status.OK,
    ]
    assert [outcome.stdout for outcome in outcomes] == [b"A", b"\xc8", b"", b"", b""]
    assert all(outcome.usage.wall_time_s > 0 for outcome in outcomes if outcome.ended_well)


def test_the_interactor_judges_the_submissions_of_an_interactive_package(url: str) -> None:
    problem = read_package(INTERACTIVE, Options(runner=NoGenerators()))
    few = [each for each in problem.submissions if each.name.endswith(("/halves.py", "/no_questions.py"))]
    problem = problem.model_copy(update={"submissions": tuple(few), "tests": problem.tests[:2]})
    with Client(url) as client:
        rates = judge_submissions(problem, client)
    assert (rates.right, rates.right_passing, rates.wrong, rates.wrong_failing) == (1, 1, 1, 1)


class NoGenerators:
    """Replaces the generator, whose test is not judged here."""

    def run(self, program: Program, args: Sequence[str], stdin: bytes) -> bytes:
        return b"3 2\n" if program.name.endswith("gen.py") else b""
