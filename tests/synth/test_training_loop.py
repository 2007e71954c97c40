"""The steps of the training loop run once, resume after a kill, and are retried after a failure."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

import sandbox
from sandbox.client import Client
from sandbox.client.streams import JobEvent
from sandbox.errors import BadRequest
from sandbox.schema import JobStatus
from sandbox.schema.gpu import REQUEST_MODELS, GpuJob, GpuKind
from sandbox.synth import study
from sandbox.synth.function_tasks import generate_function_tasks
from sandbox.synth.recipes import list_recipes, read_recipe
from sandbox.synth.training_loop import ALL_STEPS, REPORT_FILE, STEPS, StepFailed, TrainingLoop, start_engine
from sandbox.synth.training_plan import Plan, TrainingData, check_requests
from sandbox.synth.training_report import draw

PLAN = Plan("base", sft_steps=3, grpo_steps=2, completions=4, grpo={"learning_rate": 1e-5})


def make_rl_rows(number: int) -> list[dict[str, Any]]:
    tests = [{"stdin": "1\n", "expected": "1\n"}]
    return [
        {"name": f"t{index}", "prompt": f"task {index}", "tests": tests, "difficulty": "easy"}
        for index in range(number)
    ]


def make_sft_rows(number: int) -> list[dict[str, Any]]:
    chat = [{"role": "user", "content": "task"}, {"role": "assistant", "content": "answer"}]
    return [{"name": f"t{index}", "messages": chat, "style": "codeforces"} for index in range(number)]


class FakeGpuService:
    """A service whose GPU jobs end at once. As with the real one, the same key gives the same job."""

    def __init__(self, choose_status: Callable[[str], JobStatus] = lambda kind: JobStatus.FINISHED) -> None:
        self.choose_status = choose_status
        self.build_result: Callable[[int], dict[str, Any]] = lambda number: {}
        self.started: list[tuple[str, Mapping[str, Any]]] = []
        self.progress: list[dict[str, Any]] = []
        self.note = ""
        self._jobs: dict[str, GpuJob] = {}
        self._job_id_by_key: dict[str, str] = {}

    def start(self, kind: str, request: Mapping[str, Any], *, idempotency_key: str = "") -> GpuJob:
        REQUEST_MODELS[GpuKind(kind)].model_validate(request)
        idempotency_key = idempotency_key or f"{len(self.started)}"
        if idempotency_key not in self._job_id_by_key:
            job_id = f"gpu-{len(self.started)}"
            self._job_id_by_key[idempotency_key] = job_id
            self.started.append((kind, request))
            made: dict[str, Any] = {"model": f"job:{job_id}", **self.build_result(len(self.started) - 1)}
            result = {"all": {"pass@1": 0.5, "pass@4": 0.75}} if kind == "evaluate" else made
            status = self.choose_status(kind)
            error = "" if status is JobStatus.FINISHED else "no memory is left"
            self._jobs[job_id] = GpuJob(id=job_id, kind=GpuKind(kind), status=status, result=result, error=error)
        return self._jobs[self._job_id_by_key[idempotency_key]]

    def events(self, job_id: str) -> Iterator[JobEvent]:
        yield JobEvent("state", {"note": self.note})
        for progress in self.progress:
            yield JobEvent("progress", progress)

    def wait(self, job_id: str) -> GpuJob:
        return self._jobs[job_id]


def make_loop(folder: Path, jobs: FakeGpuService, plan: Plan = PLAN) -> TrainingLoop:
    return TrainingLoop(
        folder,
        TrainingData.from_rows(make_sft_rows(10), make_rl_rows(10), plan.seed),
        plan,
        cast(Client, jobs),
        lambda line: None,
    )


def test_each_model_is_evaluated_and_the_next_one_made_of_it(tmp_path: Path) -> None:
    jobs = FakeGpuService()
    report = make_loop(tmp_path, jobs).run()
    assert [kind for kind, _ in jobs.started] == ["evaluate", "train_sft", "evaluate", "train_grpo", "evaluate"]
    models = [request["model"] for _, request in jobs.started]
    assert models == ["base", "base", "job:gpu-1", "job:gpu-1", "job:gpu-3"]
    assert jobs.started[3][1]["learning_rate"] == 1e-5
    assert [row["step"] for row in report["table"]] == list(STEPS)
    assert [row["pass@1"] for row in report["table"]] == [0.5, None, 0.5, None, 0.5]
    assert report["data"] == {"sft_rows": 8, "rl_tasks": 8, "held_out_tasks": 2}
    assert draw(report, tmp_path / "loop.png") == ""
    assert (tmp_path / "loop.png").read_bytes().startswith(b"\x89PNG")
    assert "no evaluation" in draw({**report, "table": []}, tmp_path / "none.png")


def test_requests_times_and_the_plan_are_kept_and_a_report_is_a_recipe(tmp_path: Path) -> None:
    jobs = FakeGpuService()
    jobs.build_result = lambda number: {
        "run_time_s": 2.04,
        "engine": [{"phase": "sleep", "took_s": 0.5}],
        "start": {"took_s": 1.25},
        "timing": {"verdict_share": 0.02},
    }
    report = make_loop(tmp_path, jobs).run()
    sft = report["table"][1]
    assert (sft["took_s"], sft["waited_s"], sft["start_s"], sft["verdict_share"]) == (2.0, 0.0, 1.8, 0.02)
    kept = json.loads((tmp_path / "requests" / "grpo.json").read_bytes())
    assert kept == {"kind": "train_grpo", **jobs.started[3][1]}
    saved = json.loads((tmp_path / REPORT_FILE).read_bytes())
    assert saved["version"] == sandbox.__version__
    assert Plan.from_report(saved) == PLAN
    assert Plan.from_report(saved, model="other").model == "other"
    for wrong in ({}, {"plan": {"model": "m", "unknown": 1}}):
        with pytest.raises(BadRequest, match="plan"):
            Plan.from_report(wrong)


def test_the_progress_of_a_step_is_said(tmp_path: Path) -> None:
    jobs, said = FakeGpuService(), list[str]()
    jobs.note = "no GPU worker is alive"
    jobs.progress = [
        {"message": "the engine starts: compiling (20 s)"},
        {"message": "the engine starts: compiling (20 s)"},
        {"step": 3, "total": 9, "reward": 0.25, "tokens_per_s": 1234.5},
        {"message": "held out, after", "step": 9, "total": 9},
    ]
    data = TrainingData.from_rows(make_sft_rows(10), make_rl_rows(10), 0)
    TrainingLoop(tmp_path, data, PLAN, cast(Client, jobs), said.append).run()
    assert said[:4] == [
        "evaluate base: job gpu-0",
        "evaluate base: no GPU worker is alive",
        "evaluate base: the engine starts: compiling (20 s)",
        "evaluate base: held out, after, 9 of 9",
    ]


def test_a_general_benchmark_is_evaluated_before_and_after(tmp_path: Path) -> None:
    jobs = FakeGpuService()
    row = {"task_id": 1, "text": "Add.", "test_list": ["assert add(1, 2) == 3"]}
    data = TrainingData.from_rows(make_sft_rows(10), make_rl_rows(10), 0, [row])
    plan = replace(PLAN, general_shape="mbpp")
    make_loop(tmp_path, jobs).run()
    report = TrainingLoop(tmp_path, data, plan, cast(Client, jobs), lambda line: None).run()
    assert [kind for kind, _ in jobs.started[len(STEPS) :]] == ["evaluate", "evaluate"], "nothing is trained again"
    assert [row["step"] for row in report["table"]] == list(ALL_STEPS[1:])
    models = [request["model"] for _, request in jobs.started if "rows" in request and "shape" in request]
    assert models == ["base", "job:gpu-3"]
    assert report["data"]["general_problems"] == 1


def test_generated_function_tasks_are_mixed_into_both_trainings_only(tmp_path: Path) -> None:
    jobs = FakeGpuService()
    data = TrainingData.from_rows(make_sft_rows(10), make_rl_rows(10), 0).mix(0.2, seed=0)
    report = TrainingLoop(tmp_path, data, PLAN, cast(Client, jobs), lambda line: None).run()
    assert report["data"] == {
        "sft_rows": 8,
        "rl_tasks": 8,
        "held_out_tasks": 2,
        "mixed_sft_rows": 2,
        "mixed_rl_tasks": 2,
    }
    sft, grpo = jobs.started[1][1], jobs.started[3][1]
    assert ["def " in row["messages"][-1]["content"] for row in sft["rows"]] == [False] * 8 + [True] * 2
    assert ["assert" in task["tests"][0] for task in grpo["tasks"]] == [False] * 8 + [True] * 2
    assert all(len(jobs.started[place][1]["problems"]) == 2 for place in (0, 2, 4))
    assert grpo["stop_after_timeouts"] == 2


def test_shipped_recipes_are_plans(tmp_path: Path) -> None:
    assert "warm-engine" in list_recipes()
    for name in list_recipes():
        plan = Plan.from_report(read_recipe(name), model="mine")
        check_requests(replace(plan, cpu_time_s=1.0), TrainingData.from_rows(make_sft_rows(10), make_rl_rows(10), 0))
    path = tmp_path / "loop.json"
    path.write_text("[]")
    for wrong in (str(path), "no-such-recipe"):
        with pytest.raises(BadRequest, match="recipe"):
            read_recipe(wrong)


def test_function_tasks_are_solved_by_their_references(tmp_path: Path) -> None:
    tasks = generate_function_tasks(60, 3)
    assert tasks == generate_function_tasks(60, 3)
    for task in tasks:
        program = "\n".join([task.head + task.body, *(test.assertion for test in task.tests)])
        exec(compile(program, task.name, "exec"), {})
    assert len({task.head for task in tasks}) == 60


def test_the_engine_starts_once_while_the_tasks_are_prepared(tmp_path: Path) -> None:
    jobs = FakeGpuService()
    job = start_engine(cast(Client, jobs), tmp_path, "base", lambda line: None)
    assert [(kind, request["model"]) for kind, request in jobs.started] == [("generate", "base")]
    report = make_loop(tmp_path, jobs).run(job)
    assert [row["step"] for row in report["table"]] == ["engine", *STEPS]
    number = len(jobs.started)
    assert start_engine(cast(Client, jobs), tmp_path, "base", lambda line: None) == ""
    assert len(jobs.started) == number


def test_what_is_held_out_is_in_nothing_that_is_learnt_from() -> None:
    data = TrainingData.from_rows(make_sft_rows(10), make_rl_rows(10), 7)
    held_out = {row["name"] for row in data.held_out}
    assert held_out.isdisjoint(row["name"] for row in [*data.sft, *data.rl])
    assert TrainingData.from_rows(make_sft_rows(10), make_rl_rows(10), 7) == data
    with pytest.raises(BadRequest, match="golden"):
        TrainingData.from_rows([row for row in make_sft_rows(10) if row["name"] in held_out], make_rl_rows(10), 7)
    with pytest.raises(BadRequest, match="too few"):
        TrainingData.from_rows(make_sft_rows(1), make_rl_rows(1), 7)


def test_a_second_run_does_nothing_again(tmp_path: Path) -> None:
    jobs = FakeGpuService()
    first = make_loop(tmp_path, jobs).run()
    assert make_loop(tmp_path, jobs).run() == first
    assert len(jobs.started) == len(STEPS)


def test_after_a_kill_the_job_that_was_started_is_waited_for(tmp_path: Path) -> None:
    jobs = FakeGpuService()

    def interrupt_wait(job_id: str) -> GpuJob:
        if job_id == "gpu-1":
            raise KeyboardInterrupt
        return jobs._jobs[job_id]

    jobs.wait = interrupt_wait  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        make_loop(tmp_path, jobs).run()
    jobs.wait = lambda job_id: jobs._jobs[job_id]  # type: ignore[method-assign]
    make_loop(tmp_path, jobs).run()
    assert [kind for kind, _ in jobs.started].count("train_sft") == 1


def test_a_step_that_failed_says_why_and_is_tried_anew(tmp_path: Path) -> None:
    jobs = FakeGpuService(lambda kind: JobStatus.FAILED if kind == "train_grpo" else JobStatus.FINISHED)
    with pytest.raises(StepFailed, match="grpo: job gpu-3 is failed: no memory is left"):
        make_loop(tmp_path, jobs).run()
    assert [row["step"] for row in json.loads((tmp_path / REPORT_FILE).read_bytes())["table"]] == list(STEPS[:4])
    jobs.choose_status = lambda kind: JobStatus.FINISHED
    make_loop(tmp_path, jobs).run()
    assert [kind for kind, _ in jobs.started].count("train_grpo") == 2
    assert [kind for kind, _ in jobs.started].count("train_sft") == 1


@pytest.mark.parametrize("wrong", [{"sft": {"batch": 0}}, {"grpo": {"rollout": "colocate"}}, {"rollouts": "fast"}])
def test_a_mistake_in_the_plan_is_said_before_anything_is_begun(tmp_path: Path, wrong: dict[str, Any]) -> None:
    jobs = FakeGpuService()
    with pytest.raises(BadRequest, match=r"batch|rollout"):
        make_loop(tmp_path, jobs, Plan("base", **wrong)).run()
    assert not jobs.started


def test_another_plan_is_done_from_where_it_differs(tmp_path: Path) -> None:
    jobs = FakeGpuService()
    make_loop(tmp_path, jobs).run()
    make_loop(tmp_path, jobs, Plan("base", sft_steps=3, grpo_steps=9, completions=4)).run()
    assert [kind for kind, _ in jobs.started[len(STEPS) :]] == ["train_grpo", "evaluate"]


def test_what_another_plan_came_to_is_not_told_as_this_ones(tmp_path: Path) -> None:
    make_loop(tmp_path, FakeGpuService()).run()
    jobs = FakeGpuService(lambda kind: JobStatus.FAILED if kind == "train_sft" else JobStatus.FINISHED)
    with pytest.raises(StepFailed):
        make_loop(tmp_path, jobs, Plan("base", sft_steps=4, grpo_steps=2, completions=4)).run()
    assert [row["step"] for row in json.loads((tmp_path / REPORT_FILE).read_bytes())["table"]] == list(STEPS[:2])


@pytest.mark.parametrize(("kind", "result"), [("train_sft", "pass_rate"), ("train_grpo", "held_out_after")])
def test_a_study_keeps_the_pass_rates_of_each_point_and_their_mean(tmp_path: Path, kind: str, result: str) -> None:
    jobs = FakeGpuService()
    name = "scaling" if kind == "train_sft" else "labels"
    if name == "scaling":
        points = study.prepare_scaling_study(tmp_path, make_sft_rows(10), make_rl_rows(10), (0.5, 1.0), 0)
    else:
        points = study.prepare_label_noise_study(tmp_path, make_rl_rows(10), (0.5, 1.0), 0)
    jobs.build_result = lambda number: {result: number / 4}
    trained = study.train(cast(Client, jobs), points, {"model": "base", "steps": 3}, 2, lambda line: None)
    study.save_points(tmp_path, name, trained)
    kept = json.loads((tmp_path / study.STUDIES_FOLDER / f"{name}.json").read_bytes())
    assert [(point["point"], point["pass_rates"]) for point in kept] == [("0.5", [0.0, 0.25]), ("1", [0.5, 0.75])]
    assert [point["pass_rate"] for point in kept] == [0.125, 0.625]
    assert [(request["steps"], request["seed"]) for _, request in jobs.started] == [(3, 0), (3, 1)] * 2
    assert (tmp_path / study.STUDIES_FOLDER / f"{name}.png").read_bytes().startswith(b"\x89PNG")
