"""A plan of the training loop: its data, its settings, and the requests of its steps."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from sandbox.errors import BadRequest
from sandbox.rewards.extraction import extract
from sandbox.schema.error_paths import format_dotted_path
from sandbox.schema.gpu import EvaluateRequest, GrpoRequest, SftRequest
from sandbox.synth.function_tasks import generate_function_tasks
from sandbox.synth.resumable_jsonl import Record
from sandbox.synth.study import exclude_held_out, split, to_rl_task

# A program that exceeds the time limit on so many tests is not run on the others. An endless loop then takes this many
# times the limit instead of once per test.
MAX_TIMEOUTS = 2


@dataclass(frozen=True)
class Plan:
    """What to train and how; `sft` and `grpo` hold additional fields of their requests, which override the defaults."""

    model: str
    sft_steps: int = 100
    grpo_steps: int = 50
    completions: int = 8
    max_tokens: int = 1_024
    cpu_time_s: float = 2.0
    rollouts: str = "plain"
    seed: int = 0
    general_shape: str = ""
    sft: dict[str, Any] = field(default_factory=dict)
    grpo: dict[str, Any] = field(default_factory=dict)
    total_cpu_time_s: float | None = None
    mix_share: float = 0.0

    def build_limits(self) -> Record:
        """Return the limits of a completion's program."""
        total = {} if self.total_cpu_time_s is None else {"total_cpu_time_s": self.total_cpu_time_s}
        return {"cpu_time_s": self.cpu_time_s, **total}

    @classmethod
    def from_report(cls, report: Mapping[str, Any], **changes: Any) -> Plan:
        """Return the plan of a report, with changes. Raises BadRequest if the report has none."""
        known = {entry.name for entry in dataclasses.fields(cls)}
        saved = report.get("plan")
        if not isinstance(saved, dict) or not {"model"} <= set(saved) <= known:
            raise BadRequest("the recipe has no field `plan` as `sandbox loop` writes it into loop.json")
        return cls(**{**saved, **changes})


@dataclass(frozen=True)
class TrainingData:
    """A run's rows, split so that no held-out task appears in the training rows, and rows of a general benchmark.

    `mix_sft` and `mix_rl` come from elsewhere and are mixed into the trainings.
    """

    sft: list[Record]
    rl: list[Record]
    held_out: list[Record]
    general: list[Record] = field(default_factory=list)
    mix_sft: list[Record] = field(default_factory=list)
    mix_rl: list[Record] = field(default_factory=list)

    @classmethod
    def from_rows(
        cls, sft: Sequence[Record], rl: Sequence[Record], seed: int, general: Sequence[Record] = ()
    ) -> TrainingData:
        """Split the rows. Raises BadRequest if there are too few."""
        train, held_out = split(rl, seed)
        learnt = exclude_held_out(held_out, sft)
        if not learnt:
            raise BadRequest("only held-out tasks have a golden solution: create more tasks")
        return cls(learnt, train, held_out, list(general))

    def mix(self, share: float, seed: int) -> TrainingData:
        """Return the data with generated function tasks, of which `share` of the rows of each training consist."""
        sft, rl = (round(share / (1.0 - share) * len(rows)) for rows in (self.sft, self.rl))
        tasks = generate_function_tasks(max(sft, rl), seed)
        return dataclasses.replace(
            self,
            mix_sft=[task.to_sft_row().model_dump(mode="json") for task in tasks[:sft]],
            mix_rl=[
                task.to_rl_task().model_dump(mode="json", by_alias=True, exclude_unset=True) for task in tasks[:rl]
            ],
        )

    def count_rows(self) -> Record:
        counts = {"sft_rows": len(self.sft), "rl_tasks": len(self.rl), "held_out_tasks": len(self.held_out)}
        more = {"general_problems": self.general, "mixed_sft_rows": self.mix_sft, "mixed_rl_tasks": self.mix_rl}
        return counts | {name: len(rows) for name, rows in more.items() if rows}

    def list_references(self) -> list[Record]:
        """Return a submission for each golden solution that the run may learn from, with the tests of its task."""
        tests = {row["name"]: row["tests"] for row in self.rl}
        found = [(row["name"], extract(row["messages"][-1]["content"], "python")) for row in self.sft]
        return [
            {"language": answer.language, "code": answer.code, "tests": tests[name]}
            for name, answer in found
            if answer is not None and name in tests
        ]


def build_sft_request(plan: Plan, data: TrainingData) -> Record:
    rows = [{"messages": row["messages"]} for row in [*data.sft, *data.mix_sft]]
    defaults = {"model": plan.model, "rows": rows, "steps": plan.sft_steps, "max_tokens": 2 * plan.max_tokens}
    return {**defaults, "seed": plan.seed, **plan.sft}


def build_grpo_request(plan: Plan, data: TrainingData, model: str) -> Record:
    defaults = {
        "model": model,
        "tasks": list(map(to_rl_task, [*data.rl, *data.mix_rl])),
        "steps": plan.grpo_steps,
        "max_tokens": plan.max_tokens,
        "rollouts": plan.rollouts,
        "limits": plan.build_limits(),
        "stop_after_timeouts": MAX_TIMEOUTS,
        "seed": plan.seed,
    }
    return {**defaults, **plan.grpo}


def build_evaluate_request(plan: Plan, data: TrainingData, model: str) -> Record:
    return {
        "model": model,
        "problems": list(map(to_rl_task, data.held_out)),
        "k": sorted({1, plan.completions}),
        "sampling": {"n": plan.completions, "temperature": 1.0, "max_tokens": plan.max_tokens},
        "limits": plan.build_limits(),
    }


def build_general_request(plan: Plan, data: TrainingData, model: str) -> Record:
    """Build the request for the general benchmark, whose limits come from its reference solutions."""
    return {
        "model": model,
        "rows": data.general,
        "shape": plan.general_shape,
        "k": sorted({1, plan.completions}),
        "sampling": {"n": plan.completions, "temperature": 0.2, "max_tokens": plan.max_tokens},
    }


def check_requests(plan: Plan, data: TrainingData) -> None:
    """Validate all requests now, so that a mistake does not surface after hours of training. Raises BadRequest."""
    try:
        EvaluateRequest.model_validate(build_evaluate_request(plan, data, plan.model))
        SftRequest.model_validate(build_sft_request(plan, data))
        GrpoRequest.model_validate(build_grpo_request(plan, data, "job:sft"))
        if data.general:
            EvaluateRequest.model_validate(build_general_request(plan, data, plan.model))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadRequest(f"{error.title}: {format_dotted_path(first['loc'])}: {first['msg']}") from None
