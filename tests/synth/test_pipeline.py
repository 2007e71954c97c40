"""A whole synthesis through the real service with a scripted model, and the same with kills in between."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from sandbox.client import Client
from sandbox.schema.gpu import GrpoRequest, SftRequest
from sandbox.synth.resumable_jsonl import read_records
from tests.synth.conftest import EXAMPLES, CommandLine, read_lines, write_lines
from tests.synth.scripted_model import ScriptedModel, find_task

FILES = ("features", "evolved", "tasks", "inputs", "solutions", "votes", "dataset/sft", "dataset/rl")


def create_run(sandbox: CommandLine, folder: Path, tasks: int = 4, solutions: int = 6) -> Path:
    examples = write_lines(folder.parent / "examples.jsonl", [{"code": code} for code in EXAMPLES])
    sandbox("synth", "new", folder, "--examples", examples, "--model", "scripted", "--rounds", "1", "--seed", "3",
            "--tasks", str(tasks), "--solutions", str(solutions))  # fmt: skip
    return folder


def run(sandbox: CommandLine, folder: Path, model: ScriptedModel, *more: str) -> None:
    sandbox("synth", "run", folder, "--llm-url", model.url, "--concurrency", "4", *more)


def read_content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / f"{name}.jsonl").read_bytes() for name in FILES}


def kill_stage_after(line_count: int, sandbox: CommandLine, folder: Path, name: str, model: ScriptedModel) -> None:
    """Start a stage and kill the command after this many lines, before the stage is complete."""
    path = folder / f"{name}.jsonl"
    process = sandbox.start("synth", "stage", name, folder, "--llm-url", model.url, "--concurrency", "1")
    deadline = time.monotonic() + 60
    while not path.exists() or path.read_bytes().count(b"\n") < line_count:
        assert process.poll() is None, process.communicate()[1].decode()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.kill()
    process.communicate()
    assert not json.loads((folder / f"{name}.state.json").read_bytes())["complete"]
    with path.open("ab") as file:
        file.write(b'{"key": "half a li')


@pytest.mark.timeout(600)
def test_a_run_ends_in_data_that_is_right_and_a_killed_one_in_the_same(
    sandbox: CommandLine, model: ScriptedModel, url: str, tmp_path: Path
) -> None:
    whole = create_run(sandbox, tmp_path / "whole")
    run(sandbox, whole, model)
    killed = create_run(sandbox, tmp_path / "killed")
    run(sandbox, killed, model, "--until", "inputs")
    model.delay_s = 0.05
    kill_stage_after(7, sandbox, killed, "solutions", model)
    model.delay_s = 0.0
    sandbox("synth", "stage", "solutions", killed, "--llm-url", model.url)
    kill_stage_after(1, sandbox, killed, "votes", model)
    run(sandbox, killed, model)
    assert read_content(killed) == read_content(whole)

    _check_labels(whole, url)
    _check_summary(sandbox, whole, model)
    _check_studies(sandbox, whole)
    asked = len(model.asked_kinds)
    run(sandbox, whole, model)
    assert len(model.asked_kinds) == asked, "what is complete is not asked for again"


def _check_labels(folder: Path, url: str) -> None:
    """Check that the reference solutions agree with the voted labels, and the golden solutions with both."""
    rows = read_lines(folder / "dataset" / "rl.jsonl")
    assert rows
    with Client(url) as client:
        for row in rows:
            result = client.verify(
                {"language": "python", "code": find_task(row["prompt"]).solution, "tests": row["tests"]}
            )
            assert result.verdict == "accepted", row
    chats = read_lines(folder / "dataset" / "sft.jsonl")
    assert {chat["name"] for chat in chats} <= {row["name"] for row in rows}
    assert all("```python" in chat["messages"][-1]["content"] for chat in chats)


def _check_summary(sandbox: CommandLine, folder: Path, model: ScriptedModel) -> None:
    said = sandbox("synth", "summary", folder, "--json", "--price-in", "2", "--price-out", "10")
    rows = {row["stage"]: row for row in json.loads(said)}
    assert rows["tasks"]["lines"] == 4
    assert rows["solutions"]["lines"] == 24
    dropped = [line for line in read_records(folder / "solutions.jsonl") if line["dropped"]]
    assert rows["solutions"]["kept"] == 24 - len(dropped)
    for row in rows.values():
        assert row["cost"] == round((2 * row["prompt_tokens"] + 10 * row["completion_tokens"]) / 1e6, 6)
    assert rows["solutions"]["completion_tokens"] == sum(
        len(line["completion"].split()) for line in read_records(folder / "solutions.jsonl")
    )


def _check_studies(sandbox: CommandLine, folder: Path) -> None:
    """Check that the budget study votes for real, and that the other studies produce valid GPU requests."""
    sandbox("synth", "study", "budget", folder, "--solutions", "8")
    points = json.loads((folder / "studies" / "budget.json").read_bytes())
    assert [(point["tasks"], point["solutions"]) for point in points] == [(4, 2), (2, 4)]
    assert all(point["agreement"] is None or point["agreement"] >= 0.5 for point in points)
    sandbox("synth", "study", "labels", folder, "--wrong", "0", "--wrong", "0.5")
    bodies = [json.loads((folder / f"studies/labels/{share}.request.json").read_bytes()) for share in ("0", "0.5")]
    requests = [GrpoRequest.model_validate({"model": "m", **body}) for body in bodies]
    assert requests[0].held_out == requests[1].held_out
    assert requests[0].tasks != requests[1].tasks
    sandbox("synth", "study", "scaling", folder, "--part", "1")
    body = json.loads((folder / "studies/scaling/1.request.json").read_bytes())
    assert SftRequest.model_validate({"model": "m", **body}).rows


@pytest.mark.timeout(300)
def test_a_changed_recipe_is_an_error_that_names_the_file(
    sandbox: CommandLine, model: ScriptedModel, tmp_path: Path
) -> None:
    folder = create_run(sandbox, tmp_path / "run")
    run(sandbox, folder, model, "--until", "evolved")
    run_config = json.loads((folder / "recipe.json").read_bytes())
    (folder / "recipe.json").write_text(json.dumps({**run_config, "rounds": 2}), encoding="utf-8")
    said = sandbox.run_failing("synth", "run", folder, "--llm-url", model.url)
    assert "evolved.jsonl was begun with another recipe" in said
    (folder / "evolved.jsonl").unlink()
    run(sandbox, folder, model, "--until", "evolved")
    assert {line["key"][0] for line in read_records(folder / "evolved.jsonl")} == {"1", "2"}
    assert "the stage inputs is not complete" in sandbox.run_failing("synth", "stage", "votes", folder)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "stage", "lines"),
    [("# Extract features", "features", 2), ("# Write a task", "tasks", 2), ("# Solve a task", "solutions", 4)],
)
def test_a_stage_that_leaves_nothing_ends_the_run_and_says_so_behind_the_yields(
    sandbox: CommandLine, model: ScriptedModel, tmp_path: Path, kind: str, stage: str, lines: int
) -> None:
    """The model is too small for a prompt, or the prompt too long for the model."""
    folder = create_run(sandbox, tmp_path / "run", tasks=2, solutions=2)
    model.muted_kinds, model.too_long_kinds = ({kind}, set()) if stage == "tasks" else (set(), {kind})
    said = sandbox.run_failing("synth", "run", folder, "--llm-url", model.url)
    assert f"the stage {stage} kept none of its {lines} lines" in said
    assert str(folder / f"{stage}.jsonl") in said.replace("\n", "")
    rows = {row["stage"]: row for row in json.loads(sandbox("synth", "summary", folder, "--json"))}
    assert (rows[stage]["kept"], rows[stage]["lines"], rows[stage]["yield"]) == (0, lines, 0.0)
    assert ("longer than the model's context" in rows[stage]["notes"]) == (stage != "tasks")
    assert not (folder / "dataset").exists()
