"""Stages 1 and 2: features of example programs as a tree, and its evolution in breadth and depth."""

from __future__ import annotations

from typing import Any

from sandbox.synth.lines import Record, Unit
from sandbox.synth.model import Model, Unparsable, json_object, strings
from sandbox.synth.prompts import Prompts
from sandbox.synth.tree import KINDS, FeatureTree, Path

NAMES_OF_A_KIND = 12
NEW_NAMES = 8
SHOWN = 40


async def extract(unit: Unit, model: Model, prompts: Prompts) -> Record:
    """The features of one example program, by kind."""
    inquiry = model.inquiry("features", unit.key)
    found = await inquiry.parsed(prompts.fill("features", code=unit.given["code"]), _by_kind)
    return {"features": found or {}, "failed": found is None, "usage": inquiry.usage.record()}


def _by_kind(text: str) -> dict[str, list[str]]:
    told = json_object(text)
    found = {kind: strings(told.get(kind), NAMES_OF_A_KIND) for kind in KINDS}
    if not any(found.values()):
        raise Unparsable
    return found


def seed_tree(lines: list[Record]) -> FeatureTree:
    """The tree that the examples' features make."""
    tree = FeatureTree()
    for line in lines:
        for kind, names in line["features"].items():
            for name in names:
                tree.add((kind,), name)
    return tree


class Evolution:
    """Rounds of asking, for every feature that the round before brought, for its siblings and what is below it.

    A round's units follow from the lines of the rounds before: replayed after a kill they are the same.
    """

    def __init__(self, seeds: FeatureTree, rounds: int, features_max: int) -> None:
        self.tree = seeds
        self.seeds = len(seeds)
        self._rounds = rounds
        self._max = features_max
        self._frontier = seeds.paths
        self.units: list[Unit] = []
        self._taken = 0
        self._round = 0

    def next_round(self, lines: list[Record]) -> bool:
        """Take in what is told so far, and ask on; False when the evolution is over."""
        if self._round:
            self._frontier = self._take(lines[self._taken :])
            self._taken = len(lines)
        if self._round >= self._rounds or not self._frontier or len(self.tree) >= self._max:
            return False
        self._round += 1
        self.units += [Unit(f"{self._round}/{' > '.join(path)}", self._shown(path)) for path in self._frontier]
        return True

    def _shown(self, path: Path) -> dict[str, Any]:
        return {
            "path": list(path),
            "siblings": self.tree.children(path[:-1])[:SHOWN],
            "children": self.tree.children(path)[:SHOWN],
        }

    def _take(self, lines: list[Record]) -> list[Path]:
        """New paths, breadth before depth."""
        new: list[Path] = []
        for line in lines:
            path = tuple(line["path"])
            proposed = [(path[:-1], name) for name in line["siblings"]] + [(path, name) for name in line["children"]]
            for parent, name in proposed:
                if len(self.tree) < self._max and (added := self.tree.add(parent, name)):
                    new.append(added)
        return new


async def evolve(unit: Unit, model: Model, prompts: Prompts) -> Record:
    """Siblings and children that the model proposes for one feature."""
    given = unit.given
    inquiry = model.inquiry("evolve", unit.key)
    prompt = prompts.fill(
        "evolve",
        feature=" > ".join(given["path"]),
        siblings=", ".join(given["siblings"]) or "none",
        children=", ".join(given["children"]) or "none",
    )
    told = await inquiry.parsed(prompt, _proposals)
    siblings, children = told or ([], [])
    return {
        "path": given["path"],
        "siblings": siblings,
        "children": children,
        "failed": told is None,
        "usage": inquiry.usage.record(),
    }


def _proposals(text: str) -> tuple[list[str], list[str]]:
    told = json_object(text)
    if not {"siblings", "children"} & told.keys():
        raise Unparsable
    return strings(told.get("siblings"), NEW_NAMES), strings(told.get("children"), NEW_NAMES)
