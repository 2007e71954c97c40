"""Corrupt labels with a seed, to study how much label noise reinforcement learning tolerates."""

from __future__ import annotations

import random
from collections.abc import Sequence

from sandbox.errors import BadRequest
from sandbox.synth.resumable_jsonl import Record


def corrupt(rows: Sequence[Record], share: float, seed: int) -> tuple[list[Record], int]:
    """Return the rows with a share of all labels made wrong, and the number of wrong labels.

    A wrong label is the answer to another test of the task. If all tests have the same answer, the wrong label is a
    text that no program prints. With the same seed, the wrong labels of a smaller share are a subset of those of a
    larger one.
    """
    if not 0 <= share <= 1:
        raise BadRequest("the share of wrong labels must be between 0 and 1")
    places = [(row, test) for row, content in enumerate(rows) for test in range(len(content["tests"]))]
    rng = random.Random(f"{seed}/labels")
    rng.shuffle(places)
    wrong = set(places[: round(share * len(places))])
    return [
        {
            **row,
            "tests": [
                {**test, "expected": _pick_wrong_label(row, place, seed)} if (number, place) in wrong else test
                for place, test in enumerate(row["tests"])
            ],
        }
        for number, row in enumerate(rows)
    ], len(wrong)


def _pick_wrong_label(row: Record, place: int, seed: int) -> str:
    right: str = row["tests"][place]["expected"]
    others = sorted({test["expected"] for test in row["tests"] if test["expected"].split() != right.split()})
    return random.Random(f"{seed}/{row['name']}/{place}").choice(others) if others else right.rstrip("\n") + " wrong\n"
