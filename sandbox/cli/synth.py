"""`sandbox synth`: the stages of synthesis on a run's folder, their summary, and the studies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.console import EXIT_USAGE, Url, connect_to_service, fail, format_faults, say

if TYPE_CHECKING:
    from sandbox.synth.pipeline import OnProgress, Pipeline

app = typer.Typer(no_args_is_help=True, help="Synthetic tasks, solutions and tests, with a model and the vote.")
study = typer.Typer(no_args_is_help=True, help="Studies on a run: budget, data size, wrong labels.")
app.add_typer(study, name="study")

Folder = Annotated[Path, typer.Argument(help="The run's folder.")]
LlmUrl = Annotated[
    str, typer.Option(envvar="SANDBOX_LLM_URL", help="An OpenAI-compatible service, with its /v1; for stages that ask.")
]
LlmKey = Annotated[str, typer.Option(envvar="SANDBOX_LLM_KEY", help="Its key; better given by the environment.")]
Concurrency = Annotated[int, typer.Option(min=1, max=1_024, help="Calls under way at one time.")]
Parquet = Annotated[bool, typer.Option("--parquet", help="Write the data set as Parquet too; needs pyarrow.")]
Steps = Annotated[int, typer.Option(min=1, help="Steps of each training job.")]
Repeats = Annotated[int, typer.Option(min=1, help="Trainings of each point, with seeds that count up.")]
ExtraFields = Annotated[
    Path | None, typer.Option("--settings", exists=True, dir_okay=False, help="JSON: more fields of each request.")
]
TrainModel = Annotated[str, typer.Option("--train", help="Train this model on each point, by GPU jobs, and wait.")]
Seed = Annotated[int, typer.Option(min=0, help="Same seed, same choice.")]


@app.command()
def new(
    folder: Folder,
    examples: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="JSON lines with a `code` each.")],
    model: Annotated[str, typer.Option(help="The model's name at its service.")],
    tasks: Annotated[int | None, typer.Option(min=1, help="Tasks to write.")] = None,
    solutions: Annotated[int | None, typer.Option(min=1, max=256, help="Candidates drawn for a task.")] = None,
    rounds: Annotated[int | None, typer.Option(min=0, help="Rounds of evolution.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Same seed, same run.")] = None,
    prompts: Annotated[Path | None, typer.Option(file_okay=False, help="Prompts of yours, of the same names.")] = None,
    benchmark: Annotated[
        list[Path] | None, typer.Option(exists=True, help="Texts to keep out; may be repeated.")
    ] = None,
) -> None:
    """Make a run: a folder with its recipe, `recipe.json`, which has more to set; edit it before you begin."""
    from pydantic import ValidationError

    from sandbox.synth.run_config import RUN_CONFIG_FILE, RunConfig

    given = {"tasks": tasks, "solutions": solutions, "rounds": rounds, "seed": seed, "prompts": _resolve(prompts)}
    try:
        run_config = RunConfig(
            examples=examples.resolve(),
            model=model,
            benchmarks=[path.resolve() for path in benchmark or []],
            **{name: value for name, value in given.items() if value is not None},
        )
    except ValidationError as error:
        fail("\n".join(format_faults(error)), EXIT_USAGE)
    run_config.write(folder)
    say(f"{folder / RUN_CONFIG_FILE}; now: sandbox synth run {folder}")


def _resolve(path: Path | None) -> Path | None:
    return path.resolve() if path is not None else None


@app.command()
def prompts(folder: Annotated[Path, typer.Argument(help="Where copies go.")]) -> None:
    """Copy the prompts to a folder, to be edited there and named by `new --prompts`."""
    import shutil

    from sandbox.synth.prompts import PROMPTS_FOLDER

    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(PROMPTS_FOLDER.glob("*.md")):
        if (folder / source.name).exists():
            say(f"{folder / source.name} is there and stays")
            continue
        shutil.copyfile(source, folder / source.name)
        typer.echo(folder / source.name)


@app.command()
def run(
    folder: Folder,
    until: Annotated[str, typer.Option(help="The last stage to do; default: all.")] = "dataset",
    llm_url: LlmUrl = "",
    llm_key: LlmKey = "",
    concurrency: Concurrency = 16,
    parquet: Parquet = False,
    url: Url = "",
) -> None:
    """All stages, or those up to one; after a kill the same command goes on where it was."""
    from sandbox.synth.pipeline import STAGES

    _check_stage(until, STAGES)
    run_stages(folder, STAGES[: STAGES.index(until) + 1], llm_url, llm_key, concurrency, parquet, url)


@app.command()
def stage(
    name: Annotated[str, typer.Argument(help="features, evolved, tasks, inputs, solutions, votes or dataset.")],
    folder: Folder,
    llm_url: LlmUrl = "",
    llm_key: LlmKey = "",
    concurrency: Concurrency = 16,
    parquet: Parquet = False,
    url: Url = "",
) -> None:
    """One stage; the earlier ones must be complete."""
    from sandbox.synth.pipeline import STAGES

    _check_stage(name, STAGES)
    run_stages(folder, (name,), llm_url, llm_key, concurrency, parquet, url)


def _check_stage(name: str, stages: tuple[str, ...]) -> None:
    if name not in stages:
        fail(f"no stage {name!r}; stages are {', '.join(stages)}", EXIT_USAGE)


def run_stages(
    folder: Path, names: tuple[str, ...], llm_url: str, llm_key: str, concurrency: int, parquet: bool, url: str
) -> None:
    import asyncio

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sandbox.synth.pipeline import Endpoints, Pipeline

    services = Endpoints(llm_url, llm_key, _resolve_service_url(url), concurrency)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        pipeline = Pipeline(folder, services, _build_progress_callback(progress))
        dead_end = ""
        try:
            for name in names:
                asyncio.run(pipeline.run(name, parquet))
                if dead_end := pipeline.find_dead_end(name):
                    break
        except KeyboardInterrupt:
            fail("stopped; the same command goes on from here", 130)
    _show_summary(folder, (0.0, 0.0))
    if dead_end:
        fail(f"{dead_end}; see {folder / name}.jsonl, and try another model, prompts or examples")


def _build_progress_callback(progress: Any) -> OnProgress:
    bars: dict[str, Any] = {}

    def on_progress(stage: str, done: int, total: int) -> None:
        if stage not in bars:
            bars[stage] = progress.add_task(stage)
        progress.update(bars[stage], completed=done, total=total)

    return on_progress


def _resolve_service_url(url: str) -> str:
    from sandbox.cli.console import read_settings
    from sandbox.config import ApiSettings
    from sandbox.processes.up import build_service_url

    return url or build_service_url(read_settings(ApiSettings))


@app.command()
def summary(
    folder: Folder,
    price_in: Annotated[float, typer.Option(min=0, help="Of a million prompt tokens.")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, help="Of a million completion tokens.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """What each stage yielded and cost, also of a run that is under way."""
    if as_json:
        typer.echo(json.dumps(_build_summary_rows(folder, (price_in, price_out)), indent=2))
    else:
        _show_summary(folder, (price_in, price_out))


def _build_summary_rows(folder: Path, prices: tuple[float, float]) -> list[dict[str, Any]]:
    from sandbox.errors import BadRequest
    from sandbox.synth import statistics

    pipeline = _open_pipeline(folder)
    try:
        evolution = pipeline.replay_evolution()
    except BadRequest:  # not evolved yet
        evolution = None
    rows = statistics.summarize_run(folder, pipeline.run_config, evolution, prices)
    (folder / "summary.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    return rows


def _show_summary(folder: Path, prices: tuple[float, float]) -> None:
    rows = _build_summary_rows(folder, prices)
    hidden = set() if any(prices) else {"cost"}
    show_rows([{name: value for name, value in row.items() if name not in hidden} for row in rows])


def show_rows(rows: list[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    names = [name for name, value in rows[0].items() if not _is_deep(value)]
    table = Table(*(name.replace("_", " ") for name in names))
    for row in rows:
        table.add_row(*("" if row[name] is None else str(row[name]) for name in names))
    Console(width=None if Console().is_terminal else 160).print(table)


def _is_deep(value: Any) -> bool:
    """Whether it is more than a cell of a table holds."""
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))


def _open_pipeline(folder: Path, url: str = "") -> Pipeline:
    from sandbox.synth.pipeline import Endpoints, Pipeline

    return Pipeline(folder, Endpoints(sandbox_url=url), lambda *_: None)


@app.command()
def corrupt(
    rows: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="RL rows as JSON lines.")],
    out: Annotated[Path, typer.Option(help="Where the rows go.")],
    share: Annotated[float, typer.Option(min=0, max=1, help="Share of all labels that is made wrong.")],
    seed: Seed = 0,
) -> None:
    """Make a share of the tests' labels wrong, for a study of what training bears."""
    from sandbox.synth.label_noise import corrupt as corrupted
    from sandbox.synth.resumable_jsonl import dump
    from sandbox.synth.stages.dataset import read_rows

    made, wrong = corrupted(read_rows(rows), share, seed)
    out.write_bytes(b"".join(map(dump, made)))
    say(f"{wrong} of {sum(len(row['tests']) for row in made)} labels are wrong now")


