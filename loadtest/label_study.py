"""Measure whether better labels train better models: label the same tasks in four ways, and run GRPO on each.

    python -m loadtest.label_study --model NAME --out FOLDER

A service and a GPU worker run at --url. The tasks come from `sandbox.gpu.training.toy_tasks`, so their truth is known.
Each task has eight candidates. Wrong ones are correlated: four in five share one wrong idea, which belongs to the last
step of the task, so that it returns in other tasks. On a third of the tasks, right candidates are expected to be a
minority. Two inputs of each task are invalid. The labels are:

- `x-coder`: X-Coder's vote over all inputs.
- `default`: this service's default vote over all inputs.
- `new`: with a validator of inputs, a slow program that votes with a veto where there is one (half of the tasks), and
  weights by leave-one-out AUC.
- `truth`: the outputs of the reference.

A model that was fine-tuned on other tasks is trained with GRPO on each set of labels, with several seeds. `pass_rate`
is pass@1 on held-out tasks with true tests. `hacking_rate` is the share of wrong programs (by hidden tests) among those
that the labels accept, on training tasks. `study.json` is written after each training, and the same command continues.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadtest.gpu_requests import JobFailed, say
from sandbox.client import Client
from sandbox.gpu.training.toy_tasks import INPUT_FORMATS, OUTPUTS, ToyTask, generate_tasks
from sandbox.rewards.extraction import extract
from sandbox.runner.contract import Verdict
from sandbox.schema import JobStatus
from sandbox.schema.gpu import GpuJob

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
CONCURRENT_VOTES = 8
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


def label(client: Client, tasks: Sequence[StudyTask], kind: str) -> list[Tests]:
    """Return the labeled tests of each task, an empty list for a task without labels."""
    if kind == "truth":
        return [one.truth for one in tasks]
    with ThreadPoolExecutor(CONCURRENT_VOTES) as pool:
        results = list(pool.map(lambda one: client.vote(build_vote_request(one, kind)), tasks))
    return [[test.model_dump(mode="json", exclude_unset=True) for test in one.test_set.tests] for one in results]


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


class Study:
    """The trainings and measurements of one study, whose results are kept in a file."""

    def __init__(self, client: Client, options: argparse.Namespace) -> None:
        self._client = client
        self._options = options
        self._path: Path = options.out / "study.json"
        self.report: dict[str, Any] = {"rows": [], "labels": {}}
        if self._path.exists():
            self.report = json.loads(self._path.read_bytes())
        settings = {name: value for name, value in vars(options).items() if name not in ("out", "url")}
        self.report["settings"] = settings
        self._tasks = make_study_tasks(options.tasks, 0)
        self._held_out = generate_tasks(options.held_out, 1_000, held_out=True)

    def run(self) -> None:
        """Run what is missing, one seed after the other, so that a cut-off study compares all labels."""
        tuned = self._tune()
        labels = {kind: label(self._client, self._tasks, kind) for kind in KINDS}
        self.report["labels"] = {kind: describe_labels(self._tasks, tests) for kind, tests in labels.items()}
        say(f"labels: {self.report['labels']}")
        done = {(row["seed"], row["labels"]) for row in self.report["rows"]}
        for seed in range(self._options.seeds):
            for kind in KINDS:
                if (seed, kind) not in done:
                    self.report["rows"].append(self._measure(tuned, kind, labels[kind], seed))
                    self._save()

    def _tune(self) -> str:
        """Fine-tune the base model on other tasks, so that there is something to reinforce; return its name."""
        if "tuned" not in self.report:
            rows = [task.to_sft_row().model_dump(mode="json") for task in generate_tasks(self._options.sft_rows, 90)]
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
        return [result.verdict is Verdict.ACCEPTED for result in self._client.verify_batch(submissions)]

    def _run_job(self, kind: str, request: Mapping[str, Any]) -> dict[str, Any]:
        ended = self._client.wait(self._client.start(kind, request).id)
        if not isinstance(ended, GpuJob) or ended.result is None or ended.status is not JobStatus.FINISHED:
            raise JobFailed(f"{kind} {ended.id} {ended.status}: {ended}")
        return dict(ended.result)

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_text(json.dumps(self.report, indent=1) + "\n", encoding="utf-8")


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


def build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="smollm2", help="name in the GPU worker's folder")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--rollouts", choices=["plain", "engine", "colocate"], default="engine")
    parser.add_argument("--rate", type=float, default=1e-5, help="learning rate of GRPO")
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
