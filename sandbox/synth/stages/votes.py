"""Stage 6: label the inputs by the service's vote, and check the golden solution on held-out inputs."""

from __future__ import annotations

from typing import Any

from sandbox.client import AsyncClient
from sandbox.errors import InfrastructureError
from sandbox.runner.contract import Verdict
from sandbox.schema.vote import VoteResult
from sandbox.synth.resumable_jsonl import Record, Unit
from sandbox.synth.run_config import RunConfig

MIN_CANDIDATES = 2
EASY_PASS_RATE, HARD_PASS_RATE = 0.75, 0.35


def build_units(tasks: list[Record], inputs: list[Record], solutions: list[Record]) -> list[Unit]:
    """Build one unit per task that has inputs."""
    candidates: dict[str, list[Record]] = {}
    for solution in solutions:
        if not solution["dropped"]:
            candidates.setdefault(solution["task"], []).append(solution)
    given = {line["key"]: line["inputs"] for line in inputs}
    return [
        Unit(task["key"], {"inputs": given[task["key"]], "candidates": candidates.get(task["key"], [])})
        for task in tasks
        if given.get(task["key"])
    ]


async def run_vote(unit: Unit, client: AsyncClient, run_config: RunConfig) -> Record:
    """Run the vote on one task. The record leaves out what varies from run to run, such as times."""
    candidates, inputs = unit.payload["candidates"], unit.payload["inputs"]
    if len(candidates) < MIN_CANDIDATES:
        return {"accepted": False, "why": "too few candidates", "candidates": len(candidates), "inputs": len(inputs)}
    result = await client.vote(build_vote_request(candidates, inputs, run_config))
    if result.internal_errors:
        raise InfrastructureError(
            f"{unit.key}: {result.internal_errors} runs failed because of the infrastructure; run the stage again"
        )
    return build_record(result, candidates)


def build_vote_request(candidates: list[Record], inputs: list[Record], run_config: RunConfig) -> dict[str, Any]:
    return {
        "candidates": [{"language": run_config.language, "code": candidate["code"]} for candidate in candidates],
        "inputs": [given["stdin"] for given in inputs],
        "policy": {"seed": run_config.seed, **run_config.policy},
        "priority": "bulk",
    }


def build_record(result: VoteResult, candidates: list[Record]) -> Record:
    """Return the record of a vote."""
    labelled = [label for label in result.labels if label.expected is not None]
    golden = result.golden
    rate = compute_pass_rate(result)
    return {
        "accepted": golden.accepted,
        "why": "" if golden.accepted else "no label" if not labelled else "golden failed the hold-out",
        "candidates": len(candidates),
        "inputs": len(result.labels),
        "labelled": len(labelled),
        "ties": sum(label.tie for label in result.labels),
        "confidence": round(sum(label.confidence for label in labelled) / len(labelled), 6) if labelled else 0.0,
        "golden": candidates[golden.index]["key"] if golden.index is not None else None,
        "holdout": [golden.holdout_passed, golden.holdout_total],
        "pass_rate": rate,
        "difficulty": classify_difficulty(rate),
        "test_set": result.test_set.model_dump(mode="json", exclude_defaults=True),
    }


def compute_pass_rate(result: VoteResult) -> float:
    """Return the share of the candidates that pass every labeled test."""
    judged = [[verdict for verdict in row if verdict is not Verdict.SKIPPED] for row in result.matrix]
    passing = sum(bool(row) and all(verdict is Verdict.ACCEPTED for verdict in row) for row in judged)
    return round(passing / len(judged), 6) if judged else 0.0


def classify_difficulty(rate: float) -> str:
    return "easy" if rate >= EASY_PASS_RATE else "medium" if rate >= HARD_PASS_RATE else "hard"
