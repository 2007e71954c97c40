"""A thorough run on tasks with known answers, and votes with checker programs of a model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.client import AsyncClient
from sandbox.synth.resumable_jsonl import Unit, read_records
from sandbox.synth.run_config import RunConfig
from sandbox.synth.stages.checkers import _parse_checker
from sandbox.synth.stages.votes import run_vote
from sandbox.synth.training_plan import TrainingData
from tests.synth.conftest import CommandLine, read_lines, write_lines
from tests.synth.scripted_model import ScriptedModel

ACCEPTS_ALL = "pass"
ACCEPTS_SUMS = """\
# any order
import sys
n, printed = int(open(sys.argv[1]).read()), open(sys.argv[2]).read().split()
sys.exit(len(printed) != 2 or int(printed[0]) + int(printed[1]) != n)
"""
SUMS = ("print(1, n - 1)", "print(n - 2, 2)", "print(3, n - 3)", "print(n, 1)")


@pytest.mark.timeout(300)
def test_a_thorough_run_measures_its_tests_and_its_labels_are_right(
    sandbox: CommandLine, model: ScriptedModel, tmp_path: Path
) -> None:
    statements, folder = tmp_path / "toys.jsonl", tmp_path / "run"
    sandbox("synth", "toy-tasks", statements, "--number", "3")
    sandbox("synth", "new", folder, "--statements", statements, "--model", "scripted", "--solutions", "8",
            "--tasks", "3", "--thorough", "--seed", "1")  # fmt: skip
    recipe = json.loads((folder / "recipe.json").read_bytes())
    (folder / "recipe.json").write_text(json.dumps({**recipe, "mutants": 5, "sizes": 3, "random_inputs": 2}))
    sandbox("synth", "run", folder, "--llm-url", model.url, "--concurrency", "4")
    sized = [given for line in read_records(folder / "inputs.jsonl") for given in line["inputs"] if "size" in given]
    assert {given["size"] for given in sized} == {1, 22, 500}
    assert all(len(given["stdin"].split()) >= given["size"] for given in sized)
    votes = read_records(folder / "votes.jsonl")
    assert all(vote["quality"]["mutants"] == 5 for vote in votes if vote.get("labelled"))
    point = json.loads(sandbox("synth", "study", "truth", folder, "--json"))
    assert point == json.loads((folder / "studies" / "truth.json").read_bytes())
    assert (point["tasks"], point["accuracy"], point["golden_right"]) == (3, 1.0, 1.0)
    assert point["labels"] > 10
    rows = read_lines(folder / "dataset" / "rl.jsonl")
    assert all(row["quality"]["mutation_score"] >= 0.5 for row in rows)
    weak = [vote["key"] for vote in votes if vote.get("labelled") and vote["quality"]["mutation_score"] < 0.5]
    assert not {row["name"] for row in rows}.intersection(weak)


async def test_a_checker_decides_only_if_its_calibration_trusts_it(url: str) -> None:
    candidates = [{"key": f"t/{n}", "code": f"n = int(input())\n{line}", "dropped": ""} for n, line in enumerate(SUMS)]
    inputs = [{"stdin": f"{n}\n", "kind": "random"} for n in (10, 21)]
    config = RunConfig(examples=Path("x"), model="m")
    async with AsyncClient(url) as client:
        for checkers, labelled in (([ACCEPTS_ALL, ACCEPTS_SUMS], 2), ([ACCEPTS_ALL], 0)):
            unit = Unit("t", {"inputs": inputs, "candidates": candidates, "checkers": checkers})
            record = await run_vote(unit, client, config)
            assert record["labelled"] == labelled
            assert record["test_set"]["checker"]["code"] == checkers[-1]
            assert record["why"] == ("" if labelled else "untrusted checker")


async def test_brute_force_programs_take_the_vote_of_a_wrong_majority(url: str) -> None:
    right, wrong = "print(sum(map(int, input().split())))", "print(max(map(int, input().split())))"
    codes = [right, right, wrong, wrong, wrong]
    candidates = [{"key": f"t/{n}", "code": f"# {n}\n{code}", "dropped": ""} for n, code in enumerate(codes)]
    inputs = [{"stdin": text, "kind": "random"} for text in ("1 2\n", "3 4\n")]
    config = RunConfig(examples=Path("x"), model="m")
    async with AsyncClient(url) as client:
        for brutes, golden, label in (([], wrong, "2\n"), ([right], right, "3\n")):
            record = await run_vote(
                Unit("t", {"inputs": inputs, "candidates": candidates, "brutes": brutes}), client, config
            )
            assert codes[int(record["golden"].rpartition("/")[2])] == golden
            assert record["test_set"]["tests"][0]["expected"] == label
            assert record["pass_rate"] == codes.count(golden) / 5


def test_an_answer_about_a_checker_is_a_program_or_says_that_one_output_is_right() -> None:
    assert _parse_checker("There is exactly One Answer.") == ""
    assert _parse_checker("Not one answer:\n```python\npass\n```") == "pass"


def test_training_leaves_out_tasks_with_a_checker_of_their_own() -> None:
    rows: list[dict[str, Any]] = [
        {"name": str(n), "prompt": "p", "tests": [{"stdin": "", "expected": "1"}]} for n in range(6)
    ]
    rows[3]["checker"] = {"type": "program", "language": "python", "code": "pass"}
    answer = {"role": "assistant", "content": "```python\nprint(1)\n```"}
    data = TrainingData.from_rows([{"name": row["name"], "messages": [answer]} for row in rows], rows, seed=1)
    assert not any("checker" in row for row in data.rl + data.held_out)
    assert len(data.list_references()) == len(data.rl) == 4


def test_a_run_has_examples_or_statements(sandbox: CommandLine, tmp_path: Path) -> None:
    rows = write_lines(tmp_path / "tasks.jsonl", [{"statement": ""}])
    assert "give either examples or statements" in sandbox.run_failing("synth", "new", tmp_path / "a", "--model", "m")
    folder = tmp_path / "b"
    sandbox("synth", "new", folder, "--model", "m", "--statements", rows)
    assert "line 1 has no text as `statement`" in sandbox.run_failing("synth", "run", folder, "--until", "tasks")
