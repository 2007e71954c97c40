"""Votes through the real service: realistic candidates, and `sandbox vote` on a file of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from sandbox.client import Client
from sandbox.errors import BadRequest
from sandbox.runner.contract import Verdict
from sandbox.schema.vote import VoteResult
from sandbox.verify.voting import NoLabel
from tests.virtualenvs import ROOT

SUM = "print(sum(map(int, input().split())))"
ALSO_SUM = "a, b = map(int, input().split())\nprint(a + b)"
PRODUCT = "a, b = map(int, input().split())\nprint(a * b)"
CRASHING = "a, b = map(int, input().split())\nprint(a + b)\nraise SystemExit(3)"
ENDLESS_AFTER_THE_FIRST = "a, b = map(int, input().split())\nwhile a > 1: pass\nprint(a + b)"
NEVER_THE_SAME = "import os\nprint(os.urandom(8).hex())"
INPUTS = ["1 2\n", "3 4\n", "2 5\n", "6 7\n"]
COMMAND_TIMEOUT_S = 100


def run_vote(client: Client, *codes: str, **policy: Any) -> VoteResult:
    return client.vote(
        {
            "candidates": [{"language": "python", "code": code} for code in codes],
            "inputs": INPUTS,
            "policy": {"golden_tie": "first", **policy},
        }
    )


def read_labels(result: VoteResult) -> list[str | None]:
    return [label.expected for label in result.labels]


def test_a_wrong_majority_labels_wrongly_and_the_right_one_dissents(client: Client) -> None:
    result = run_vote(client, SUM, PRODUCT, PRODUCT)
    assert read_labels(result) == ["2\n", "12\n", "10\n", "42\n"]
    assert [label.dissenters for label in result.labels] == [[0]] * 4
    assert (result.golden.index, result.golden.accepted) == (1, True)
    assert [row[0] for row in result.matrix] == ["wrong_answer", "accepted", "accepted"]


def test_a_tie_is_reported_and_labels_nothing_unless_the_policy_breaks_it(client: Client) -> None:
    result = run_vote(client, SUM, PRODUCT, ALSO_SUM, PRODUCT)
    assert read_labels(result) == [None] * 4
    assert all(label.tie and label.why is NoLabel.TIE for label in result.labels)
    assert (result.golden.index, result.golden.accepted) == (None, False)
    assert not result.test_set.tests
    assert read_labels(run_vote(client, SUM, PRODUCT, ALSO_SUM, PRODUCT, tie="first")) == ["3\n", "7\n", "7\n", "13\n"]


def test_a_crashing_candidate_has_no_vote_whatever_it_printed(client: Client) -> None:
    result = run_vote(client, CRASHING, SUM, ALSO_SUM)
    assert [label.votes for label in result.labels] == [2] * 4
    assert [label.abstained for label in result.labels] == [[0]] * 4
    assert result.matrix[0] == ["runtime_error"] * 4
    assert result.candidates[0].score == 0
    assert result.golden.index == 1


def test_a_candidate_that_prints_something_else_each_time_is_outvoted(client: Client) -> None:
    result = run_vote(client, NEVER_THE_SAME, SUM, ALSO_SUM)
    assert read_labels(result) == ["3\n", "7\n", "7\n", "13\n"]
    assert [label.dissenters for label in result.labels] == [[0]] * 4


def test_one_program_with_different_outputs_abstains(client: Client) -> None:
    """Both sources are the same program, so they have one vote, and none because their outputs differ."""
    result = run_vote(client, NEVER_THE_SAME, NEVER_THE_SAME, SUM, ALSO_SUM, one_vote_per_program=True)
    assert [candidate.same_as for candidate in result.candidates] == [0, 0, 2, 3]
    assert [label.abstained for label in result.labels] == [[0, 1]] * 4
    assert read_labels(result) == ["3\n", "7\n", "7\n", "13\n"]


def test_a_candidate_that_times_out_is_not_run_on_further_inputs_if_so_asked(client: Client) -> None:
    request = {
        "candidates": [{"language": "python", "code": code} for code in (SUM, ALSO_SUM, ENDLESS_AFTER_THE_FIRST)],
        "inputs": INPUTS,
        "limits": {"cpu_time_s": 0.2},
        "stop_after_timeouts": 1,
    }
    result = client.vote(request)
    assert read_labels(result) == ["3\n", "7\n", "7\n", "13\n"]
    assert [verdict.value for verdict in result.matrix[2]] == ["accepted", *["time_limit_exceeded"] * 3]
    assert [row.count(Verdict.ACCEPTED) for row in result.matrix] == [4, 4, 1]


def test_roles_decide_who_votes_and_what_is_reported(client: Client) -> None:
    programs = [("candidate", PRODUCT), ("candidate", PRODUCT), ("candidate", SUM), ("reference", ALSO_SUM)]
    programs += [("wrong", PRODUCT), ("wrong", SUM), ("slow", "while True: pass")]
    result = client.vote(
        {
            "candidates": [{"language": "python", "code": code, "role": role} for role, code in programs],
            "inputs": INPUTS[:2],
            "limits": {"cpu_time_s": 0.5},
        }
    )
    assert read_labels(result) == ["3\n", "7\n"]
    assert all(label.by_reference and label.dissenters == [0, 1] and label.cast == 3 for label in result.labels)
    assert [candidate.role_kept for candidate in result.candidates] == [None, None, None, True, True, False, True]
    assert (result.golden.index, result.golden.accepted) == (2, True)


def test_without_a_candidate_there_is_no_vote_and_without_one_that_runs_no_label(client: Client) -> None:
    with pytest.raises(BadRequest, match="candidates"):
        run_vote(client)
    result = run_vote(client, CRASHING, "print(")
    assert read_labels(result) == [None] * 4
    assert (result.golden.index, result.golden.accepted) == (None, False)
    assert result.matrix == [["runtime_error"] * 4] * 2


def make_problem(number: int) -> dict[str, Any]:
    """Make a problem whose candidates take a while, so that a kill interrupts votes in progress."""
    wait = "sum(range(300_000))\n"
    codes = [f"{wait}{code[:-1]} + {number})" for code in (SUM, ALSO_SUM)] + [wait + PRODUCT]
    candidates = [{"language": "python", "code": code} for code in codes]
    return {"candidates": candidates, "inputs": INPUTS, "policy": {"golden_tie": "first"}}


def start_vote(url: str, *words: str | Path) -> subprocess.Popen[str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SANDBOX_")}
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox", "vote", *map(str, words), "--url", url],
        env=ours,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def read_stable_results(out: Path) -> list[Any]:
    """Return the results without the fields that differ in every run."""
    lines = [json.loads(line) for line in out.read_bytes().splitlines()]
    for line in lines:
        for name in ("id", "queue_time_s", "run_time_s"):
            line.pop(name)
        for candidate in line["candidates"]:
            candidate.pop("cpu_time_s")
    return lines


@pytest.mark.timeout(400)
def test_a_killed_command_resumes_and_ends_with_the_same_result(url: str, tmp_path: Path) -> None:
    problems, killed, whole = tmp_path / "problems.jsonl", tmp_path / "killed.jsonl", tmp_path / "whole.jsonl"
    problems.write_text("".join(json.dumps(make_problem(number)) + "\n" for number in range(8)), encoding="utf-8")
    process = start_vote(url, problems, "--out", killed, "--at-once", "2")
    deadline = time.monotonic() + COMMAND_TIMEOUT_S
    while not killed.exists() or not killed.read_bytes().count(b"\n"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    done = killed.read_bytes().count(b"\n")
    assert done < 8
    with killed.open("ab") as file:
        file.write(b'{"line": 5, "prob')

    said, steps = start_vote(url, problems, "--out", killed).communicate(timeout=COMMAND_TIMEOUT_S)
    assert f"has {done} of 8 results; continuing after them" in steps
    start_vote(url, problems, "--out", whole).communicate(timeout=COMMAND_TIMEOUT_S)
    assert read_stable_results(killed) == read_stable_results(whole)
    assert [line["line"] for line in read_stable_results(whole)] == list(range(1, 9))
    assert [line["labels"][0]["expected"] for line in read_stable_results(whole)] == [
        f"{3 + number}\n" for number in range(8)
    ]
    rows = [[cell.strip() for cell in line.split("│")[1:3]] for line in said.splitlines() if "│" in line]
    assert [row for row in rows if row[0] in {"problems", "golden accepted", "inputs labelled"}] == [
        ["problems", "8"],
        ["golden accepted", "8"],
        ["inputs labelled", "32"],
    ]


def test_results_on_standard_output_have_their_summary_on_stderr(url: str, tmp_path: Path) -> None:
    problems = tmp_path / "problems.jsonl"
    problems.write_text(json.dumps(make_problem(0)) + "\n", encoding="utf-8")
    voting = start_vote(url, problems, "--out", "-")
    results, errors = voting.communicate(timeout=COMMAND_TIMEOUT_S)
    assert voting.returncode == 0, errors
    assert [json.loads(line)["line"] for line in results.splitlines()] == [1]
    assert "golden accepted" in errors


def test_bad_problems_and_a_foreign_result_file_end_it_before_any_vote(url: str, tmp_path: Path) -> None:
    problems, out = tmp_path / "problems.jsonl", tmp_path / "out.jsonl"
    problems.write_text(json.dumps(make_problem(0)) + '\n{"candidates": []}\n', encoding="utf-8")
    bad = start_vote(url, problems, "--out", out)
    assert "problems.jsonl, line 2: candidates" in bad.communicate(timeout=COMMAND_TIMEOUT_S)[1]
    assert bad.returncode == 2
    assert not out.exists()
    problems.write_text(json.dumps(make_problem(0)) + "\n", encoding="utf-8")
    out.write_text('{"line": 1, "problem": "of somebody else"}\n', encoding="utf-8")
    foreign = start_vote(url, problems, "--out", out)
    assert "contains the results of another input" in foreign.communicate(timeout=COMMAND_TIMEOUT_S)[1]
    assert foreign.returncode == 2
    assert out.read_text().count("somebody") == 1
