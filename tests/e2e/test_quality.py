"""The quality of tests through the real service: real boxes judge the packages of `tests/problems` and mutants."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sandbox.cli import app
from sandbox.client import Client
from sandbox.errors import IdempotencyKeyReused
from sandbox.schema.quality import QualityResult

PACKAGES = Path(__file__).parents[1] / "problems" / "packages"
MAXIMUM = """\
numbers = list(map(int, input().split()))
best = numbers[0]
for number in numbers[1:]:
    if number > best:
        best = number
print(best)
"""
WEAK = [{"stdin": "1 2\n", "expected": "2\n"}, {"stdin": "3 9\n", "expected": "9\n"}]


def run_command(*words: str, url: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["quality", *words, "--url", url])
    assert result.stdout, result.output
    return result.exit_code, result.stdout


def test_a_package_tells_right_from_wrong(url: str, tmp_path: Path) -> None:
    page, picture = tmp_path / "report.html", tmp_path / "matrix.png"
    options = ("--json", "--html", str(page), "--png", str(picture))
    code, output = run_command(str(PACKAGES / "pair_with_sum"), *options, url=url)
    report = QualityResult.model_validate_json(output)
    assert (code, report.tpr, report.tnr, report.verifier_accuracy) == (0, 1.0, 1.0, True)
    assert report.unjudged == report.survivors == report.fail_right == []
    wrong = [program for program in report.programs if program.kind == "wrong"]
    assert len(wrong) >= 7
    kept = set(report.smallest_suite.tests)
    assert all(kept & set(program.killed_by) for program in wrong)
    assert len(kept) < len(report.tests)
    html = page.read_text(encoding="utf-8")
    assert all(program.name in html for program in report.programs)
    assert html.count("<td class=") == len(report.programs) * len(report.tests)
    assert "http" not in html
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_weak_suite_lets_a_wrong_program_pass(client: Client, url: str, tmp_path: Path) -> None:
    body = {
        "tests": WEAK,
        "right": [MAXIMUM, {"language": "cpp", "code": "int main( {}"}],
        "wrong": [{"name": "last", "code": "print(input().split()[-1])"}, "print(2)"],
    }
    report = client.quality(body)
    assert (report.tpr, report.tnr, report.verifier_accuracy) == (1.0, 0.5, False)
    assert (report.survivors, report.not_compiled, report.kill_nothing) == ([2], [1], [0])
    path = tmp_path / "request.json"
    path.write_text(json.dumps(body))
    code, output = run_command(str(path), url=url)
    assert code == 1
    assert "wrong, but passes: last" in output
    assert "not compiled: right 1" in output


def test_inputs_separate_missed_mutants_from_equivalent_ones(client: Client) -> None:
    body: dict[str, Any] = {
        "tests": WEAK,
        "right": [MAXIMUM],
        "mutants": {"count": 100, "seed": 1},
        "limits": {"cpu_time_s": 1},
    }
    alone = client.quality(body)
    assert alone.tnr is None
    assert alone.mutation_score is not None
    assert 0 < alone.mutation_score < 1
    report = client.quality({**body, "inputs": ["2 1\n", "5\n", "1 3 2\n", "-4 -4 -9\n", "none\n"]})
    assert report.unused_inputs == [4]
    assert report.mutation_score == alone.mutation_score
    assert report.tnr is not None
    assert alone.mutation_score < report.tnr < 1
    assert set(report.survivors) | set(report.equivalent_candidates) == set(alone.equivalent_candidates)
    equivalent = {report.programs[row].mutation.after for row in report.equivalent_candidates}  # type: ignore[union-attr]
    assert "number >= best" in equivalent
    for row in report.survivors:
        assert report.programs[row].differs_on


def test_the_same_request_makes_the_same_report(client: Client) -> None:
    body = {"tests": WEAK, "right": [MAXIMUM], "mutants": {"count": 15}, "limits": {"cpu_time_s": 1}}
    first, second = client.quality(body), client.quality(body)
    assert first.matrix == second.matrix
    assert [program.code for program in first.programs] == [program.code for program in second.programs]


@pytest.mark.parametrize(
    ("content", "message"),
    [('{"tests": [], "right": ["x"]}', "tests: List should have at least 1 item"), ("[", "Invalid JSON")],
)
def test_an_invalid_file_is_a_usage_error(content: str, message: str, url: str, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(content)
    result = CliRunner().invoke(app, ["quality", str(path), "--url", url])
    assert result.exit_code == 2
    assert message in result.stderr


def test_mutants_of_a_file_are_set_in_the_file(url: str, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    path.write_text(json.dumps({"tests": WEAK, "right": [MAXIMUM]}))
    for options in (["--mutants", "5"], ["--seed", "0"]):
        result = CliRunner().invoke(app, ["quality", str(path), *options, "--url", url])
        assert result.exit_code == 2
        assert "set mutants.count and mutants.seed in the file" in result.stderr


def test_a_right_program_that_does_not_compile_fails_the_command(url: str, tmp_path: Path) -> None:
    path = tmp_path / "request.json"
    body = {"tests": WEAK, "right": [MAXIMUM], "wrong": ["print(1)", {"language": "cpp", "code": "int main( {}"}]}
    path.write_text(json.dumps(body))
    assert run_command(str(path), url=url)[0] == 0
    path.write_text(json.dumps({**body, "right": [MAXIMUM, {"language": "cpp", "code": "int main( {}"}]}))
    assert run_command(str(path), url=url)[0] == 1


def test_a_key_stands_for_the_whole_report(client: Client) -> None:
    body = {
        "tests": WEAK,
        "right": [MAXIMUM],
        "mutants": {"count": 12},
        "inputs": ["2 1\n"],
        "limits": {"cpu_time_s": 1},
    }
    first = client.quality(body, idempotency_key="quality-1")
    assert client.quality(body, idempotency_key="quality-1") == first  # CPU times included: nothing ran again
    with pytest.raises(IdempotencyKeyReused):
        client.quality({**body, "tests": WEAK[:1]}, idempotency_key="quality-1")


def test_mutants_of_a_cpp_program_are_killed_or_known_to_be_equivalent(client: Client) -> None:
    code = """
#include <iostream>
int main() {
    long long n, total = 0, value;
    std::cin >> n;
    for (int i = 0; i < n; i++) {
        std::cin >> value;
        total += value * value;
    }
    std::cout << total;
}
"""
    tests = [{"stdin": "3\n1 2 3\n", "expected": "14"}, {"stdin": "2\n100000 100000\n", "expected": "20000000000"}]
    request = {"language": "cpp", "right": [code], "wrong": [], "tests": tests, "inputs": ["1\n5\n", "0\n", "2\n7 1\n"]}
    report = client.quality({**request, "mutants": {"count": 24, "seed": 1}, "limits": {"cpu_time_s": 1.0}})
    mutants = [program for program in report.programs if program.kind == "mutant"]
    assert len(mutants) >= 15
    assert {program.mutation.operator for program in mutants if program.mutation} >= {
        "boundary",
        "integer_type",
        "step",
    }
    assert report.unjudged == []
    assert report.tnr == 1.0, [report.programs[position].mutation for position in report.survivors]
    not_compiled = [report.programs[position] for position in report.not_compiled]
    assert all(program.kind == "mutant" and not program.killed_by and program.message for program in not_compiled)
