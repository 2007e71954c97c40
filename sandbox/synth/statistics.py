"""Summarize a run: costs and yields of each stage, and the data set in numbers and a plot."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from sandbox.synth.resumable_jsonl import Record, read_records
from sandbox.synth.run_config import RunConfig
from sandbox.synth.stages.features import Evolution

DIFFICULTIES = ("easy", "medium", "hard")
TOKENS_PER_PRICE = 1_000_000


def summarize_rows(sft: list[Record], rl: list[Record], left_out: dict[str, Any]) -> dict[str, Any]:
    """Return the statistics of the data set."""
    tests = [len(row["tests"]) for row in rl]
    counted = Counter(row["difficulty"] for row in rl)
    return {
        "sft_rows": len(sft),
        "rl_rows": len(rl),
        **left_out,
        "tests": sum(tests),
        "tests_a_task": round(sum(tests) / len(tests), 2) if tests else 0.0,
        "difficulty": {level: counted[level] for level in DIFFICULTIES},
        "styles": dict(sorted(Counter(row["style"] for row in rl).items())),
        "pass_rates": [row["pass_rate"] for row in rl],
        "confidences": [row["confidence"] for row in rl],
        "statement_words": [len(row["prompt"].split()) for row in rl],
        "features": dict(Counter(name for row in rl for name in row["features"]).most_common(20)),
    }


def write_statistics(folder: Path, dataset_stats: dict[str, Any]) -> None:
    """Write statistics.json, and statistics.png if matplotlib is installed."""
    (folder / "statistics.json").write_text(json.dumps(dataset_stats, indent=2) + "\n", encoding="utf-8")
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(10, 6), layout="constrained")
    axes = figure.subplots(2, 3)
    axes[0][0].bar(list(dataset_stats["difficulty"]), list(dataset_stats["difficulty"].values()))
    axes[0][0].set(title="difficulty by pass rate", ylabel="tasks")
    axes[0][1].bar(list(dataset_stats["styles"]), list(dataset_stats["styles"].values()))
    axes[0][1].set(title="style")
    axes[0][2].hist(dataset_stats["pass_rates"], bins=10, range=(0, 1))
    axes[0][2].set(title="pass rate of candidates")
    axes[1][0].hist(dataset_stats["confidences"], bins=10, range=(0, 1))
    axes[1][0].set(title="mean confidence of labels", ylabel="tasks")
    axes[1][1].hist(dataset_stats["statement_words"], bins=12)
    axes[1][1].set(title="words of a prompt")
    names = list(dataset_stats["features"])[:10][::-1]
    axes[1][2].barh(names, [dataset_stats["features"][name] for name in names])
    axes[1][2].set(title="features")
    axes[1][2].tick_params(labelsize=7)
    # Leave out the date and the version, so that the same data set gives the same image.
    figure.savefig(folder / "statistics.png", dpi=80, metadata={"Software": None})


def summarize_run(
    folder: Path, run_config: RunConfig, evolution: Evolution | None, prices: tuple[float, float]
) -> list[Record]:
    """Return a row per stage: lines, yield, calls, tokens and cost. Prices are per million tokens."""
    rows = []
    for stage, is_usable in _USABLE_LINE.items():
        lines = read_records(folder / f"{stage}.jsonl")
        usage = Counter[str]()
        for line in lines:
            usage.update(line.get("usage", {}))
        good = sum(map(is_usable, lines))
        rows.append(
            {
                "stage": stage,
                "lines": len(lines),
                "kept": good,
                "yield": round(good / len(lines), 4) if lines else None,
                **{name: usage[name] for name in ("calls", "prompt_tokens", "completion_tokens")},
                "cost": round(
                    (usage["prompt_tokens"] * prices[0] + usage["completion_tokens"] * prices[1]) / TOKENS_PER_PRICE, 6
                ),
                "notes": ", ".join(
                    filter(None, [_describe_stage(stage, lines, evolution), _describe_too_long(usage["too_long"])])
                ),
            }
        )
    rows.append(_build_dataset_row(folder, run_config))
    return rows


_USABLE_LINE = {
    "features": lambda line: not line["failed"],
    "evolved": lambda line: not line["failed"],
    "tasks": lambda line: not line["failed"],
    "inputs": lambda line: not line["failed"],
    "solutions": lambda line: not line["dropped"],
    "votes": lambda line: line["accepted"],
}

REQUIRED_STAGES = ("features", "tasks", "inputs", "solutions")  # each must have a usable line


def count_usable_lines(folder: Path, stage: str) -> tuple[int, int]:
    """Return how many lines of a stage later stages can use, and how many lines it has."""
    lines = read_records(folder / f"{stage}.jsonl")
    return sum(map(_USABLE_LINE[stage], lines)), len(lines)


def _describe_too_long(calls: int) -> str:
    return f"{calls} prompts longer than the model's context" if calls else ""


def _describe_stage(stage: str, lines: list[Record], evolution: Evolution | None) -> str:
    counts: Counter[str] = Counter()
    if stage == "evolved" and evolution is not None:
        tree = evolution.tree
        kinds = ", ".join(f"{number} {kind}" for kind, number in tree.count_by_kind().items())
        return f"{evolution.seed_count} -> {len(tree)} features ({kinds}), {tree.duplicates} duplicates"
    if stage == "tasks":
        counts.update(line["style"] for line in lines)
    elif stage == "inputs":
        counts["valid"] = sum(len(line["inputs"]) for line in lines)
        for line in lines:
            counts.update(line["dropped"])
    elif stage == "solutions":
        counts.update(line["dropped"] for line in lines if line["dropped"])
    elif stage == "votes":
        counts["labels"] = sum(line.get("labelled", 0) for line in lines)
        counts["ties"] = sum(line.get("ties", 0) for line in lines)
        scores = [line["quality"]["mutation_score"] for line in lines if "quality" in line]
        known = [score for score in scores if score is not None]
        counts.update(line["why"] for line in lines if line["why"])
        if known:
            counts["% of the mutants fail"] = round(100 * sum(known) / len(known))
    return ", ".join(f"{number} {name}" for name, number in counts.items())


def _build_dataset_row(folder: Path, run_config: RunConfig) -> Record:
    path = folder / "dataset" / "statistics.json"
    dataset_stats = json.loads(path.read_bytes()) if path.exists() else {}
    made, labelled = dataset_stats.get("rl_rows", 0), dataset_stats.get("labelled_tasks", 0)
    left_out = ", ".join(f"{number} {reason}" for reason, number in dataset_stats.get("left_out", {}).items())
    return {
        "stage": "dataset",
        "lines": labelled,
        "kept": made,
        "yield": round(made / run_config.tasks, 4) if dataset_stats else None,
        **dict.fromkeys(("calls", "prompt_tokens", "completion_tokens"), 0),
        "cost": 0.0,
        "notes": ", ".join(filter(None, [f"{dataset_stats.get('sft_rows', 0)} SFT rows", f"{made} RL rows", left_out])),
    }
