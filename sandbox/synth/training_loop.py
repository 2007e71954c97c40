"""Run the paper's training loop on a run's data: SFT, then RL, with evaluations on held-out tasks around each.

Theory of operation. Each step is a GPU job. `loop.json` in the run's folder records the request and the result of each
step; a step with the same request is not repeated. The idempotency key of a job is derived from its request, so after a
kill the next command finds the jobs under way and waits for them. A failed step is retried by the next command.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from sandbox.client import Client
from sandbox.errors import BadRequest, SandboxError
from sandbox.schema import JobStatus
from sandbox.schema.error_paths import format_dotted_path
from sandbox.schema.gpu import EvaluateRequest, GpuJob, GrpoRequest, SftRequest
from sandbox.synth.resumable_jsonl import Record, dump
from sandbox.synth.study import MessageCallback, exclude_held_out, split, to_rl_task

REPORT_FILE = "loop.json"
STEPS = ("evaluate base", "sft", "evaluate sft", "grpo", "evaluate grpo")


class StepFailed(SandboxError):
    """A job of the loop failed or was cancelled; the message says why."""


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
    sft: dict[str, Any] = field(default_factory=dict)
    grpo: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingData:
    """A run's rows, split so that no held-out task appears in the training rows."""

    sft: list[Record]
    rl: list[Record]
    held_out: list[Record]

    @classmethod
    def from_rows(cls, sft: Sequence[Record], rl: Sequence[Record], seed: int) -> TrainingData:
        """Split the rows. Raises BadRequest if there are too few."""
        train, held_out = split(rl, seed)
        learnt = exclude_held_out(held_out, sft)
        if not learnt:
            raise BadRequest("only held-out tasks have a golden solution: create more tasks")
        return cls(learnt, train, held_out)

    def count_rows(self) -> Record:
        return {"sft_rows": len(self.sft), "rl_tasks": len(self.rl), "held_out_tasks": len(self.held_out)}


