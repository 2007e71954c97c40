"""The stages in their order: each takes the files before it, makes its own, and goes on where a kill has left it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sandbox.client import AsyncClient
from sandbox.errors import BadRequest
from sandbox.synth import dataset, features, inputs, solutions, statistics, tasks, votes
from sandbox.synth.lines import Record, Stage, Unit, Work, digest, read
from sandbox.synth.model import Model
from sandbox.synth.prompts import Prompts
from sandbox.synth.recipe import Recipe, read_recipe

STAGES = ("features", "evolved", "tasks", "inputs", "solutions", "votes", "dataset")
DRAWN = ("model", "seed", "temperature", "max_tokens")
# What each stage's lines follow from: fields of the recipe, prompts, and the stages whose files it reads.
MADE_FROM: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "features": (DRAWN, ("features",), ()),
    "evolved": ((*DRAWN, "rounds", "features_max"), ("evolve",), ("features",)),
    "tasks": (
        (*DRAWN, "tasks", "styles", "features_offered"),
        ("select", "write", "style-codeforces", "style-leetcode", "style-atcoder"),
        ("features", "evolved"),
    ),
    "inputs": (
        (*DRAWN, "random_inputs", "edge_inputs", "stress_inputs", "input_chars"),
        ("generator", "validator"),
        ("tasks",),
    ),
    "solutions": ((*DRAWN, "solutions", "language", "solution_tokens"), ("solve",), ("tasks",)),
    "votes": (("seed", "language", "policy"), (), ("inputs", "solutions")),
}

OnProgress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Services:
    """What stages call: a model's service, and ours. Only the stages that need one connect to it."""

    llm_url: str = ""
    llm_key: str = ""
    url: str = ""
    concurrency: int = 16


