"""Run the paper's training loop on a run's data: SFT, then RL, with evaluations on held-out tasks around each.

Theory of operation. Each step is a GPU job. `loop.json` in the run's folder records the plan and the result of each
step, and `requests/` the requests; a step with the same request is not repeated. The idempotency key of a job is
derived from its request, so after a kill the next command finds the jobs under way and waits for them. A failed step is
retried by the next command. The first evaluation needs the engine, so `start_engine` starts it during the synthesis.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sandbox
from sandbox.client import Client
from sandbox.errors import SandboxError
from sandbox.runner.contract import Verdict
from sandbox.schema import JobStatus
from sandbox.schema.gpu import GpuJob
from sandbox.synth.resumable_jsonl import Record, dump
from sandbox.synth.study import MessageCallback
from sandbox.synth.training_plan import (
    Plan,
    TrainingData,
    build_evaluate_request,
    build_general_request,
    build_grpo_request,
    build_sft_request,
    check_requests,
)
from sandbox.synth.training_report import build_row

REPORT_FILE = "loop.json"
REQUESTS_FOLDER = "requests"
STEPS = ("evaluate base", "sft", "evaluate sft", "grpo", "evaluate grpo")
GENERAL_STEPS = ("general base", "general grpo")
ENGINE_STEP = "engine"
ALL_STEPS = (
    ENGINE_STEP,
    "evaluate base",
    "general base",
    "sft",
    "evaluate sft",
    "grpo",
    "evaluate grpo",
    "general grpo",
)
SAY_INTERVAL_S = 10.0
# A program gets this many times the CPU time of the slowest golden solution, and at least `MIN_LIMIT_S`.
LIMIT_FACTOR = 10.0
MIN_LIMIT_S = 1.0
MAX_REFERENCES = 64


class StepFailed(SandboxError):
    """A job of the loop failed or was cancelled; the message says why."""


def read_report(folder: Path) -> Record:
    """Return the report of earlier commands, empty if there is none."""
    path = folder / REPORT_FILE
    report: Record = json.loads(path.read_bytes()) if path.exists() else {}
    return report


def start_engine(client: Client, folder: Path, model: str, say: MessageCallback) -> str:
    """Let a GPU worker start the engine and return the job, empty if the first evaluation has its result already."""
    if "result" in read_report(folder).get("steps", {}).get(STEPS[0], {}):
        return ""
    job = client.start("generate", {"model": model, "prompts": ["Hello"], "sampling": {"max_tokens": 1}})
    say(f"{ENGINE_STEP}: job {job.id} starts it, while the tasks are prepared")
    return job.id


def measure_cpu_limits(client: Client, data: TrainingData) -> tuple[float, float]:
    """Return the CPU limits of a program in whole seconds, for each test and for all its tests together.

    They follow from the time that golden solutions take on their tests.
    """
    results = client.verify_batch(data.list_references()[:MAX_REFERENCES])
    times_s = [[test.usage.cpu_time_s for test in one.tests] for one in results if one.verdict is Verdict.ACCEPTED]
    limit_s = _round_limit(max((max(times, default=0.0) for times in times_s), default=0.0))
    return limit_s, max(limit_s, _round_limit(max(map(sum, times_s), default=0.0)))


def _round_limit(reference_s: float) -> float:
    return max(MIN_LIMIT_S, float(math.ceil(LIMIT_FACTOR * reference_s)))


class TrainingLoop:
    """The training loop on the data set of one run's folder."""

    def __init__(self, folder: Path, data: TrainingData, plan: Plan, client: Client, say: MessageCallback) -> None:
        self._folder = folder
        self._data = data
        self._plan = plan
        self._client = client
        self._say = say
        self._steps: dict[str, Record] = read_report(folder).get("steps", {})

    def run(self, engine_job: str = "") -> Record:
        """Run the remaining steps and return the report. Raises StepFailed, and BadRequest before any step.

        `engine_job` is the job that `start_engine` returned.
        """
        plan, data = self._plan, self._data
        check_requests(plan, data)
        if engine_job:
            self._wait_for_engine(engine_job)
        self._evaluate("base", plan.model)
        tuned = self._run_step("sft", "train_sft", build_sft_request(plan, data))["result"]["model"]
        self._evaluate("sft", tuned)
        reinforced = self._run_step("grpo", "train_grpo", build_grpo_request(plan, data, tuned))["result"]["model"]
        self._evaluate("grpo", reinforced)
        return self.build_report()

    def build_report(self) -> Record:
        steps = [
            build_row(name, self._steps[name], self._plan.completions) for name in ALL_STEPS if name in self._steps
        ]
        return {
            "model": self._plan.model,
            "seed": self._plan.seed,
            "version": sandbox.__version__,
            "plan": asdict(self._plan),
            "data": self._data.count_rows(),
            "table": steps,
        }

    def _evaluate(self, name: str, model: str) -> None:
        """Evaluate a model on the held-out tasks and, before and after all training, on the general benchmark."""
        self._run_step(f"evaluate {name}", "evaluate", build_evaluate_request(self._plan, self._data, model))
        if self._data.general and f"general {name}" in GENERAL_STEPS:
            self._run_step(f"general {name}", "evaluate", build_general_request(self._plan, self._data, model))

    def _wait_for_engine(self, job_id: str) -> None:
        """Wait until the engine has started. If that fails, the first evaluation reports why."""
        self._say_progress(ENGINE_STEP, job_id)
        ended = self._client.wait(job_id)
        if ended.status is JobStatus.FINISHED:
            result = ended.result or {}
            self._save_step(ENGINE_STEP, {"job": job_id, "took_s": result.get("run_time_s"), "result": result})

    def _run_step(self, name: str, kind: str, request: Record) -> Record:
        request_digest = hashlib.sha256(dump(request)).hexdigest()
        known = self._steps.get(name, {})
        if known.get("asked") != request_digest:
            known = {"asked": request_digest, "failures": 0}
            following = () if name in GENERAL_STEPS else ALL_STEPS[ALL_STEPS.index(name) :]
            for step in (name, *following):
                self._steps.pop(step, None)  # it belongs to another plan
        if "result" in known:
            self._say(f"{name}: already done")
            return known
        self._save_request(name, {"kind": kind, **request})
        job = self._client.start(kind, request, idempotency_key=f"loop-{request_digest}-{known['failures']}")
        self._save_step(name, {**known, "job": job.id, "began": known.get("began", time.time())})
        self._say(f"{name}: job {job.id}")
        self._say_progress(name, job.id)
        ended = self._client.wait(job.id)
        if ended.status is not JobStatus.FINISHED:
            self._save_step(name, {"asked": request_digest, "failures": known["failures"] + 1, "job": job.id})
            why = ended.error if isinstance(ended, GpuJob) else ""
            raise StepFailed(f"{name}: job {job.id} is {ended.status.value}{why and f': {why}'}")
        result = {key: value for key, value in (ended.result or {}).items() if key != "picture_base64"}
        passed_s = time.time() - self._steps[name]["began"]
        took_s = result.get("run_time_s", passed_s)
        times = {"took_s": round(took_s, 1), "waited_s": round(max(0.0, passed_s - took_s), 1)}
        return self._save_step(name, {**self._steps[name], **times, "result": result})

    def _say_progress(self, name: str, job_id: str) -> None:
        """Say what a job does until it ends: each new message, a step every few seconds, and why it does not start."""
        said, said_at = "", 0.0
        for event in self._client.events(job_id):
            if note := event.data.get("note", "") if event.event == "state" else "":
                self._say(f"{name}: {note}")
            if event.event != "progress":
                continue
            words, now = describe_progress(event.data), time.monotonic()
            if words and (event.data.get("message", "") not in ("", said) or now >= said_at + SAY_INTERVAL_S):
                said, said_at = event.data.get("message", ""), now
                self._say(f"{name}: {words}")

    def _save_request(self, name: str, request: Record) -> None:
        path = self._folder / REQUESTS_FOLDER / f"{name.replace(' ', '-')}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(dump(request))

    def _save_step(self, name: str, step: Record) -> Record:
        """Write the step at once and atomically, so that a kill loses nothing."""
        self._steps[name] = step
        path = self._folder / REPORT_FILE
        being_written = path.with_suffix(".new")
        being_written.write_text(
            json.dumps({**self.build_report(), "steps": self._steps}, indent=2) + "\n", encoding="utf-8"
        )
        being_written.replace(path)
        return step


def describe_progress(progress: Mapping[str, Any]) -> str:
    """Return the words and numbers of a job's progress in one line."""
    known = [progress.get("message", "")]
    if progress.get("total"):
        known.append(f"{progress.get('step', 0)} of {progress['total']}")
    for name, unit in (("loss", ""), ("reward", ""), ("pass_rate", ""), ("tokens_per_s", " tokens/s")):
        if progress.get(name) is not None:
            known.append(f"{progress[name]:.4g}{unit}" if unit else f"{name.replace('_', ' ')} {progress[name]:.4g}")
    return ", ".join(filter(None, known))
