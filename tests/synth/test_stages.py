"""The rules of the stages: filters, label noise, the feature tree, prompts, and lines that survive a kill."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.llm import model_client
from sandbox.llm.chat_model import ChatModel, Completion, Unparsable, parse_json_object
from sandbox.llm.model_client import ModelFailed
from sandbox.runner.contract import Verdict
from sandbox.synth.feature_tree import FeatureTree
from sandbox.synth.label_noise import corrupt
from sandbox.synth.prompts import Prompts
from sandbox.synth.resumable_jsonl import Stage, Unit
from sandbox.synth.run_config import RunConfig
from sandbox.synth.similarity import Benchmarks, find_near_duplicates
from sandbox.synth.stages import tasks
from sandbox.synth.stages.solutions import filter_completion
from sandbox.synth.stages.votes import summarize_mutants
from sandbox.verify.mutants.generate import make_mutants
from sandbox.verify.quality import Row, measure_quality
from sandbox.verify.quality_report import ProgramKind
from tests.synth.conftest import write_lines
from tests.synth.scripted_model import ScriptedModel

STORY = "Given are n towers in a row; count the pairs of towers that see each other over all towers between them. "
ROWS = [
    {"name": f"t{number}", "tests": [{"stdin": str(place), "expected": f"{place % 3}\n"} for place in range(10)]}
    for number in range(20)
]


def test_a_text_that_shares_a_run_of_words_with_a_benchmark_is_contaminated(tmp_path: Path) -> None:
    benchmark = write_lines(tmp_path / "set.jsonl", [{"prompt": "another"}, {"prompt": "Once. " + STORY}])
    known = Benchmarks(10)
    known.read([benchmark])
    assert known.find_source("Bob says: given are N towers, in a row! Count the pairs of towers. Now.") == "set.jsonl:2"
    assert known.find_source("Given are n towers in a row; multiply their heights and print the last digit.") is None
    with pytest.raises(BadRequest, match="cannot read"):
        known.read([tmp_path / "nothing.jsonl"])


def test_near_duplicates_name_the_first_of_their_kind() -> None:
    texts = [STORY * 2 + "A", "Sort the numbers and print them in one line", STORY * 2 + "B", STORY * 2 + "C"]
    assert find_near_duplicates(texts, 0.7) == {2: 0, 3: 0}
    assert find_near_duplicates(texts, 1.0) == {}


@pytest.mark.parametrize("share", [0.0, 0.05, 0.1, 1.0])
def test_exactly_the_share_of_labels_is_made_wrong_and_the_same_ones_again(share: float) -> None:
    made, wrong = corrupt(ROWS, share, seed=4)
    changed = [
        (row["name"], place)
        for row, given in zip(made, ROWS, strict=True)
        for place, (test, before) in enumerate(zip(row["tests"], given["tests"], strict=True))
        if test["expected"].split() != before["expected"].split()  # type: ignore[index]
    ]
    assert len(changed) == wrong == round(share * 200)
    assert corrupt(ROWS, share, seed=4)[0] == made


def test_labels_wrong_at_a_smaller_share_are_wrong_at_a_larger_one() -> None:
    def places(share: float, seed: int) -> set[tuple[str, str]]:
        made, _ = corrupt(ROWS, share, seed)
        right = {test["stdin"]: test["expected"] for test in ROWS[0]["tests"]}  # type: ignore[index]
        return {
            (row["name"], test["stdin"])
            for row in made
            for test in row["tests"]
            if test != {**test, "expected": right[test["stdin"]]}
        }

    assert places(0.05, 1) < places(0.2, 1)
    assert places(0.05, 1) != places(0.05, 2)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("```python\nprint(1)\n```", ""),
        ("<think>\n```python\nprint(2)\n```\n</think>\nSo:\n```python\nprint(1)\n```", ""),
        ("print(1)", "no code block"),
        ("```python\nprint(1)\n```\n```python\nprint(2)\n```", "not one code block"),
        ("```python\nprint(1\n```", "does not parse"),
    ],
)
def test_a_solution_is_one_code_block_that_parses(text: str, why: str) -> None:
    code, dropped = filter_completion(Completion(text, 10, complete=True), "python", (5, 20))
    assert (code, dropped) == ("" if why else "print(1)", why)


def test_a_solution_is_whole_and_of_a_length() -> None:
    text = "```python\nprint(1)\n```"
    assert filter_completion(Completion(text, 10, complete=False), "python", (5, 20)) == ("", "cut off")
    assert filter_completion(Completion(text, 4, complete=True), "python", (5, 20)) == ("", "too short")
    assert filter_completion(Completion(text, 21, complete=True), "python", (5, 20)) == ("", "too long")


def test_a_name_stands_once_in_its_kind() -> None:
    tree = FeatureTree()
    first = tree.add(("algorithms",), "Segment Trees")
    assert first == ("algorithms", "Segment Trees")
    assert tree.add(first, "lazy segment tree") is not None
    assert tree.add(("algorithms",), "segment-tree") is None
    assert tree.add(("data_structures",), "segment tree") is not None
    assert tree.add(("algorithms",), " . ") is None
    assert (len(tree), tree.duplicates, tree.count_by_depth()) == (3, 1, {1: 2, 2: 1})


def test_styles_are_drawn_by_their_weights_and_a_tasks_draw_is_its_own() -> None:
    tree = FeatureTree()
    for number in range(30):
        tree.add(("techniques",), f"technique {number}")
    run_config = RunConfig(examples=Path("x"), model="m", tasks=1_000)
    drawn = tasks.build_units(run_config, tree)
    styles = [unit.payload["style"] for unit in drawn]
    assert 650 < styles.count("codeforces") < 750
    assert 110 < styles.count("atcoder") < 190
    assert tasks.build_units(run_config.model_copy(update={"tasks": 10}), tree) == drawn[:10]


def test_a_prompt_of_the_users_own_replaces_ours(tmp_path: Path) -> None:
    (tmp_path / "solve.md").write_text("Solve: $statement", encoding="utf-8")
    prompts = Prompts(tmp_path)
    assert prompts.fill("solve", statement="costs $5", language="python") == "Solve: costs $5"
    assert "validator" in prompts.fill("validator", statement="x")
    (tmp_path / "solve.md").write_text("Solve: $task", encoding="utf-8")
    with pytest.raises(BadRequest, match=r"solve\.md.*task"):
        prompts.fill("solve", statement="x", language="python")
    (tmp_path / "slove.md").touch()
    with pytest.raises(BadRequest, match="slove"):
        Prompts(tmp_path)


def test_json_is_found_in_whatever_is_said_around_it() -> None:
    assert parse_json_object('<think>{"no": 1}</think> {sure} ```json\n{"a": {"b": 2}}\n``` bye') == {"a": {"b": 2}}
    with pytest.raises(Unparsable):
        parse_json_object("no {object} here")


async def test_lines_are_in_order_and_work_is_bounded(tmp_path: Path) -> None:
    under_way = most = 0

    async def work(unit: Unit) -> dict[str, Any]:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(0.001 * (unit.payload % 3))
        under_way -= 1
        return {"value": unit.payload}

    units = [Unit(str(number), number) for number in range(20)]
    lines = await Stage(tmp_path, "stage", "x").produce(units, work, 3, lambda *_: None)
    assert [line["value"] for line in lines] == list(range(20))
    assert most == 3
    with pytest.raises(BadRequest, match="another recipe"):
        Stage(tmp_path, "stage", "y")


async def test_a_call_is_retried_and_repeats_with_its_key(model: ScriptedModel) -> None:
    model.fail_every = 2
    async with ChatModel(model.url, "scripted", seed=5) as asked:
        prompt = Prompts().fill("evolve", feature="algorithms > sorting", siblings="none", children="none")
        first = [await asked.start_session("a", 1).ask(prompt) for _ in range(2)]
        other = await asked.start_session("a", 2).ask(prompt)
    assert first[0] == first[1] != other
    assert len(model.asked_kinds) > 3


async def test_a_service_that_stays_away_is_said_after_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_client, "FIRST_PAUSE_S", 0.0)
    async with ChatModel("http://127.0.0.1:9/v1", "scripted") as asked:
        with pytest.raises(ModelFailed, match=r"127\.0\.0\.1:9/v1 failed 6 times; it did not answer: ConnectError"):
            await asked.start_session("a").ask("x")


def summarize(golden: Verdict, mutant: Verdict, message: str = "") -> dict[str, Any]:
    """Return the figures of one mutant that was judged on one test."""
    made = make_mutants("print(1 < 2)", 1, 0)[0]
    rows = [
        Row("right 0", ProgramKind.RIGHT, [golden], [0.1]),
        Row("mutant 0", ProgramKind.MUTANT, [mutant], [0.1], made, message),
    ]
    return summarize_mutants("task-0", measure_quality(rows))


def test_a_mutant_is_left_out_if_its_test_cannot_be_judged_but_a_failure_of_the_service_ends_the_stage() -> None:
    assert summarize(Verdict.ACCEPTED, Verdict.WRONG_ANSWER)["mutants"] == 1
    unknown = {"mutation_score": None, "mutants": 0}
    assert summarize(Verdict.TIME_LIMIT_EXCEEDED, Verdict.WRONG_ANSWER).items() >= unknown.items()
    assert summarize(Verdict.ACCEPTED, Verdict.INTERNAL_ERROR, "the checker failed: it exited with 9: ")["mutants"] == 0
    for message in ("the checker failed: internal_error no box", "no box"):
        with pytest.raises(InfrastructureError, match="failed to judge a mutant"):
            summarize(Verdict.ACCEPTED, Verdict.INTERNAL_ERROR, message)
