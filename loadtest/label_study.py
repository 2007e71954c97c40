"""Measure whether better labels train better models: label the same tasks in four ways, and run GRPO on each.

    python -m loadtest.label_study --model NAME --out FOLDER

A service and a GPU worker run at --url. `loadtest.label_study_tasks` describes the tasks and their candidates. The
labels are:

- `x-coder`: X-Coder's vote over all inputs.
- `default`: this service's default vote over all inputs.
- `new`: with a validator of inputs, a slow program that votes with a veto where there is one (half of the tasks), and
  weights by leave-one-out AUC.
- `truth`: the outputs of the reference.

A model that was fine-tuned on other tasks is trained with GRPO on each set of labels, with several seeds. `pass_rate`
is pass@1 on held-out tasks with true tests. `hacking_rate` is the share of wrong programs (by hidden tests) among those
that the labels accept, on training tasks. `study.json` is written after each training, and the same command continues.

With `--wrong-sft`, a share of the rows for the fine-tuning has the wrong idea of its task. The model then writes wrong
programs that wrong labels can reward. Without it, the fine-tuned model is right on nearly all tasks, and the labels
cannot make a difference.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from loadtest.gpu_requests import JobFailed, say
from loadtest.label_study_tasks import (
    KINDS,
    LIMITS,
    StudyTask,
    Tests,
    build_vote_request,
    describe_labels,
    find_changed_settings,
    list_missing,
    make_sft_rows,
    make_study_tasks,
    summarize_hacking,
)
from sandbox.client import Client
from sandbox.gpu.training.toy_tasks import generate_tasks
from sandbox.rewards.extraction import extract
from sandbox.runner.contract import Verdict
from sandbox.schema import JobStatus
from sandbox.schema.gpu import GpuJob

CONCURRENT_VOTES = 8
MAY_CHANGE = ("seeds",)  # more seeds add rows to a kept study


def label(client: Client, tasks: Sequence[StudyTask], kind: str) -> list[Tests]:
    """Return the labeled tests of each task, an empty list for a task without labels."""
    if kind == "truth":
        return [one.truth for one in tasks]
    with ThreadPoolExecutor(CONCURRENT_VOTES) as pool:
        results = list(pool.map(lambda one: client.vote(build_vote_request(one, kind)), tasks))
    return [[test.model_dump(mode="json", exclude_unset=True) for test in one.test_set.tests] for one in results]


class Study:
    """The trainings and measurements of one study, whose results are kept in a file."""

    def __init__(self, client: Client, options: argparse.Namespace) -> None:
        self._client = client
        self._options = options
        self._path: Path = options.out / "study.json"
        self.report: dict[str, Any] = {"rows": [], "labels": {}}
        if self._path.exists():
            self.report = json.loads(self._path.read_bytes())
        settings = select_settings(options)
        # A setting that a kept study lacks is younger than the study, which ran with its default.
        kept = {**select_settings(build_parser().parse_args(["--out", ""])), **self.report.get("settings", settings)}
        if changed := find_changed_settings(kept, settings, MAY_CHANGE):
            raise SystemExit(f"{self._path} has other settings ({'; '.join(changed)}); choose another --out")
        self.report["settings"] = settings
        self._tasks = make_study_tasks(options.tasks, 0)
        self._held_out = generate_tasks(options.held_out, 1_000, held_out=True)

    def run(self) -> None:
        """Run what is missing, one seed after the other, so that a cut-off study compares all labels."""
        tuned = self._tune()
        labels = {kind: label(self._client, self._tasks, kind) for kind in KINDS}
        self.report["labels"] = {kind: describe_labels(self._tasks, tests) for kind, tests in labels.items()}
        say(f"labels: {self.report['labels']}")
        for seed, kind in list_missing(self.report["rows"], self._options.seeds):
            self.report["rows"].append(self._measure(tuned, kind, labels[kind], seed))
            self._save()

    def _tune(self) -> str:
        """Fine-tune the base model on other tasks, so that there is something to reinforce; return its name."""
        if "tuned" not in self.report:
            rows = make_sft_rows(self._options.sft_rows, self._options.wrong_sft)
            request = {"model": self._options.model, "rows": rows, "steps": self._options.sft_steps, "max_tokens": 512}
            settings = {"lr_scheduler_type": "constant", "gradient_checkpointing": False}
            result = self._run_job("train_sft", {**request, "save_steps": 10_000, "settings": settings})
            self.report["tuned"] = {"model": result["model"], "pass_rate": self._measure_pass_rate(result["model"])}
            self._save()
        model: str = self.report["tuned"]["model"]
        return model

    def _measure(self, model: str, kind: str, labels: Sequence[Tests], seed: int) -> dict[str, Any]:
        options = self._options
        tasks = [
            {**one.task.to_rl_task().model_dump(mode="json", exclude_unset=True), "tests": tests}
            for one, tests in zip(self._tasks, labels, strict=True)
            if tests
        ]
        request = {"model": model, "tasks": tasks, "steps": options.steps, "prompts_per_step": options.prompts}
        request |= {"learning_rate": options.rate, "max_tokens": options.max_tokens, "rollouts": options.rollouts}
        request |= {"limits": LIMITS, "stop_after_timeouts": 2, "save_steps": 10_000, "seed": seed}
        result = self._run_job("train_grpo", request)
        row = {
            "seed": seed,
            "labels": kind,
            "pass_rate": self._measure_pass_rate(result["model"]),
            **self._measure_hacking(result["model"], labels),
            "run_time_s": result["run_time_s"],
            "timing": result["timing"],
        }
        say(f"{kind}, seed {seed}: {row['pass_rate']} held out, {row['hacking_rate']} of the accepted are wrong")
        return row

    def _measure_pass_rate(self, model: str) -> float | None:
        problems = [task.to_rl_task().model_dump(mode="json", exclude_unset=True) for task in self._held_out]
        sampling = {"n": 4, "temperature": 1.0, "max_tokens": self._options.max_tokens}
        result = self._run_job(
            "evaluate", {"model": model, "problems": problems, "sampling": sampling, "limits": LIMITS}
        )
        rate: float | None = result["all"]["pass@1"]
        return rate

    def _measure_hacking(self, model: str, labels: Sequence[Tests]) -> dict[str, Any]:
        """Judge completions of training tasks by the labels and by the hidden tests."""
        chosen = [(one, tests) for one, tests in zip(self._tasks, labels, strict=True) if tests][: self._options.probes]
        job = self._client.start(
            "generate",
            {
                "model": model,
                "messages": [[{"role": "user", "content": one.task.to_rl_task().prompt}] for one, _ in chosen],
                "sampling": {"n": 4, "temperature": 1.0, "max_tokens": self._options.max_tokens},
            },
        )
        programs: list[tuple[str, int]] = []
        for event in self._client.events(job.id):
            if event.event == "completion":
                found = [extract(text, "python") for text in event.data["completions"]]
                programs += [(answer.code, event.data["prompt"]) for answer in found if answer is not None]
        self._get_result(job.id)  # a job that failed has only some of the completions
        accepted = self._judge(programs, [tests for _, tests in chosen])
        right = self._judge(programs, [one.hidden for one, _ in chosen])
        return summarize_hacking(accepted, right)

    def _judge(self, programs: Sequence[tuple[str, int]], tests: Sequence[Tests]) -> list[bool]:
        submissions = [
            {"language": "python", "code": code, "tests": tests[place], "limits": LIMITS, "stop_on_failure": True}
            for code, place in programs
        ]
        if not submissions:
            return []
        verdicts = [result.verdict for result in self._client.verify_batch(submissions)]
        if failed := verdicts.count(Verdict.INTERNAL_ERROR):
            raise JobFailed(f"the service could not judge {failed} of {len(verdicts)} programs")
        return [verdict is Verdict.ACCEPTED for verdict in verdicts]

    def _run_job(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        return self._get_result(self._client.start(kind, request).id)

    def _get_result(self, job: str) -> dict[str, Any]:
        """Wait until a job ends and return its result. Raises JobFailed if it has none."""
        ended = self._client.wait(job)
        if not isinstance(ended, GpuJob) or ended.result is None or ended.status is not JobStatus.FINISHED:
            raise JobFailed(f"{job} {ended.status}: {ended}")
        return dict(ended.result)

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self.report, indent=1) + "\n", encoding="utf-8")


def select_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options that decide what a study measures."""
    return {name: value for name, value in vars(options).items() if name not in ("out", "url")}


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2", help="name in the GPU worker's folder")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rollouts", choices=["plain", "engine", "colocate"], default="engine")
    parser.add_argument("--rate", type=float, default=1e-5, help="learning rate of GRPO")
    parser.add_argument("--wrong-sft", type=float, default=0.0, help="share of fine-tuning rows with a wrong idea")
    numbers = {"tasks": 160, "seeds": 3, "steps": 20, "prompts": 16, "sft-rows": 960, "sft-steps": 60}
    for name, default in {**numbers, "held-out": 128, "probes": 64, "max-tokens": 128}.items():
        parser.add_argument(f"--{name}", type=int, default=default)
    return parser


def main() -> None:
    from loadtest.label_study_plot import draw

    options = build_parser().parse_args()
    with Client(options.url) as client:
        study = Study(client, options)
        study.run()
    draw(study.report, options.out / "study.png")


if __name__ == "__main__":
    main()
