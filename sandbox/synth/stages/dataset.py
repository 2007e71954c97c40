"""Stage 7: build the SFT and RL rows, without near duplicates and without texts of known benchmarks.

The output loads with `datasets.load_dataset("<run>/dataset", "sft")` (or "rl"): a card with two configurations, and
JSON lines or, on request and if pyarrow is installed, Parquet.
"""

from __future__ import annotations

import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

from sandbox.errors import BadRequest
from sandbox.synth.resumable_jsonl import Record, dump
from sandbox.synth.run_config import RunConfig
from sandbox.synth.similarity import Benchmarks, find_near_duplicates

CONFIGURATIONS = ("sft", "rl")
DATASET_FOLDER = "dataset"

CARD_TEMPLATE = """---
configs:
- config_name: sft
  data_files: sft.{ending}
- config_name: rl
  data_files: rl.{ending}
---

Synthetic programming tasks, whose tests are labelled by the vote of {solutions} candidate solutions. `sft`: {sft} rows,
each a chat that ends with a golden solution that passed the hold-out. `rl`: {rl} rows, each a prompt with labelled
tests and its difficulty by the candidates' pass rate. Made with the model `{model}`, seed {seed}.
"""


def build_rows(
    run_config: RunConfig, build_prompt: Any, tasks: list[Record], solutions: list[Record], votes: list[Record]
) -> tuple[list[Record], list[Record], dict[str, Any]]:
    """Return the SFT rows, the RL rows and counts of excluded tasks. `build_prompt` makes a prompt of a statement."""
    statements = {task["key"]: task for task in tasks}
    completions = {solution["key"]: solution["completion"] for solution in solutions}
    voted = [vote for vote in votes if vote.get("labelled")]
    left_out = _find_excluded(run_config, [statements[vote["key"]]["statement"] for vote in voted])
    left_out |= {place: "weak tests" for place, vote in enumerate(voted) if _is_weak(vote, run_config)}
    sft, rl = [], []
    for place, vote in enumerate(voted):
        if place in left_out:
            continue
        task = statements[vote["key"]]
        prompt_text = build_prompt(task["statement"])
        rl.append(_build_rl_row(task, vote, prompt_text))
        if vote["accepted"]:
            sft.append(_build_sft_row(task, prompt_text, completions[vote["golden"]]))
    why = Counter(reason.partition(":")[0] for reason in left_out.values())
    return sft, rl, {"labelled_tasks": len(voted), "left_out": dict(sorted(why.items()))}


def _is_weak(vote: Record, run_config: RunConfig) -> bool:
    """Return whether the tests fail too few of the mutants. Tests that no mutant measured are not weak."""
    score = vote.get("quality", {}).get("mutation_score")
    return score is not None and score < run_config.min_mutation_score


def _find_excluded(run_config: RunConfig, texts: list[str]) -> dict[int, str]:
    """Return the indices of near duplicates and of contaminated texts, with the reason."""
    known = Benchmarks(run_config.overlap_words)
    known.read(run_config.benchmarks)
    reasons = {
        index: f"near duplicate: {first}"
        for index, first in find_near_duplicates(texts, run_config.near_duplicate).items()
    }
    for index, text in enumerate(texts):
        if (source := known.find_source(text)) is not None:
            reasons[index] = f"contaminated: {source}"
    return reasons


def _build_rl_row(task: Record, vote: Record, prompt: str) -> Record:
    tests = [{"stdin": test.get("stdin", ""), "expected": test["expected"]} for test in vote["test_set"]["tests"]]
    return {
        "name": task["key"],
        "prompt": prompt,
        "tests": tests,
        "difficulty": vote["difficulty"],
        "pass_rate": vote["pass_rate"],
        "confidence": vote["confidence"],
        "style": task["style"],
        "features": sorted(task["roles"]),
        **({"checker": vote["test_set"]["checker"]} if vote["test_set"]["checker"]["type"] == "program" else {}),
        **({"quality": vote["quality"]} if "quality" in vote else {}),
    }


def _build_sft_row(task: Record, prompt: str, completion: str) -> Record:
    return {
        "name": task["key"],
        "messages": [{"role": "user", "content": prompt}, {"role": "assistant", "content": completion}],
        "style": task["style"],
    }


def write_dataset(folder: Path, run_config: RunConfig, sft: list[Record], rl: list[Record], parquet: bool) -> None:
    """Write the files, and the card that `load_dataset` reads."""
    place = folder / DATASET_FOLDER
    place.mkdir(exist_ok=True)
    for name, content in zip(CONFIGURATIONS, (sft, rl), strict=True):
        (place / f"{name}.jsonl").write_bytes(b"".join(map(dump, content)))
        if parquet:
            _write_parquet(place / f"{name}.parquet", content)
    ending = "parquet" if parquet else "jsonl"
    card = CARD_TEMPLATE.format(
        ending=ending,
        solutions=run_config.solutions,
        sft=len(sft),
        rl=len(rl),
        model=run_config.model,
        seed=run_config.seed,
    )
    (place / "README.md").write_text(card, encoding="utf-8")


def _write_parquet(path: Path, content: list[Record]) -> None:
    try:
        arrow, parquet = importlib.import_module("pyarrow"), importlib.import_module("pyarrow.parquet")
    except ImportError:
        raise BadRequest("Parquet needs pyarrow: run pip install '.[synth]' in a checkout") from None
    parquet.write_table(arrow.Table.from_pylist(content), path)


def read_rows(path: Path) -> list[Record]:
    """Read the rows of a JSON lines file. Raises BadRequest."""
    try:
        rows = [json.loads(line) for line in path.read_bytes().splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise BadRequest(f"cannot read {path}: {error}") from None
    if not all(isinstance(row, dict) for row in rows):
        raise BadRequest(f"{path}: every line must be a JSON object")
    return rows
