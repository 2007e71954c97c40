"""Stage 6: label the inputs by the service's vote, and check the golden solution on held-out inputs."""

from __future__ import annotations

from typing import Any

from sandbox.client import AsyncClient
from sandbox.errors import InfrastructureError
from sandbox.runner.contract import Verdict
from sandbox.schema.vote import VoteResult
from sandbox.synth.resumable_jsonl import Record, Unit
from sandbox.synth.run_config import RunConfig
from sandbox.synth.stages.checkers import ignores_order
from sandbox.verify.checkers.failure import is_checker_failure
from sandbox.verify.quality_report import Fate, ProgramKind, QualityResult

MIN_CANDIDATES = 2
MUTANT_TIME_S = 2.0  # mutants often run forever
EASY_PASS_RATE, HARD_PASS_RATE = 0.75, 0.35


def build_units(tasks: list[Record], inputs: list[Record], solutions: list[Record]) -> list[Unit]:
    """Build one unit per task that has inputs."""
    candidates: dict[str, list[Record]] = {}
    for solution in solutions:
        if not solution["dropped"]:
            candidates.setdefault(solution["task"], []).append(solution)
    given = {line["key"]: line for line in inputs}
    return [
        Unit(
            task["key"],
            {
                "inputs": given[task["key"]]["inputs"],
                "candidates": candidates.get(task["key"], []),
                "checkers": given[task["key"]].get("checkers", []),
                "brutes": given[task["key"]].get("brutes", []),
            },
        )
        for task in tasks
        if given.get(task["key"], {}).get("inputs")
    ]


async def run_vote(unit: Unit, client: AsyncClient, run_config: RunConfig) -> Record:
    """Run the vote on one task. The record leaves out what varies from run to run, such as times."""
    candidates, inputs = unit.payload["candidates"], unit.payload["inputs"]
    if len(candidates) < MIN_CANDIDATES:
        return {"accepted": False, "why": "too few candidates", "candidates": len(candidates), "inputs": len(inputs)}
    result = await _vote_with_checkers(unit, client, run_config)
    record = build_record(result, candidates)
    if run_config.mutants and record["golden"] is not None and record["labelled"]:
        record["quality"] = await _measure_tests(unit.key, result, candidates, client, run_config)
    return record


async def _vote_with_checkers(unit: Unit, client: AsyncClient, run_config: RunConfig) -> VoteResult:
    """Vote with the first checker program that its calibration trusts, or with the last one, which gives no labels.

    Raises InfrastructureError if the service failed in a run.
    """
    request = build_vote_request(unit.payload["candidates"], unit.payload["inputs"], run_config)
    if brutes := unit.payload.get("brutes", []):
        # They follow the candidates, so that the golden solution has the same position in both lists.
        request["candidates"] += [{"language": "python", "code": code, "role": "brute"} for code in brutes]
        request["policy"] = {"brute_disqualifies": True, **request["policy"]}
    checkers = unit.payload.get("checkers", [])
    for code in checkers[:-1]:
        result = await _vote(unit.key, {**request, **_choose_checker(code)}, client)
        if result.calibration is not None and result.calibration.trusted:
            return result
    last = _choose_checker(checkers[-1]) if checkers else {}
    return await _vote(unit.key, {**request, **last}, client)


async def _vote(key: str, request: dict[str, Any], client: AsyncClient) -> VoteResult:
    result = await client.vote(request)
    if result.internal_errors:
        raise InfrastructureError(
            f"{key}: {result.internal_errors} runs failed because of the infrastructure; run the stage again"
        )
    return result


def _choose_checker(code: str) -> dict[str, Any]:
    """Return the fields of a vote with this checker program."""
    checker = {"type": "program", "language": "python", "code": code}
    return {"checker": checker, "checker_allows": ["permuted"] if ignores_order(code) else []}


async def _measure_tests(
    key: str, result: VoteResult, candidates: list[Record], client: AsyncClient, run_config: RunConfig
) -> Record:
    """Judge mutants of the golden solution by the labeled tests. Raises InfrastructureError if the service fails."""
    assert result.golden.index is not None
    report = await client.quality(
        {
            **result.test_set.model_dump(mode="json", exclude_defaults=True),
            "language": run_config.language,
            "right": [candidates[result.golden.index]["code"]],
            "mutants": {"count": run_config.mutants, "seed": run_config.seed},
            "limits": {"cpu_time_s": MUTANT_TIME_S},
            "priority": "bulk",
        }
    )
    return summarize_mutants(key, report)


def summarize_mutants(key: str, report: QualityResult) -> Record:
    """Return the figures of a task's mutants. Raises InfrastructureError if the service failed to judge a program.

    Other unjudged programs are left out, because running them again would not help: the checker fails on their output,
    or the golden solution exceeds the time limit of the mutants on all tests.
    """
    unjudged = [report.programs[row] for row in report.unjudged]
    if any(each.message and not is_checker_failure(each.message) for each in unjudged):
        raise InfrastructureError(f"{key}: the service failed to judge a mutant; run the stage again")
    mutants = [each for each in report.programs if each.kind is ProgramKind.MUTANT]
    return {
        "mutation_score": report.mutation_score,
        "mutants": sum(each.fate in {Fate.PASSED, Fate.FAILED} for each in mutants),
        "survivors": len(report.equivalent_candidates),
        "kill_nothing": len(report.kill_nothing),
    }


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
    rate = compute_pass_rate(result, len(candidates))
    calibration = result.calibration
    untrusted = calibration is not None and not calibration.trusted
    why = "untrusted checker" if untrusted else "no label" if not labelled else "golden failed the hold-out"
    return {
        "accepted": golden.accepted and bool(labelled),
        "why": "" if golden.accepted and labelled else why,
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


def compute_pass_rate(result: VoteResult, count: int) -> float:
    """Return the share of the first `count` programs, the candidates, that pass every labeled test."""
    judged = [[verdict for verdict in row if verdict is not Verdict.SKIPPED] for row in result.matrix[:count]]
    passing = sum(bool(row) and all(verdict is Verdict.ACCEPTED for verdict in row) for row in judged)
    return round(passing / len(judged), 6) if judged else 0.0


def classify_difficulty(rate: float) -> str:
    return "easy" if rate >= EASY_PASS_RATE else "medium" if rate >= HARD_PASS_RATE else "hard"
