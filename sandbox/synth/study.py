"""Repeat the paper's studies on a run: the balance of tasks and solutions, the size of the data, and wrong labels.

The first study only needs this service: it repeats the votes on parts of the run. The other two write data for GPU jobs
(POST /train/sft and POST /train/grpo, one per point), and start them if a model is given.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sandbox.client import AsyncClient, Client
from sandbox.errors import BadRequest
from sandbox.synth.label_noise import corrupt
from sandbox.synth.pipeline import Pipeline
from sandbox.synth.resumable_jsonl import Record, Unit, dump
from sandbox.synth.stages.votes import build_units, run_vote

STUDIES_FOLDER = "studies"
HELD_OUT_SHARE = 0.2

MessageCallback = Callable[[str], object]


def _create_folder(folder: Path) -> Path:
    place = folder / STUDIES_FOLDER
    place.mkdir(exist_ok=True)
    return place


async def run_budget_study(pipeline: Pipeline, client: AsyncClient, total: int, say: MessageCallback) -> list[Record]:
    """Spend the same budget, `total` solutions, on many tasks with few solutions each, or on few tasks with many each.

    The labels of each variant are compared with the labels of the run's own vote over all solutions. `agreement` is the
    share of equal labels among the inputs that both votes labeled.
    """
    run_config = pipeline.run_config
    tasks = [task for task in pipeline.read_stage("tasks") if not task["failed"]]
    everything = build_units(tasks, pipeline.read_stage("inputs"), pipeline.read_stage("solutions"))
    full = {line["key"]: line for line in pipeline.read_stage("votes")}
    points = []
    for number in _list_powers_of_two(run_config.solutions):
        chosen = everything[: total // number]
        if len(chosen) * number < total:
            say(f"{number} solutions per task: {len(everything)} tasks with inputs are too few for {total}")
            continue
        lines = [await _vote_on_first_samples(unit, number, client, pipeline) for unit in chosen]
        points.append(_build_point(number, lines, full))
        say(f"{len(chosen)} tasks x {number} solutions")
    if not points:
        raise BadRequest(f"this run has fewer than {total} solutions; set a smaller budget with --solutions")
    _write_points(
        _create_folder(pipeline.folder) / "budget", points, "solutions a task", "solutions", ("accepted", "agreement")
    )
    return points


def _list_powers_of_two(most: int) -> list[int]:
    return [1 << power for power in range(1, most.bit_length()) if 1 << power <= most]


async def _vote_on_first_samples(unit: Unit, number: int, client: AsyncClient, pipeline: Pipeline) -> Record:
    """Vote among the first `number` samples, leaving out those that the filter dropped."""
    first = [each for each in unit.payload["candidates"] if int(each["key"].rpartition("/")[2]) < number]
    line = await run_vote(Unit(unit.key, {**unit.payload, "candidates": first}), client, pipeline.run_config)
    return {"key": unit.key, **line}


def _build_point(number: int, lines: list[Record], full: dict[str, Record]) -> Record:
    both = [pair for line in lines for pair in _pair_labels(line, full[line["key"]])]
    same = sum(one.split() == other.split() for one, other in both)
    accepted = sum(line["accepted"] for line in lines)
    return {
        "tasks": len(lines),
        "solutions": number,
        "labels": sum(line.get("labelled", 0) for line in lines),
        "golden": accepted,
        "accepted": round(accepted / len(lines), 4),
        "agreement": round(same / len(both), 4) if both else None,
    }


def _pair_labels(line: Record, full: Record) -> list[tuple[str, str]]:
    labels, reference = _read_labels(line), _read_labels(full)
    return [(labels[given], reference[given]) for given in labels if given in reference]


def _read_labels(line: Record) -> dict[str, str]:
    tests = line.get("test_set", {}).get("tests", [])
    return {test.get("stdin", ""): test["expected"] for test in tests}


def split(rows: Sequence[Record], seed: int) -> tuple[list[Record], list[Record]]:
    """Split rows into training rows and held-out rows by the seed. Raises BadRequest if there are too few.

    Leaves out tasks with a checker program of their own, because a training job has one checker for all tasks.
    """
    order = [row for row in rows if "checker" not in row]
    random.Random(f"{seed}/split").shuffle(order)
    cut = max(1, round(len(order) * HELD_OUT_SHARE))
    if len(order) <= cut:
        raise BadRequest(f"{len(order)} rows are too few: some must be held out")
    return order[cut:], order[:cut]


def exclude_held_out(held_out: Sequence[Record], rows: Sequence[Record]) -> list[Record]:
    """Return the rows whose task is not held out."""
    kept_out = {row["name"] for row in held_out}
    return [row for row in rows if row["name"] not in kept_out]


def prepare_scaling_study(
    folder: Path, sft: list[Record], rl: list[Record], parts: Sequence[float], seed: int
) -> list[Record]:
    """Write nested subsets of the SFT rows, each with the body of a POST /train/sft. Excludes held-out tasks."""
    _, held_out = split(rl, seed)
    train = exclude_held_out(held_out, sft)
    random.Random(f"{seed}/scaling").shuffle(train)
    points = []
    for part in sorted(parts):
        rows = train[: max(1, round(part * len(train)))]
        body = {
            "rows": [{"messages": row["messages"]} for row in rows],
            "probe": {"tasks": list(map(to_rl_task, held_out))},
            "seed": seed,
        }
        points.append(_write_point(_create_folder(folder) / "scaling", f"{part:g}", "train_sft", rows, body))
    return points


def prepare_label_noise_study(folder: Path, rl: list[Record], shares: Sequence[float], seed: int) -> list[Record]:
    """Write the RL rows with shares of wrong labels, each with the body of a POST /train/grpo.

    Held-out tasks keep their correct labels, because they measure the result.
    """
    train, held_out = split(rl, seed)
    points = []
    for share in sorted(shares):
        rows, number = corrupt(train, share, seed)
        body = {"tasks": list(map(to_rl_task, rows)), "held_out": list(map(to_rl_task, held_out)), "seed": seed}
        point = _write_point(_create_folder(folder) / "labels", f"{share:g}", "train_grpo", rows, body)
        points.append({**point, "wrong": number, "tests": sum(len(row["tests"]) for row in rows)})
    return points


def to_rl_task(row: Record) -> Record:
    """Return the fields of an RL row that a training job needs."""
    return {name: row[name] for name in ("name", "prompt", "tests")}


def _write_point(folder: Path, name: str, kind: str, rows: list[Record], body: dict[str, Any]) -> Record:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.jsonl").write_bytes(b"".join(map(dump, rows)))
    request = folder / f"{name}.request.json"
    request.write_bytes(dump(body))
    return {"point": name, "rows": len(rows), "kind": kind, "request": str(request)}


def train(
    client: Client, points: list[Record], extra_fields: Record, repeats: int, say: MessageCallback
) -> list[Record]:
    """Post each point's request as `repeats` GPU jobs, and return the points with their results.

    `extra_fields` override the request, and seeds count up from the point's. All jobs are posted before waiting for
    any, so as many run in parallel as there are workers.
    """
    posted: list[list[str]] = []
    for point in points:
        body = {**json.loads(Path(point["request"]).read_bytes()), **extra_fields}
        jobs = [client.start(point["kind"], {**body, "seed": body["seed"] + place}) for place in range(repeats)]
        posted.append([job.id for job in jobs])
        say(f"{point['point']}: {', '.join(posted[-1])}")
    return [_collect_results(client, point, jobs) for point, jobs in zip(points, posted, strict=True)]


def _collect_results(client: Client, point: Record, jobs: Sequence[str]) -> Record:
    """Return a point with the results of its jobs: `pass_rate` is the mean over the jobs that have one."""
    ended = [client.wait(job) for job in jobs]
    results = [job.model_dump()["result"] or {} for job in ended]
    # On the held-out tasks with the trained model, as reported by SFT's probe or by GRPO.
    rates = [result.get("pass_rate", result.get("held_out_after")) for result in results]
    known = [rate for rate in rates if rate is not None]
    return {
        **point,
        "jobs": list(jobs),
        "statuses": [str(job.status) for job in ended],
        "pass_rates": rates,
        "pass_rate": sum(known) / len(known) if known else None,
        "results": results,
    }


def save_points(folder: Path, name: str, points: list[Record]) -> None:
    """Save the points as JSON, and as a plot if they were trained on."""
    plotted = ("pass_rate",) if all(point.get("pass_rate") is not None for point in points) else ()
    label, x = ("SFT rows", "rows") if name == "scaling" else ("share of wrong labels", "point")
    _write_points(_create_folder(folder) / name, points, label, x, plotted)


def _write_points(path: Path, points: list[Record], label: str, x: str, names: Sequence[str]) -> None:
    """Save the points as JSON, and as a plot if matplotlib is installed."""
    path.with_suffix(".json").write_text(json.dumps(points, indent=2) + "\n", encoding="utf-8")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    if not names:
        return
    figure = Figure(figsize=(5, 3), layout="constrained")
    axes = figure.subplots()
    for name in names:
        axes.plot([float(point[x]) for point in points], [point[name] for point in points], marker="o", label=name)
    for point in points:
        for rate in point.get("pass_rates", ()):
            axes.plot(float(point[x]), rate if rate is not None else math.nan, marker=".", color="gray")
    axes.set(xlabel=label, ylim=(0, 1.05))
    axes.legend()
    figure.savefig(path.with_suffix(".png"), dpi=80)
