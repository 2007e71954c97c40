"""`sandbox synth`: run the stages of synthesis in a run's directory, summarize them, and run studies."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.console import EXIT_USAGE, Url, fail, format_faults, say

if TYPE_CHECKING:
    from sandbox.synth.pipeline import OnProgress, Pipeline

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Create synthetic tasks, solutions and tests with a language model and votes.",
)

Folder = Annotated[Path, typer.Argument(help="The run's directory.")]
LlmUrl = Annotated[
    str,
    typer.Option(
        envvar="SANDBOX_LLM_URL", help="OpenAI-compatible service, including /v1, for stages that use a model."
    ),
]
LlmKey = Annotated[
    str, typer.Option(envvar="SANDBOX_LLM_KEY", help="API key of that service; better set in the environment.")
]
Concurrency = Annotated[int, typer.Option(min=1, max=1_024, help="Calls that run at the same time.")]
Parquet = Annotated[bool, typer.Option("--parquet", help="Also write the data set as Parquet; needs pyarrow.")]
Seed = Annotated[int, typer.Option(min=0, help="Random seed; the same seed gives the same result.")]


@app.command()
def new(
    folder: Folder,
    model: Annotated[str, typer.Option(help="The model's name at the LLM service.")],
    examples: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="JSON lines, each with a field `code`.")
    ] = None,
    statements: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="JSON lines with tasks as `statement`, instead of examples."),
    ] = None,
    tasks: Annotated[int | None, typer.Option(min=1, help="Tasks to create.")] = None,
    solutions: Annotated[int | None, typer.Option(min=1, max=256, help="Candidate solutions per task.")] = None,
    rounds: Annotated[int | None, typer.Option(min=0, help="Rounds of evolution.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Random seed; the same seed gives the same run.")] = None,
    prompts: Annotated[
        Path | None, typer.Option(file_okay=False, help="Directory with your own prompts, under the same names.")
    ] = None,
    benchmark: Annotated[
        list[Path] | None, typer.Option(exists=True, help="Benchmark texts to exclude from the data; may be repeated.")
    ] = None,
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough", help="Several generators, validators and checkers per task, a size sweep, and mutants."
        ),
    ] = False,
) -> None:
    """Create a run: a directory with `recipe.json`, which has more settings. Edit it before you start."""
    from pydantic import ValidationError

    from sandbox.synth.run_config import RUN_CONFIG_FILE, THOROUGH, RunConfig

    given = {"tasks": tasks, "solutions": solutions, "rounds": rounds, "seed": seed, "prompts": _resolve(prompts)}
    try:
        run_config = RunConfig(
            examples=_resolve(examples),
            statements=_resolve(statements),
            model=model,
            benchmarks=[path.resolve() for path in benchmark or []],
            **{name: value for name, value in given.items() if value is not None},
            **(THOROUGH if thorough else {}),
        )
    except ValidationError as error:
        fail("\n".join(format_faults(error)), EXIT_USAGE)
    run_config.write(folder)
    say(f"wrote {folder / RUN_CONFIG_FILE}; next: sandbox synth run {folder}")


def _resolve(path: Path | None) -> Path | None:
    return path.resolve() if path is not None else None


@app.command("toy-tasks")
def write_toy_tasks(
    out: Annotated[Path, typer.Argument(help="File for the tasks, for `new --statements`.")],
    number: Annotated[int, typer.Option(min=1, max=10_000, help="Tasks to write.")] = 16,
    seed: Seed = 0,
) -> None:
    """Write easy tasks with their right programs, to measure how many labels of a run are right."""
    from sandbox.gpu.training.toy_tasks import generate_tasks

    rows = [
        {
            "statement": f"{task.statement}\n\nThere are 1 to 500 integers, each from -20 to 20.\n\n"
            f"Example of an input:\n\n{task.tests[0].stdin}",
            "solution": task.solution,
        }
        for task in generate_tasks(number, seed)
    ]
    out.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    say(f"wrote {len(rows)} tasks to {out}; next: sandbox synth new DIRECTORY --statements {out} --model NAME")


@app.command()
def prompts(folder: Annotated[Path, typer.Argument(help="Directory for the copies.")]) -> None:
    """Copy the prompts to a directory, where you can edit them for `new --prompts`."""
    import shutil

    from sandbox.synth.prompts import PROMPTS_FOLDER

    folder.mkdir(parents=True, exist_ok=True)
    for source in sorted(PROMPTS_FOLDER.glob("*.md")):
        if (folder / source.name).exists():
            say(f"{folder / source.name} exists and is not overwritten")
            continue
        shutil.copyfile(source, folder / source.name)
        typer.echo(folder / source.name)


@app.command()
def run(
    folder: Folder,
    until: Annotated[str, typer.Option(help="The last stage to run; default: all.")] = "dataset",
    llm_url: LlmUrl = "",
    llm_key: LlmKey = "",
    concurrency: Concurrency = 16,
    parquet: Parquet = False,
    url: Url = "",
) -> None:
    """Run all stages, or those up to one. After an interruption, the same command continues."""
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
    """Run one stage. The earlier stages must be complete."""
    from sandbox.synth.pipeline import STAGES

    _check_stage(name, STAGES)
    run_stages(folder, (name,), llm_url, llm_key, concurrency, parquet, url)


def _check_stage(name: str, stages: tuple[str, ...]) -> None:
    if name not in stages:
        fail(f"unknown stage {name!r}; use one of {', '.join(stages)}", EXIT_USAGE)


def run_stages(
    folder: Path, names: tuple[str, ...], llm_url: str, llm_key: str, concurrency: int, parquet: bool, url: str
) -> None:
    import asyncio

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from sandbox.synth.pipeline import Endpoints, Pipeline

    services = Endpoints(llm_url, llm_key, resolve_service_url(url), concurrency)
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
            fail("interrupted; run the same command to continue", 130)
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


def resolve_service_url(url: str) -> str:
    from sandbox.cli.console import read_settings
    from sandbox.config import ApiSettings
    from sandbox.processes.api_address import build_service_url

    return url or build_service_url(read_settings(ApiSettings))


@app.command()
def summary(
    folder: Folder,
    price_in: Annotated[float, typer.Option(min=0, help="Price of a million prompt tokens.")] = 0.0,
    price_out: Annotated[float, typer.Option(min=0, help="Price of a million completion tokens.")] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the yield and cost of each stage, even while a run is in progress."""
    if as_json:
        typer.echo(json.dumps(_build_summary_rows(folder, (price_in, price_out)), indent=2))
    else:
        _show_summary(folder, (price_in, price_out))


