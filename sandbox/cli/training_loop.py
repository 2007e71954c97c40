"""`sandbox loop`: synthesize tasks, train a model on them and evaluate it, in one command."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Annotated, Any

import typer

from sandbox.cli.console import EXIT_USAGE, Url, connect_to_service, fail, say
from sandbox.cli.synth import Concurrency, Folder, LlmKey, LlmUrl, Seed, read_dataset_rows, run_stages, show_rows

ExtraFields = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="JSON with more fields of the requests, under `sft` and `grpo`."),
]


def loop(
    folder: Folder,
    train: Annotated[str, typer.Option("--train", help="The model to train: a name, or a directory on the GPU host.")],
    sft_steps: Annotated[int, typer.Option(min=1, help="Fine-tuning steps.")] = 100,
    grpo_steps: Annotated[int, typer.Option(min=1, help="Reinforcement learning steps.")] = 50,
    completions: Annotated[int, typer.Option("-n", min=2, help="Completions per held-out task in evaluations.")] = 8,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens per completion.")] = 1_024,
    cpu_time_s: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="CPU time limit of a completion's program; default: ten times that of the golden solutions, at least"
            " 1 s.",
        ),
    ] = None,
    rollouts: Annotated[
        str, typer.Option(help="plain; engine: the warm vLLM server; or colocate: vLLM in the training process.")
    ] = "plain",
    general: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="Rows of a benchmark to evaluate before and after, JSON lines."),
    ] = None,
    general_shape: Annotated[str, typer.Option(help="Their format: humaneval, mbpp or livecodebench.")] = "humaneval",
    mix_share: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="Share of generated function tasks in both trainings.")
    ] = 0.0,
    settings: ExtraFields = None,
    recipe: Annotated[
        str,
        typer.Option(help="A shipped recipe, or the loop.json of another run, whose plan replaces the options."),
    ] = "",
    seed: Seed = 0,
    llm_url: LlmUrl = "",
    llm_key: LlmKey = "",
    concurrency: Concurrency = 16,
    url: Url = "",
) -> None:
    """Create synthetic tasks, solutions and votes, then fine-tune and reinforce a model, and evaluate it.

    FOLDER is a run that `sandbox synth new` created. A fifth of its tasks is held out; the model is evaluated on them
    before, between and after the trainings. After an interruption or a failure, the same command continues.
    """
    from sandbox.synth.pipeline import STAGES
    from sandbox.synth.recipes import read_recipe
    from sandbox.synth.training_loop import StepFailed, TrainingLoop, measure_cpu_limits, read_report, start_engine
    from sandbox.synth.training_plan import Plan, TrainingData
    from sandbox.synth.training_report import draw

    more = _read_extra_fields(settings)
    rows = [] if general is None else _read_rows(general)
    plan = Plan(
        train,
        sft_steps,
        grpo_steps,
        completions,
        max_tokens,
        cpu_time_s or 0.0,
        rollouts,
        seed,
        general_shape if rows else "",
        more.get("sft", {}),
        more.get("grpo", {}),
        mix_share=mix_share,
    )
    if recipe:
        plan = Plan.from_report(read_recipe(recipe), model=train)
    with connect_to_service(url) as client:
        engine_job = start_engine(client, folder, plan.model, say)
        run_stages(folder, STAGES, llm_url, llm_key, concurrency, False, url)
        sft, rl = read_dataset_rows(folder, "sft"), read_dataset_rows(folder, "rl")
        data = TrainingData.from_rows(sft, rl, plan.seed, rows)
        if plan.mix_share:
            data = data.mix(plan.mix_share, plan.seed)
        if not plan.cpu_time_s:
            kept = read_report(folder).get("plan", {})
            limits = (kept.get("cpu_time_s"), kept.get("total_cpu_time_s"))
            limit_s, total_s = limits if limits[0] else measure_cpu_limits(client, data)
            plan = dataclasses.replace(plan, cpu_time_s=limit_s, total_cpu_time_s=total_s)
            say(f"limit: {limit_s:g} s of CPU per test, from the golden solutions")
        try:
            report = TrainingLoop(folder, data, plan, client, say).run(engine_job)
        except StepFailed as failure:
            fail(f"{failure}; run the same command to try again")
        except KeyboardInterrupt:
            fail("interrupted; the current job continues, and the same command waits for it", 130)
    show_rows(report["table"])
    if reason := draw(report, folder / "loop.png"):
        say(f"{folder / 'loop.png'} is not drawn: {reason}")


def _read_rows(path: Path) -> list[dict[str, Any]]:
    try:
        return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except ValueError as error:
        fail(f"{path} has a line that is not JSON: {error}", EXIT_USAGE)


def read_json_object(path: Path) -> dict[str, Any]:
    """Return the object in a JSON file, or exit with a message."""
    try:
        value = json.loads(path.read_bytes())
    except ValueError as error:
        fail(f"{path} is not JSON: {error}", EXIT_USAGE)
    if not isinstance(value, dict):
        fail(f"{path}: expected an object", EXIT_USAGE)
    return value


def _read_extra_fields(path: Path | None) -> dict[str, dict[str, Any]]:
    more = {} if path is None else read_json_object(path)
    if not set(more) <= {"sft", "grpo"}:
        fail(f"{path}: expected an object with only `sft` and `grpo`", EXIT_USAGE)
    return more
