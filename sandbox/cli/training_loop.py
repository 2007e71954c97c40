"""`sandbox loop`: synthesize tasks, train a model on them and evaluate it, in one command."""

from __future__ import annotations

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
    cpu_time_s: Annotated[float, typer.Option(min=0.01, help="CPU time limit of a completion's program.")] = 2.0,
    rollouts: Annotated[str, typer.Option(help="plain, or colocate: vLLM on the training GPUs.")] = "plain",
    settings: ExtraFields = None,
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
    from sandbox.synth.training_loop import Plan, StepFailed, TrainingData, TrainingLoop, draw

    more = _read_extra_fields(settings)
    run_stages(folder, STAGES, llm_url, llm_key, concurrency, False, url)
    data = TrainingData.from_rows(read_dataset_rows(folder, "sft"), read_dataset_rows(folder, "rl"), seed)
    plan = Plan(train, sft_steps, grpo_steps, completions, max_tokens, cpu_time_s, rollouts, seed, **more)
    with connect_to_service(url) as client:
        try:
            report = TrainingLoop(folder, data, plan, client, say).run()
        except StepFailed as failure:
            fail(f"{failure}; run the same command to try again")
        except KeyboardInterrupt:
            fail("interrupted; the current job continues, and the same command waits for it", 130)
    show_rows(report["table"])
    draw(report, folder / "loop.png")


def _read_extra_fields(path: Path | None) -> dict[str, dict[str, Any]]:
    if path is None:
        return {}
    try:
        more = json.loads(path.read_bytes())
    except ValueError as error:
        fail(f"{path} is not JSON: {error}", EXIT_USAGE)
    if not isinstance(more, dict) or not set(more) <= {"sft", "grpo"}:
        fail(f"{path}: expected an object with only `sft` and `grpo`", EXIT_USAGE)
    return more