@study.command()
def budget(
    folder: Folder,
    solutions: Annotated[int, typer.Option(min=2, help="Solutions altogether, of those that the run has.")],
    url: Url = "",
) -> None:
    """Tasks against solutions at a fixed budget: real votes over parts of a run."""
    import asyncio

    from sandbox.client import AsyncClient
    from sandbox.synth.study import run_budget_study as study_budget

    async def run_votes() -> list[dict[str, Any]]:
        async with AsyncClient(_resolve_service_url(url)) as client:
            return await study_budget(_open_pipeline(folder), client, solutions, say)

    show_rows(asyncio.run(run_votes()))


@study.command()
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
    """Data size: nested parts of the SFT rows, and a training job on each."""
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


@study.command()
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
    """Wrong labels: the RL rows with shares of them, and a GRPO job on each."""
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


def read_dataset_rows(folder: Path, name: str) -> list[dict[str, Any]]:
    from sandbox.synth.stages.dataset import DATASET_FOLDER, read_rows

    return read_rows(folder / DATASET_FOLDER / f"{name}.jsonl")


def _read_extra_fields(path: Path | None, steps: int) -> dict[str, Any]:
    if path is None:
        return {"steps": steps}
    try:
        more = json.loads(path.read_bytes())
    except ValueError as error:
        fail(f"{path} is not JSON: {error}", EXIT_USAGE)
    if not isinstance(more, dict):
        fail(f"{path}: an object with fields of the request is expected", EXIT_USAGE)
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