def _build_summary_rows(folder: Path, prices: tuple[float, float]) -> list[dict[str, Any]]:
    from sandbox.errors import BadRequest
    from sandbox.synth import statistics

    pipeline = open_pipeline(folder)
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
    """Return True if the value is too complex for a cell of a table."""
    return isinstance(value, dict) or (isinstance(value, list) and any(isinstance(each, dict) for each in value))


def open_pipeline(folder: Path, url: str = "") -> Pipeline:
    from sandbox.synth.pipeline import Endpoints, Pipeline

    return Pipeline(folder, Endpoints(sandbox_url=url), lambda *_: None)


@app.command()
def corrupt(
    rows: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="File of RL rows as JSON lines.")],
    out: Annotated[Path, typer.Option(help="File for the changed rows.")],
    share: Annotated[float, typer.Option(min=0, max=1, help="Share of all labels to make wrong.")],
    seed: Seed = 0,
) -> None:
    """Make a share of the tests' labels wrong, to study how much noise training tolerates."""
    from sandbox.synth.label_noise import corrupt as corrupted
    from sandbox.synth.resumable_jsonl import dump
    from sandbox.synth.stages.dataset import read_rows

    made, wrong = corrupted(read_rows(rows), share, seed)
    out.write_bytes(b"".join(map(dump, made)))
    say(f"{wrong} of {sum(len(row['tests']) for row in made)} labels are wrong now")


def read_dataset_rows(folder: Path, name: str) -> list[dict[str, Any]]:
    from sandbox.synth.stages.dataset import DATASET_FOLDER, read_rows

    return read_rows(folder / DATASET_FOLDER / f"{name}.jsonl")
