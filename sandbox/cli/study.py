"""`sandbox synth study`: studies of budget, data size and wrong labels on a run's data."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sandbox.cli.console import EXIT_USAGE, Url, connect_to_service, fail, say
from sandbox.cli.synth import Folder, Seed, open_pipeline, read_dataset_rows, resolve_service_url, show_rows

app = typer.Typer(
    no_args_is_help=True, rich_markup_mode="markdown", help="Run studies: budget, data size, wrong labels."
)

Steps = Annotated[int, typer.Option(min=1, help="Steps per training job.")]
Repeats = Annotated[int, typer.Option(min=1, help="Trainings per point, with consecutive seeds.")]
ExtraFields = Annotated[
    Path | None, typer.Option("--settings", exists=True, dir_okay=False, help="JSON with more fields for each request.")
]
TrainModel = Annotated[
    str, typer.Option("--train", help="Train this model on each point with GPU jobs, and wait for them.")
]


@app.command()
def budget(
    folder: Folder,
    solutions: Annotated[int, typer.Option(min=2, help="Total number of solutions to use from the run.")],
    url: Url = "",
) -> None:
    """Compare more tasks with more solutions per task at a fixed budget, by real votes on parts of a run."""
    import asyncio

    from sandbox.client import AsyncClient
    from sandbox.synth.study import run_budget_study as study_budget

    async def run_votes() -> list[dict[str, Any]]:
        async with AsyncClient(resolve_service_url(url)) as client:
            return await study_budget(open_pipeline(folder), client, solutions, say)

    show_rows(asyncio.run(run_votes()))


@app.command()
def scaling(
    folder: Folder,
    part: Annotated[list[float], typer.Option(help="Share of the SFT rows; may be repeated.")] = [0.25, 0.5, 1.0],  # noqa: B006
    train: TrainModel = "",
    steps: Steps = 100,
    repeats: Repeats = 1,
    settings: ExtraFields = None,
    seed: Seed = 0,
    url: Url = "",
) -> None:
    """Study data size: create nested parts of the SFT rows and, with --train, run a training job on each."""
    from sandbox.synth.study import prepare_scaling_study as study_scaling

    sft, rl = read_dataset_rows(folder, "sft"), read_dataset_rows(folder, "rl")
    _run_training_study(
        folder,
        "scaling",
        lambda: study_scaling(folder, sft, rl, part, seed),
        train,
        _read_extra_fields(settings, steps),
        repeats,
        url,
    )


@app.command()
def labels(
    folder: Folder,
    wrong: Annotated[list[float], typer.Option(help="Share of wrong labels; may be repeated.")] = [0.0, 0.05, 0.1, 0.2],  # noqa: B006
    train: TrainModel = "",
    steps: Steps = 100,
    repeats: Repeats = 1,
    settings: ExtraFields = None,
    seed: Seed = 0,
    url: Url = "",
) -> None:
    """Study wrong labels: create RL rows with shares of wrong labels and, with --train, run a GRPO job on each."""
    from sandbox.synth.study import prepare_label_noise_study

    rl = read_dataset_rows(folder, "rl")
    _run_training_study(
        folder,
        "labels",
        lambda: prepare_label_noise_study(folder, rl, wrong, seed),
        train,
        _read_extra_fields(settings, steps),
        repeats,
        url,
    )


@app.command()
def truth(
    folder: Folder,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    url: Url = "",
) -> None:
    """Compare the labels with the right programs of a run's statements, such as toy tasks."""
    import asyncio

    from sandbox.client import AsyncClient
    from sandbox.synth.truth_study import run_truth_study

    async def judge() -> dict[str, Any]:
        async with AsyncClient(resolve_service_url(url)) as client:
            return await run_truth_study(open_pipeline(folder), client)

    point = asyncio.run(judge())
    typer.echo(json.dumps(point)) if as_json else show_rows([point])


def _read_extra_fields(path: Path | None, steps: int) -> dict[str, Any]:
    if path is None:
        return {"steps": steps}
    try:
        more = json.loads(path.read_bytes())
    except ValueError as error:
        fail(f"{path} is not JSON: {error}", EXIT_USAGE)
    if not isinstance(more, dict):
        fail(f"{path}: expected an object with fields of the request", EXIT_USAGE)
    return {"steps": steps, **more}


def _run_training_study(
    folder: Path,
    name: str,
    build_points: Callable[[], list[dict[str, Any]]],
    model: str,
    extra_fields: dict[str, Any],
    repeats: int,
    url: str,
) -> None:
    from sandbox.synth.study import save_points, train

    points = build_points()
    if model:
        with connect_to_service(url) as client:
            points = train(client, points, {"model": model, **extra_fields}, repeats, say)
    save_points(folder, name, points)
    show_rows(points)
    if model and any(set(point["statuses"]) != {"finished"} for point in points):
        fail("not every training job finished; see `sandbox jobs`")
