"""The tasks of `loadtest.label_study`: candidates with correlated mistakes, requests for votes, and scores of labels.

The tasks come from `sandbox.gpu.training.toy_tasks`, so their truth is known. Each has eight candidates. Wrong ones are
correlated: four in five share one wrong idea, which belongs to the last step of the task, so that it returns in other
tasks. On a third of the tasks, right candidates are expected to be a minority. Two inputs of each task are invalid.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sandbox.gpu.training.toy_tasks import INPUT_FORMATS, OUTPUTS, ToyTask, generate_tasks

KINDS = ("x-coder", "default", "new", "truth")
POLICIES: dict[str, dict[str, Any]] = {
    "x-coder": {"name": "x-coder"},
    "default": {"name": "default"},
    "new": {"name": "default", "brute_disqualifies": True, "weights": "loo_auc"},
}
CANDIDATES, LABELED_INPUTS, HIDDEN_TESTS = 8, 8, 8
RIGHT_SHARES = (0.4, 0.55, 0.7)
SHARED_IDEA, BRUTE_SHARE = 0.8, 0.5
# A plausible misreading of each ending of a task, in the order of `OUTPUTS`.
WRONG_IDEAS = (
    "print(sum(set(a)))",
    "print(len(set(a)))",
    "print(max(map(abs, a), default=0))",
    "print(min(map(abs, a), default=0))",
    "print(*sorted(set(a)))",
    "print(*sorted(set(a), reverse=True))",
    "print(*sorted(a)[::-1])",
    "print(len(a))",
)
OWN_MISTAKES = ("a = a[:-1]", "a = a + [1]", "a = [x + 1 for x in a]", "raise SystemExit(1)")
LIMITS = {"cpu_time_s": 1.0}
SFT_SEED = 90
Tests = list[dict[str, Any]]


@dataclass(frozen=True)
class StudyTask:
    """A task with its candidates; `inputs` are labeled, `hidden` are tests that no label is made of."""

    task: ToyTask
    inputs: list[str]
    truth: Tests
    hidden: Tests
    candidates: list[str]
    validator: str
    brute: str


def make_study_tasks(count: int, seed: int) -> list[StudyTask]:
    dice = random.Random(f"{seed}/labels")
    tasks = generate_tasks(count, 50 + seed, tests=LABELED_INPUTS + HIDDEN_TESTS)
    return [_make_study_task(task, dice) for task in tasks]


def _make_study_task(task: ToyTask, dice: random.Random) -> StudyTask:
    tests = [test.model_dump(mode="json", exclude_unset=True) for test in task.tests]
    counted = INPUT_FORMATS[int(task.name.partition("-")[0])][2]
    invalid = ["3\n1 2\n", "2\n5 5 5\n"] if counted else ["\n", "1.5 2\n"]
    check = "n, a = int(input()), input().split()\nassert n == len(a)\n" if counted else "a = input().split()\n"
    right_share = dice.choice(RIGHT_SHARES)
    idea = _replace_ending(task, WRONG_IDEAS)
    return StudyTask(
        task=task,
        inputs=[*(test["stdin"] for test in tests[:LABELED_INPUTS]), *invalid],
        truth=tests[:LABELED_INPUTS],
        hidden=tests[LABELED_INPUTS:],
        candidates=[_draw_candidate(task, idea, right_share, dice) for _ in range(CANDIDATES)],
        validator=f"{check}assert a and all(-20 <= int(x) <= 20 for x in a)\n",
        brute=task.solution if dice.random() < BRUTE_SHARE else "",
    )


def make_sft_rows(count: int, wrong_share: float) -> list[dict[str, Any]]:
    """Return rows to fine-tune on, a share of which has the wrong idea of its task, so that the model writes it too."""
    dice = random.Random("sft")
    tasks = [
        replace(task, solution=_replace_ending(task, WRONG_IDEAS)) if dice.random() < wrong_share else task
        for task in generate_tasks(count, SFT_SEED)
    ]
    return [task.to_sft_row().model_dump(mode="json") for task in tasks]


def _replace_ending(task: ToyTask, endings: Sequence[str]) -> str:
    ending = int(task.name.rpartition("-")[2])
    return task.solution.replace(OUTPUTS[ending].code, endings[ending])


def _draw_candidate(task: ToyTask, idea: str, right_share: float, dice: random.Random) -> str:
    if dice.random() < right_share:
        return task.solution
    if dice.random() < SHARED_IDEA:
        return idea
    body, _, last = task.solution.rpartition("\n")
    return f"{body}\n{dice.choice(OWN_MISTAKES)}\n{last}"


def build_vote_request(study_task: StudyTask, kind: str) -> dict[str, Any]:
    programs: list[dict[str, Any]] = [{"language": "python", "code": code} for code in study_task.candidates]
    request = {"candidates": programs, "inputs": study_task.inputs, "policy": POLICIES[kind], "limits": LIMITS}
    if kind == "new":
        if study_task.brute:
            programs.append({"language": "python", "code": study_task.brute, "role": "brute"})
        request["validators"] = [{"language": "python", "code": study_task.validator}]
    return request


def describe_labels(tasks: Sequence[StudyTask], labels: Sequence[Tests]) -> dict[str, Any]:
    """Return how many labels there are, and the share that is true. A label of an invalid input is not true."""
    truths = [{test["stdin"]: test["expected"].split() for test in one.truth} for one in tasks]
    right = [
        truth.get(test["stdin"]) == test["expected"].split()
        for truth, tests in zip(truths, labels, strict=True)
        for test in tests
    ]
    return {
        "tasks": sum(map(bool, labels)),
        "labels": len(right),
        "right": round(sum(right) / len(right), 4) if right else None,
    }


def summarize_hacking(accepted: Sequence[bool], right: Sequence[bool]) -> dict[str, Any]:
    """Return the share of wrong programs among the accepted ones, and of rejected ones among the right ones."""
    hacks = sum(one and not other for one, other in zip(accepted, right, strict=True))
    lost = sum(other and not one for one, other in zip(accepted, right, strict=True))
    return {
        "programs": len(right),
        "accepted": sum(accepted),
        "right": sum(right),
        "hacking_rate": round(hacks / sum(accepted), 4) if any(accepted) else None,
        "rejected_right_rate": round(lost / sum(right), 4) if any(right) else None,
    }


def list_missing(rows: Sequence[dict[str, Any]], seeds: int) -> list[tuple[int, str]]:
    """Return the trainings that have no row yet: each seed with all labels, so that a cut-off study compares them."""
    done = {(row["seed"], row["labels"]) for row in rows}
    return [(seed, kind) for seed in range(seeds) for kind in KINDS if (seed, kind) not in done]


def find_changed_settings(kept: dict[str, Any], given: dict[str, Any], may_change: Collection[str]) -> list[str]:
    """Return the settings in which a kept study differs from the given ones, as `name: kept -> given`."""
    return [
        f"{name}: {kept[name]} -> {value}"
        for name, value in given.items()
        if name not in may_change and kept[name] != value
    ]
