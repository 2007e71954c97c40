"""Stages 1 and 2: extract a tree of features from example programs, and evolve it in breadth and depth."""

from __future__ import annotations

from typing import Any

from sandbox.llm.chat_model import ChatModel, Unparsable, clean_strings, parse_json_object
from sandbox.synth.feature_tree import KINDS, FeaturePath, FeatureTree
from sandbox.synth.prompts import Prompts
from sandbox.synth.resumable_jsonl import Record, Unit

MAX_NAMES_PER_KIND = 12
MAX_NEW_NAMES = 8
MAX_NAMES_SHOWN = 40


async def extract_features(unit: Unit, model: ChatModel, prompts: Prompts) -> Record:
    """Extract the features of one example program, by kind."""
    session = model.start_session("features", unit.key)
    found = await session.ask_until_parsed(prompts.fill("features", code=unit.payload["code"]), _parse_features)
    return {"features": found or {}, "failed": found is None, "usage": session.usage.to_record()}


def _parse_features(text: str) -> dict[str, list[str]]:
    answer = parse_json_object(text)
    found = {kind: clean_strings(answer.get(kind), MAX_NAMES_PER_KIND) for kind in KINDS}
    if not any(found.values()):
        raise Unparsable
    return found


def build_seed_tree(lines: list[Record]) -> FeatureTree:
    """Build the tree of the examples' features."""
    tree = FeatureTree()
    for line in lines:
        for kind, names in line["features"].items():
            for name in names:
                tree.add((kind,), name)
    return tree


class Evolution:
    """Rounds that ask, for each feature added in the last round, for its siblings and children.

    The units of a round depend only on the lines of earlier rounds, so a replay after a kill gives the same units.
    """

    def __init__(self, seeds: FeatureTree, rounds: int, features_max: int) -> None:
        self.tree = seeds
        self.seed_count = len(seeds)
        self._rounds = rounds
        self._features_max = features_max
        self._frontier = seeds.paths
        self.units: list[Unit] = []
        self._lines_read = 0
        self._round = 0

    def start_next_round(self, lines: list[Record]) -> bool:
        """Add the features proposed so far and create the units of the next round; return False at the end."""
        if self._round:
            self._frontier = self._add_proposals(lines[self._lines_read :])
            self._lines_read = len(lines)
        if self._round >= self._rounds or not self._frontier or len(self.tree) >= self._features_max:
            return False
        self._round += 1
        self.units += [
            Unit(f"{self._round}/{' > '.join(path)}", self._describe_feature(path)) for path in self._frontier
        ]
        return True

    def _describe_feature(self, path: FeaturePath) -> dict[str, Any]:
        return {
            "path": list(path),
            "siblings": self.tree.list_children(path[:-1])[:MAX_NAMES_SHOWN],
            "children": self.tree.list_children(path)[:MAX_NAMES_SHOWN],
        }

    def _add_proposals(self, lines: list[Record]) -> list[FeaturePath]:
        """Add the proposed features, siblings before children, and return the new paths."""
        new: list[FeaturePath] = []
        for line in lines:
            path = tuple(line["path"])
            proposed = [(path[:-1], name) for name in line["siblings"]] + [(path, name) for name in line["children"]]
            for parent, name in proposed:
                if len(self.tree) < self._features_max and (added := self.tree.add(parent, name)):
                    new.append(added)
        return new


async def evolve(unit: Unit, model: ChatModel, prompts: Prompts) -> Record:
    """Ask the model for siblings and children of one feature."""
    payload = unit.payload
    session = model.start_session("evolve", unit.key)
    prompt = prompts.fill(
        "evolve",
        feature=" > ".join(payload["path"]),
        siblings=", ".join(payload["siblings"]) or "none",
        children=", ".join(payload["children"]) or "none",
    )
    proposals = await session.ask_until_parsed(prompt, _parse_proposals)
    siblings, children = proposals or ([], [])
    return {
        "path": payload["path"],
        "siblings": siblings,
        "children": children,
        "failed": proposals is None,
        "usage": session.usage.to_record(),
    }


def _parse_proposals(text: str) -> tuple[list[str], list[str]]:
    answer = parse_json_object(text)
    if not {"siblings", "children"} & answer.keys():
        raise Unparsable
    return clean_strings(answer.get("siblings"), MAX_NEW_NAMES), clean_strings(answer.get("children"), MAX_NEW_NAMES)
