"""`sandbox problem import`: its files, its summary and its exit codes."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sandbox.cli import app
from sandbox.schema import VerifyRequest
from sandbox.schema.reward import TaskSet
from tests.problems.test_kattis import BASE
from tests.problems.test_kattis import write as write_package
from tests.problems.test_rows import APPS, CODE_CONTESTS, LIVE_CODE_BENCH


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    bad = {**LIVE_CODE_BENCH, "private_test_cases": ""}
    path.write_text("\n".join(map(json.dumps, [APPS, bad, LIVE_CODE_BENCH])) + "\n{\n")
    return path


def run(*arguments: Any) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["problem", "import", *map(str, arguments)])
    return result.exit_code, result.stdout, result.stderr


def test_an_unsupported_row_stops_the_command_before_it_writes(rows: Path, tmp_path: Path) -> None:
    out = tmp_path / "tasks.jsonl"
    out.write_text("before")
    code, _, errors = run(rows, "--out", out)
    assert code == 1
    assert "row 2: private_test_cases: is missing or empty" in errors
    assert "row 4: row: is not JSON" in errors
    assert out.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rows.jsonl", "tasks.jsonl"]


def test_skip_unsupported_writes_the_others_and_lists_what_it_skipped(rows: Path, tmp_path: Path) -> None:
    out, task_set, runs = tmp_path / "tasks.jsonl", tmp_path / "set.json", tmp_path / "runs.jsonl"
    code, stdout, errors = run(
        *(rows, "--out", out, "--set", task_set, "--submissions", runs, "--skip-unsupported"),
    )
    assert code == 3
    assert "skipped row 2: private_test_cases" in errors
    assert stdout == "2 tasks (1 apps, 1 live-code-bench), 2 skipped\n"
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["name"] for line in lines] == ["7", "abc7_a"]
    tasks = TaskSet.model_validate_json(task_set.read_text()).tasks
    assert [task.model_dump(mode="json", exclude_unset=True) for task in tasks.values()] == [
        line["task"] for line in lines
    ]
    (request,) = [VerifyRequest.model_validate_json(line) for line in runs.read_text().splitlines()]
    assert (request.language, request.code) == ("python", "print(int(input()) * 2)")


def test_the_summary_as_json(rows: Path, tmp_path: Path) -> None:
    code, stdout, _ = run(rows, "--out", tmp_path / "tasks.jsonl", "--skip-unsupported", "--json")
    assert code == 3
    summary = json.loads(stdout)
    assert (summary["tasks"], [each["place"] for each in summary["skipped"]]) == (2, ["row 2", "row 4"])


def test_a_name_that_occurs_twice_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([APPS, APPS]))
    code, _, errors = run(path, "--out", tmp_path / "tasks.jsonl")
    assert code == 1
    assert "7: name: another problem has the same name" in errors


def test_a_row_with_an_invalid_value_is_skipped(tmp_path: Path) -> None:
    path, out = tmp_path / "rows.json", tmp_path / "tasks.jsonl"
    pairs = {"input": ["1"] * 10_001, "output": ["2"] * 10_001}
    rows = [{**APPS, "problem_id": "x" * 256}, {**CODE_CONTESTS, "private_tests": pairs}, LIVE_CODE_BENCH]
    path.write_text(json.dumps(rows))
    code, stdout, errors = run(path, "--out", out, "--skip-unsupported")
    assert (code, stdout) == (3, "1 task (1 live-code-bench), 2 skipped\n")
    assert "skipped row 1: row.name: String should have at most 255 characters" in errors
    assert "skipped row 2: row.tests: Tuple should have at most 10000 items" in errors


def test_a_problem_that_no_task_can_hold_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    tests = {"fn_name": "f" * 250, "inputs": [[1]], "outputs": [[2]]}
    huge = {**APPS, "problem_id": 8, "memory_limit": "9" * 400}
    long_name = {**APPS, "input_output": json.dumps(tests), "starter_code": "class Solution:"}
    path.write_text(json.dumps([long_name, huge, LIVE_CODE_BENCH]))
    code, stdout, errors = run(path, "--out", tmp_path / "tasks.jsonl", "--skip-unsupported")
    assert (code, stdout) == (3, "1 task (1 live-code-bench), 2 skipped\n")
    assert "skipped 7: task.entry_point" in errors
    assert "skipped row 2: row: has an invalid value: " in errors


def test_a_package_at_the_root_of_an_archive_is_named_after_it(tmp_path: Path) -> None:
    archive = shutil.make_archive(str(tmp_path / "double"), "zip", write_package(tmp_path / "folder", BASE))
    out = tmp_path / "tasks.jsonl"
    assert run(archive, "--out", out)[0] == 0
    assert json.loads(out.read_text())["name"] == "double"


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_damaged_archive_is_an_error(tmp_path: Path, method: int) -> None:
    path = tmp_path / "double.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("problem.yaml", " ".join(map(str, range(1000))))
    data, begin = bytearray(path.read_bytes()), 30 + len("problem.yaml")
    for place in (begin, begin + 1, begin + 500):
        data[place] ^= 0xFF
    path.write_bytes(data)
    code, _, errors = run(path, "--out", tmp_path / "tasks.jsonl")
    assert code == 2
    assert "cannot be extracted" in errors


def test_the_format_must_fit_the_source(rows: Path, tmp_path: Path) -> None:
    package = write_package(tmp_path / "double", BASE)
    code, _, errors = run(rows, "--out", tmp_path / "tasks.jsonl", "--format", "kattis")
    assert code == 2
    assert "has rows, but the format kattis is for packages" in errors
    code, _, errors = run(package, "--out", tmp_path / "tasks.jsonl", "--format", "apps")
    assert code == 1
    assert "is a package, but the format apps is for rows" in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "spoj"], "unknown format 'spoj'"),
        (["--out", "/nowhere/tasks.jsonl"], "cannot read or write"),
    ],
)
def test_usage_errors_exit_with_2(rows: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    code, _, errors = run(rows, "--out", tmp_path / "tasks.jsonl", *arguments)
    assert code == 2
    assert message in errors


def test_a_folder_without_packages_is_an_error(tmp_path: Path) -> None:
    code, _, errors = run(tmp_path, "--out", tmp_path / "tasks.jsonl")
    assert code == 2
    assert "has no package" in errors
