"""`sandbox problem import`: its files, its summary and its exit codes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sandbox.cli import app
from sandbox.schema import VerifyRequest
from sandbox.schema.reward import TaskSet
from tests.problems.test_rows import APPS, LIVE_CODE_BENCH


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
