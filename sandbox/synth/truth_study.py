"""Compare a run's labels with the true answers of its tasks, which the file `statements` gives as right programs.

A label is right if the right program passes the labeled test with the task's checker. An input is invalid if the right
program does not end well on it; its label cannot be right.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from sandbox.client import AsyncClient
from sandbox.errors import BadRequest, InfrastructureError
from sandbox.runner.contract import Status, Verdict
from sandbox.synth.pipeline import Pipeline
from sandbox.synth.resumable_jsonl import Record
from sandbox.synth.stages.tasks import read_given_units
from sandbox.verify.checkers.failure import is_checker_failure

STUDY_FILE = "truth.json"


async def run_truth_study(pipeline: Pipeline, client: AsyncClient) -> Record:
    """Judge the right program of each task on its labeled tests, and the golden solution by its answers.

    Returns counts and shares, and writes them to `studies/truth.json`. Raises BadRequest if no task has a solution.
    """
    run_config = pipeline.run_config
    given = read_given_units(run_config) if run_config.statements is not None else []
    solutions = {unit.key: unit.payload["solution"] for unit in given if unit.payload.get("solution")}
    if not solutions:
        raise BadRequest("no task has a right program: the run needs statements with a field `solution`")
    inputs = {line["key"]: line["inputs"] for line in pipeline.read_stage("inputs")}
    votes = {line["key"]: line for line in pipeline.read_stage("votes") if line["key"] in solutions}
    written = {line["key"]: line["code"] for line in pipeline.read_stage("solutions")}
    kept = {row["name"] for row in pipeline.read_rl_rows()}
    judged = await asyncio.gather(
        *(
            _judge(solutions[key], inputs[key], vote, written, run_config.language, client)
            for key, vote in votes.items()
        )
    )
    point = _summarize(list(zip(votes.values(), judged, strict=True)), kept)
    point["inputs"] = sum(len(inputs[key]) for key in votes)
    point["given"] = _divide(point["labels"], point["inputs"])
    folder = pipeline.folder / "studies"
    folder.mkdir(exist_ok=True)
    (folder / STUDY_FILE).write_text(json.dumps(point, indent=2) + "\n", encoding="utf-8")
    return point


async def _judge(
    solution: str, inputs: list[Record], vote: Record, written: dict[str, str], language: str, client: AsyncClient
) -> tuple[int, bool]:
    """Return how many labels are right, and whether the golden solution, if it was accepted, is right on all inputs."""
    labeled: list[dict[str, Any]] = vote.get("test_set", {}).get("tests", [])
    if not labeled:
        return 0, False
    checker = vote["test_set"]["checker"]
    verdicts = await _verify(vote["key"], "python", solution, labeled, checker, client)
    right = verdicts.count(Verdict.ACCEPTED)
    if not vote["accepted"]:
        return right, False
    runs = await client.execute_batch(
        [{"language": "python", "code": solution, "stdin": given["stdin"]} for given in inputs]
    )
    answered = [
        {"stdin": given["stdin"], "expected": run.stdout}
        for given, run in zip(inputs, runs, strict=True)
        if run.status is Status.OK
    ]
    golden = await _verify(vote["key"], language, written[vote["golden"]], answered, checker, client)
    return right, set(golden) == {Verdict.ACCEPTED}


async def _verify(
    key: str, language: str, code: str, tests: list[dict[str, Any]], checker: dict[str, Any], client: AsyncClient
) -> list[Verdict]:
    """Return the verdict on each test. Raises InfrastructureError if the service failed."""
    if not tests:
        return []
    result = await client.verify({"language": language, "code": code, "tests": tests, "checker": checker})
    undecided = [test.message for test in result.tests if test.verdict is Verdict.INTERNAL_ERROR]
    if any(not is_checker_failure(message) for message in undecided):
        raise InfrastructureError(f"{key}: the service failed to judge a program; run the study again")
    return [test.verdict for test in result.tests]


def _summarize(judged: list[tuple[Record, tuple[int, bool]]], kept: set[str]) -> Record:
    labels = sum(vote.get("labelled", 0) for vote, _ in judged)
    right = sum(count for _, (count, _) in judged)
    rows = [(vote["labelled"], count) for vote, (count, _) in judged if vote["key"] in kept]
    golden = [is_right for vote, (_, is_right) in judged if vote["accepted"]]
    return {
        "tasks": len(judged),
        "labels": labels,
        "right": right,
        "accuracy": _divide(right, labels),
        "dataset_labels": sum(labelled for labelled, _ in rows),
        "dataset_accuracy": _divide(sum(count for _, count in rows), sum(labelled for labelled, _ in rows)),
        "golden": len(golden),
        "golden_right": _divide(sum(golden), len(golden)),
    }


def _divide(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
