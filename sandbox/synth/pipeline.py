"""Run the stages in order. Each reads the files of earlier stages, writes its own, and resumes after a kill."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from sandbox.client import AsyncClient
from sandbox.errors import BadRequest
from sandbox.llm.chat_model import ChatModel
from sandbox.synth import statistics
from sandbox.synth.prompts import Prompts
from sandbox.synth.resumable_jsonl import Record, Stage, Unit, UnitHandler, hash_file, read_records
from sandbox.synth.run_config import RunConfig, read_run_config
from sandbox.synth.stages import dataset, features, inputs, solutions, tasks, votes

STAGES = ("features", "evolved", "tasks", "inputs", "solutions", "votes", "dataset")
SAMPLING_FIELDS = ("model", "seed", "temperature", "max_tokens")
# What the lines of each stage depend on: fields of the run config, prompts, and the stages whose files it reads.
STAGE_DEPENDENCIES: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    "features": (SAMPLING_FIELDS, ("features",), ()),
    "evolved": ((*SAMPLING_FIELDS, "rounds", "features_max"), ("evolve",), ("features",)),
    "tasks": (
        (*SAMPLING_FIELDS, "tasks", "styles", "features_offered", "statements"),
        ("select", "write", "style-codeforces", "style-leetcode", "style-atcoder"),
        ("features", "evolved"),
    ),
    "inputs": (
        (
            *SAMPLING_FIELDS,
            *("generators", "validators", "sizes", "checkers", "brutes"),
            *("random_inputs", "edge_inputs", "stress_inputs", "input_chars"),
        ),
        ("generator", "validator"),
        ("tasks",),
    ),
    "solutions": ((*SAMPLING_FIELDS, "solutions", "language", "solution_tokens"), ("solve",), ("tasks",)),
    "votes": (("seed", "language", "policy", "mutants"), (), ("inputs", "solutions")),
}
# Prompts of the stage inputs that only some runs use, by the field that turns them on.
OPTIONAL_PROMPTS = {"sizes": "generator-sized", "checkers": "checker", "brutes": "brute"}

OnProgress = Callable[[str, int, int], object]


@dataclass(frozen=True)
class Endpoints:
    """The URLs that stages connect to: a model server and this service. Only stages that need one connect to it."""

    llm_url: str = ""
    llm_key: str = ""
    sandbox_url: str = ""
    concurrency: int = 16


class Pipeline:
    """A run in its folder."""

    def __init__(self, folder: Path, endpoints: Endpoints, on_progress: OnProgress) -> None:
        self.folder = folder
        self.run_config: RunConfig = read_run_config(folder)
        self.prompts = Prompts(self.run_config.prompts)
        self._endpoints = endpoints
        self._on_progress = on_progress

    async def run(self, name: str, parquet: bool = False) -> None:
        """Run or resume a stage. Raises BadRequest if an earlier stage is not complete."""
        if name == "dataset":
            self._write_dataset(parquet)
            return
        stage = self._open_stage(name)
        if stage.complete:
            lines = len(read_records(stage.path))
            self._on_progress(name, lines, lines)
            return
        async with AsyncExitStack() as stack:
            await self._run_stage(stage, stack)
        stage.finish()

    def _open_stage(self, name: str) -> Stage:
        fields, prompts, before = STAGE_DEPENDENCIES[name]
        prompts += tuple(
            prompt for field, prompt in OPTIONAL_PROMPTS.items() if field in fields and getattr(self.run_config, field)
        )
        parts = [self.run_config.compute_fingerprint(*fields), self.prompts.compute_fingerprint(*prompts)]
        parts += [hash_file(self._require_output(earlier)) for earlier in before]
        if name == "features" and self.run_config.examples is not None:
            parts.append(_hash_source(self.run_config.examples))
        if name == "tasks" and self.run_config.statements is not None:
            parts.append(_hash_source(self.run_config.statements))
        return Stage(self.folder, name, hashlib.sha256("\0".join(parts).encode()).hexdigest())

    def _require_output(self, name: str) -> Path:
        """Return the file of a complete stage. Raises BadRequest if the stage is not complete."""
        state = self.folder / f"{name}.state.json"
        if not state.exists() or not json.loads(state.read_bytes())["complete"]:
            raise BadRequest(f"the stage {name} is not complete; run `sandbox synth run {self.folder} --until {name}`")
        return self.folder / f"{name}.jsonl"

    def find_dead_end(self, name: str) -> str:
        """Return why a complete stage leaves later stages nothing to work on, or an empty string."""
        if name in statistics.REQUIRED_STAGES and not (name == "features" and self.run_config.statements):
            kept, lines = statistics.count_usable_lines(self.folder, name)
            if not kept:
                return f"the stage {name} kept none of its {lines} lines, so later stages have no input"
        return ""

    def read_stage(self, name: str) -> list[Record]:
        return read_records(self._require_output(name))

    def read_rl_rows(self) -> list[Record]:
        """Return the RL rows of the data set. Raises BadRequest if it has not been written."""
        return dataset.read_rows(self.folder / dataset.DATASET_FOLDER / "rl.jsonl")

    async def _run_stage(self, stage: Stage, stack: AsyncExitStack) -> None:
        if self.run_config.statements is not None and stage.name in {"features", "evolved", "tasks"}:
            # The tasks are given, so no model writes them.
            units = tasks.read_given_units(self.run_config) if stage.name == "tasks" else []
            await self._produce(stage, units, tasks.copy_given_task)
            return
        if stage.name == "evolved":
            await self._evolve(stage, await self._open_model(stack))
            return
        units = self._build_units(stage.name)
        if stage.name == "votes":
            client = await self._open_client(stack)
            await self._produce(stage, units, lambda unit: votes.run_vote(unit, client, self.run_config))
            return
        model = await self._open_model(stack)
        if stage.name == "features":
            await self._produce(stage, units, lambda unit: features.extract_features(unit, model, self.prompts))
        elif stage.name == "tasks":
            await self._produce(stage, units, lambda unit: tasks.write_task(unit, model, self.prompts))
        elif stage.name == "solutions":
            await self._produce(stage, units, lambda unit: solutions.solve(unit, model, self.prompts, self.run_config))
        else:
            client = await self._open_client(stack)
            await self._produce(
                stage, units, lambda unit: inputs.generate_inputs(unit, model, self.prompts, client, self.run_config)
            )

    def _build_units(self, name: str) -> list[Unit]:
        if name == "features":
            assert self.run_config.examples is not None
            return _read_examples(self.run_config.examples)
        if name == "tasks":
            return tasks.build_units(self.run_config, self.replay_evolution().tree)
        written = [task for task in self.read_stage("tasks") if not task["failed"]]
        if name == "inputs":
            return [Unit(task["key"], task) for task in written]
        if name == "solutions":
            return solutions.build_units(self.run_config, written)
        return votes.build_units(written, self.read_stage("inputs"), self.read_stage("solutions"))

    def replay_evolution(self) -> features.Evolution:
        """Rebuild the evolved tree from the lines of its stage."""
        evolution = self._start_evolution()
        lines = self.read_stage("evolved")
        while evolution.start_next_round(lines[: len(evolution.units)]):
            pass
        return evolution

    def _start_evolution(self) -> features.Evolution:
        seeds = features.build_seed_tree(self.read_stage("features"))
        if not len(seeds):
            raise BadRequest(
                "no example produced a feature; see features.jsonl, and try another model or other examples"
            )
        return features.Evolution(seeds, self.run_config.rounds, self.run_config.features_max)

    async def _evolve(self, stage: Stage, model: ChatModel) -> None:
        evolution = self._start_evolution()
        lines: list[Record] = []
        earlier = len(read_records(stage.path))
        while evolution.start_next_round(lines):
            # Lines left by a killed run may reach into later rounds. Only compare and add those of this round.
            if earlier > len(evolution.units):
                lines = read_records(stage.path)[: len(evolution.units)]
                continue
            lines = await self._produce(stage, evolution.units, lambda unit: features.evolve(unit, model, self.prompts))

    async def _produce(self, stage: Stage, units: list[Unit], work: UnitHandler) -> list[Record]:
        return await stage.produce(
            units,
            work,
            self._endpoints.concurrency,
            lambda done, total: self._on_progress(stage.name, done, total),
        )

    def _write_dataset(self, parquet: bool) -> None:
        run_config = self.run_config
        sft, rl, left_out = dataset.build_rows(
            run_config,
            lambda statement: self.prompts.fill("solve", statement=statement, language=run_config.language),
            self.read_stage("tasks"),
            self.read_stage("solutions"),
            self.read_stage("votes"),
        )
        dataset.write_dataset(self.folder, run_config, sft, rl, parquet)
        dataset_stats = statistics.summarize_rows(sft, rl, left_out)
        statistics.write_statistics(self.folder / dataset.DATASET_FOLDER, dataset_stats)
        self._on_progress("dataset", len(rl), left_out["labelled_tasks"])

    async def _open_model(self, stack: AsyncExitStack) -> ChatModel:
        if not self._endpoints.llm_url:
            raise BadRequest("no model server: set --llm-url or SANDBOX_LLM_URL, for example http://127.0.0.1:8000/v1")
        run_config = self.run_config
        return await stack.enter_async_context(
            ChatModel(
                self._endpoints.llm_url,
                run_config.model,
                key=self._endpoints.llm_key,
                seed=run_config.seed,
                temperature=run_config.temperature,
                max_tokens=run_config.max_tokens,
                concurrency=self._endpoints.concurrency,
            )
        )

    async def _open_client(self, stack: AsyncExitStack) -> AsyncClient:
        return await stack.enter_async_context(AsyncClient(self._endpoints.sandbox_url))


def _hash_source(path: Path) -> str:
    try:
        return hash_file(path)
    except OSError as error:
        raise BadRequest(f"cannot read {path}: {error.strerror}") from None


def _read_examples(path: Path) -> list[Unit]:
    rows = dataset.read_rows(path)
    if not rows or not all(isinstance(row.get("code"), str) for row in rows):
        raise BadRequest(f"{path}: every line must be an object with the text of a program as `code`")
    return [Unit(f"example-{number:05}", row) for number, row in enumerate(rows)]