class Pipeline:
    """One run's folder."""

    def __init__(self, folder: Path, services: Services, on_progress: OnProgress) -> None:
        self.folder = folder
        self.recipe: Recipe = read_recipe(folder)
        self.prompts = Prompts(self.recipe.prompts)
        self._services = services
        self._on_progress = on_progress

    async def run(self, name: str, parquet: bool = False) -> None:
        """One stage, as far as it is not made yet. Raises BadRequest where an earlier one is not complete."""
        if name == "dataset":
            self._dataset(parquet)
            return
        stage = self._stage(name)
        if stage.complete:
            lines = len(read(stage.path))
            self._on_progress(name, lines, lines)
            return
        async with AsyncExitStack() as stack:
            await self._make(stage, stack)
        stage.finish()

    def _stage(self, name: str) -> Stage:
        fields, prompts, before = MADE_FROM[name]
        parts = [self.recipe.fingerprint(*fields), self.prompts.fingerprint(*prompts)]
        parts += [digest(self._ended(earlier)) for earlier in before]
        if name == "features":
            parts.append(_readable(self.recipe.examples))
        return Stage(self.folder, name, hashlib.sha256("\0".join(parts).encode()).hexdigest())

    def _ended(self, name: str) -> Path:
        """The file of a stage that is complete."""
        state = self.folder / f"{name}.state.json"
        if not state.exists() or not json.loads(state.read_bytes())["complete"]:
            raise BadRequest(f"the stage {name} is not complete; run `sandbox synth run {self.folder} --until {name}`")
        return self.folder / f"{name}.jsonl"

    def dead_end(self, name: str) -> str:
        """Why the stages behind a complete one have nothing to work on; empty where they have."""
        if name in statistics.CONSEQUENTIAL:
            kept, lines = statistics.kept_of(self.folder, name)
            if not kept:
                return f"the stage {name} kept none of its {lines} lines, so there is nothing for those behind it"
        return ""

    def lines(self, name: str) -> list[Record]:
        return read(self._ended(name))

    async def _make(self, stage: Stage, stack: AsyncExitStack) -> None:
        if stage.name == "evolved":
            await self._evolve(stage, await self._model(stack))
            return
        units = self._units(stage.name)
        if stage.name == "votes":
            client = await self._client(stack)
            await self._produce(stage, units, lambda unit: votes.hold(unit, client, self.recipe))
            return
        model = await self._model(stack)
        if stage.name == "features":
            await self._produce(stage, units, lambda unit: features.extract(unit, model, self.prompts))
        elif stage.name == "tasks":
            await self._produce(stage, units, lambda unit: tasks.write(unit, model, self.prompts))
        elif stage.name == "solutions":
            await self._produce(stage, units, lambda unit: solutions.solve(unit, model, self.prompts, self.recipe))
        else:
            client = await self._client(stack)
            await self._produce(stage, units, lambda unit: inputs.make(unit, model, self.prompts, client, self.recipe))

    def _units(self, name: str) -> list[Unit]:
        if name == "features":
            return _examples(self.recipe.examples)
        if name == "tasks":
            return tasks.units(self.recipe, self.tree().tree)
        written = [task for task in self.lines("tasks") if not task["failed"]]
        if name == "inputs":
            return [Unit(task["key"], task) for task in written]
        if name == "solutions":
            return solutions.units(self.recipe, written)
        return votes.units(written, self.lines("inputs"), self.lines("solutions"))

    def tree(self) -> features.Evolution:
        """The evolved tree, replayed from its lines."""
        evolution = self._seeded()
        lines = self.lines("evolved")
        while evolution.next_round(lines[: len(evolution.units)]):
            pass
        return evolution

    def _seeded(self) -> features.Evolution:
        seeds = features.seed_tree(self.lines("features"))
        if not len(seeds):
            raise BadRequest("no example gave a feature; see features.jsonl, and try another model or examples")
        return features.Evolution(seeds, self.recipe.rounds, self.recipe.features_max)

    async def _evolve(self, stage: Stage, model: Model) -> None:
        evolution = self._seeded()
        lines: list[Record] = []
        earlier = len(read(stage.path))
        while evolution.next_round(lines):
            # What a kill has left may reach into later rounds: only this round's lines are compared and added.
            if earlier > len(evolution.units):
                lines = read(stage.path)[: len(evolution.units)]
                continue
            lines = await self._produce(stage, evolution.units, lambda unit: features.evolve(unit, model, self.prompts))

    async def _produce(self, stage: Stage, units: list[Unit], work: Work) -> list[Record]:
        return await stage.produce(
            units,
            work,
            self._services.concurrency,
            lambda done, total: self._on_progress(stage.name, done, total),
        )

    def _dataset(self, parquet: bool) -> None:
        recipe = self.recipe
        sft, rl, left_out = dataset.rows(
            recipe,
            lambda statement: self.prompts.fill("solve", statement=statement, language=recipe.language),
            self.lines("tasks"),
            self.lines("solutions"),
            self.lines("votes"),
        )
        dataset.write(self.folder, recipe, sft, rl, parquet)
        told = statistics.of_rows(sft, rl, left_out)
        statistics.write(self.folder / dataset.FOLDER, told)
        self._on_progress("dataset", len(rl), left_out["labelled_tasks"])

    async def _model(self, stack: AsyncExitStack) -> Model:
        if not self._services.llm_url:
            raise BadRequest("which model service? Give --llm-url or SANDBOX_LLM_URL, such as http://127.0.0.1:8000/v1")
        recipe = self.recipe
        return await stack.enter_async_context(
            Model(
                self._services.llm_url,
                recipe.model,
                key=self._services.llm_key,
                seed=recipe.seed,
                temperature=recipe.temperature,
                max_tokens=recipe.max_tokens,
                concurrency=self._services.concurrency,
            )
        )

    async def _client(self, stack: AsyncExitStack) -> AsyncClient:
        return await stack.enter_async_context(AsyncClient(self._services.url))


def _readable(path: Path) -> str:
    try:
        return digest(path)
    except OSError as error:
        raise BadRequest(f"examples: cannot read {path}: {error.strerror}") from None


def _examples(path: Path) -> list[Unit]:
    rows = dataset.read_rows(path)
    if not rows or not all(isinstance(row.get("code"), str) for row in rows):
        raise BadRequest(f"{path}: every line is to be an object with a program's text as `code`")
    return [Unit(f"example-{number:05}", row) for number, row in enumerate(rows)]