class TrainingLoop:
    """The training loop on the data set of one run's folder."""

    def __init__(self, folder: Path, data: TrainingData, plan: Plan, client: Client, say: MessageCallback) -> None:
        self._path = folder / REPORT_FILE
        self._data = data
        self._plan = plan
        self._client = client
        self._say = say
        known = json.loads(self._path.read_bytes()) if self._path.exists() else {}
        self._steps: dict[str, Record] = known.get("steps", {})

    def run(self) -> Record:
        """Run the remaining steps and return the report. Raises StepFailed, and BadRequest before any step."""
        plan = self._plan
        self._check_requests()
        self._run_step("evaluate base", "evaluate", self._build_evaluate_request(plan.model))
        tuned = self._run_step("sft", "train_sft", self._build_sft_request())["result"]["model"]
        self._run_step("evaluate sft", "evaluate", self._build_evaluate_request(tuned))
        reinforced = self._run_step("grpo", "train_grpo", self._build_grpo_request(tuned))["result"]["model"]
        self._run_step("evaluate grpo", "evaluate", self._build_evaluate_request(reinforced))
        return self.build_report()

    def build_report(self) -> Record:
        steps = [self._build_row(name) for name in STEPS if name in self._steps]
        return {"model": self._plan.model, "seed": self._plan.seed, "data": self._data.count_rows(), "table": steps}

    def _check_requests(self) -> None:
        """Validate all requests now, so that a mistake does not surface after hours of training."""
        try:
            EvaluateRequest.model_validate(self._build_evaluate_request(self._plan.model))
            SftRequest.model_validate(self._build_sft_request())
            GrpoRequest.model_validate(self._build_grpo_request("job:sft"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            raise BadRequest(f"{error.title}: {format_dotted_path(first['loc'])}: {first['msg']}") from None

    def _build_sft_request(self) -> Record:
        plan = self._plan
        rows = [{"messages": row["messages"]} for row in self._data.sft]
        defaults = {"model": plan.model, "rows": rows, "steps": plan.sft_steps, "max_tokens": 2 * plan.max_tokens}
        return {**defaults, "seed": plan.seed, **plan.sft}

    def _build_grpo_request(self, model: str) -> Record:
        plan = self._plan
        defaults = {
            "model": model,
            "tasks": list(map(to_rl_task, self._data.rl)),
            "steps": plan.grpo_steps,
            "max_tokens": plan.max_tokens,
            "rollouts": plan.rollouts,
            "limits": {"cpu_time_s": plan.cpu_time_s},
            "seed": plan.seed,
        }
        return {**defaults, **plan.grpo}

    def _build_evaluate_request(self, model: str) -> Record:
        plan = self._plan
        return {
            "model": model,
            "problems": list(map(to_rl_task, self._data.held_out)),
            "k": sorted({1, plan.completions}),
            "sampling": {"n": plan.completions, "temperature": 1.0, "max_tokens": plan.max_tokens},
            "limits": {"cpu_time_s": plan.cpu_time_s},
        }

    def _run_step(self, name: str, kind: str, request: Record) -> Record:
        request_digest = hashlib.sha256(dump(request)).hexdigest()
        known = self._steps.get(name, {})
        if known.get("asked") != request_digest:
            known = {"asked": request_digest, "failures": 0}
            for following in STEPS[STEPS.index(name) :]:
                self._steps.pop(following, None)  # it belongs to another plan
        if "result" in known:
            self._say(f"{name}: already done")
            return known
        job = self._client.start(kind, request, idempotency_key=f"loop-{request_digest}-{known['failures']}")
        self._save_step(name, {**known, "job": job.id, "began": known.get("began", time.time())})
        self._say(f"{name}: job {job.id}; follow it with `sandbox jobs {job.id} --follow`")
        ended = self._client.wait(job.id)
        if ended.status is not JobStatus.FINISHED:
            self._save_step(name, {"asked": request_digest, "failures": known["failures"] + 1, "job": job.id})
            why = ended.error if isinstance(ended, GpuJob) else ""
            raise StepFailed(f"{name}: job {job.id} is {ended.status.value}{why and f': {why}'}")
        result = {key: value for key, value in (ended.result or {}).items() if key != "picture_base64"}
        took_s = round(time.time() - self._steps[name]["began"], 1)
        return self._save_step(name, {**self._steps[name], "took_s": took_s, "result": result})

    def _save_step(self, name: str, step: Record) -> Record:
        """Write the step at once and atomically, so that a kill loses nothing."""
        self._steps[name] = step
        being_written = self._path.with_suffix(".new")
        being_written.write_text(
            json.dumps({**self.build_report(), "steps": self._steps}, indent=2) + "\n", encoding="utf-8"
        )
        being_written.replace(self._path)
        return step

    def _build_row(self, name: str) -> Record:
        """Build a row of the report, with None for what does not apply."""
        step = self._steps[name]
        result = step.get("result", {})
        scores = result.get("all", {})
        return {
            "step": name,
            "job": step.get("job", ""),
            "took_s": step.get("took_s"),
            "steps": result.get("steps"),
            "loss": _round_or_none(result.get("loss_last")),
            "pass@1": _round_or_none(scores.get("pass@1")),
            f"pass@{self._plan.completions}": _round_or_none(scores.get(f"pass@{self._plan.completions}")),
        }


def _round_or_none(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def draw(report: Record, path: Path) -> bool:
    """Plot the pass rates. Return False if matplotlib is not installed."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return False
    rows = [row for row in report["table"] if row["step"].startswith("evaluate")]
    figure = Figure(figsize=(4.5, 3), layout="constrained")
    axes = figure.subplots()
    names = [name for name in rows[0] if name.startswith("pass@")]
    for place, name in enumerate(names):
        width = 0.8 / len(names)
        places = [index + (place + 0.5) * width - 0.4 for index in range(len(rows))]
        axes.bar(places, [row[name] or 0.0 for row in rows], width, label=name)
    axes.set_xticks(range(len(rows)), [row["step"].removeprefix("evaluate ") for row in rows])
    axes.set(ylim=(0, 1), ylabel=f"of {report['data']['held_out_tasks']} held-out tasks")
    axes.legend(frameon=False)
    figure.savefig(path, dpi=90)
    return True
