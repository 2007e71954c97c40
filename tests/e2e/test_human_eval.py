"""HumanEval (arXiv 2107.03374): its 164 reference solutions and mutants of each are judged like in a plain run."""

from __future__ import annotations

import gzip
import json
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from sandbox.client import Client
from tests.e2e import plain_run
from tests.e2e.mutants import make_mutants
from tests.e2e.verdicts import ACCEPTED
from tests.worker_processes import ROOT

DATA = Path(__file__).resolve().parents[3] / "shared/data/HumanEval.jsonl.gz"
MUTANTS_PER_TASK = 3
SEED = 164

pytestmark = pytest.mark.skipif(not DATA.exists(), reason=f"the data set is not here: {DATA}")

Task = dict[str, str]


@cache
def load_tasks() -> list[Task]:
    return [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).splitlines()]


def build_whole_program(task: Task, program: str) -> str:
    return f"{program}\n{task['test']}\ncheck({task['entry_point']})\n"


def build_assert_request(task: Task, program: str) -> dict[str, Any]:
    return {
        "language": "python",
        "code": program,
        "entry_point": task["entry_point"],
        "tests": [{"assert": f"{task['test']}\ncheck(candidate)\n"}],
        "limits": {"cpu_time_s": plain_run.CPU_TIME_S},
    }


def test_all_reference_solutions_run_to_exit_0(client: Client) -> None:
    assert len(load_tasks()) == 164
    codes = [build_whole_program(task, task["prompt"] + task["canonical_solution"]) for task in load_tasks()]
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda code: client.execute({"language": "python", "code": code}), codes))
    failed = [
        f"{task['task_id']}: {result.status.value} {result.message} {result.stderr[-300:]}"
        for task, result in zip(load_tasks(), results, strict=True)
        if (result.status, result.exit_code) != ("ok", 0)
    ]
    assert not failed, "\n".join(failed)


@pytest.mark.timeout(300)
def test_all_reference_solutions_are_accepted_by_assert_tests(client: Client) -> None:
    results = client.verify_batch(
        [build_assert_request(task, task["prompt"] + task["canonical_solution"]) for task in load_tasks()]
    )
    failed = [
        f"{task['task_id']}: {result.tests[0]}"
        for task, result in zip(load_tasks(), results, strict=True)
        if result.verdict != ACCEPTED
    ]
    assert not failed, "\n".join(failed)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_mutants_get_the_verdicts_of_a_plain_run(client: Client) -> None:
    pairs = [
        (task, mutant)
        for task in load_tasks()
        for mutant in make_mutants(task["prompt"], task["canonical_solution"], MUTANTS_PER_TASK, SEED)
    ]
    assert len(pairs) == MUTANTS_PER_TASK * len(load_tasks())
    lines = "".join(json.dumps(build_whole_program(task, mutant)) + "\n" for task, mutant in pairs)
    # Use the image's own interpreter, because versions of Python differ.
    with subprocess.Popen(
        ["/usr/bin/python3", "-m", plain_run.__name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as plain:
        results = client.verify_batch([build_assert_request(task, mutant) for task, mutant in pairs])
        verdict_lines, _ = plain.communicate(lines)
    expected = [json.loads(line) for line in verdict_lines.splitlines()]
    differing = [
        f"{task['task_id']}: plain run {'passed' if passed else 'failed'}, {result.tests[0]}\n{mutant}"
        for (task, mutant), passed, result in zip(pairs, expected, results, strict=True)
        if (result.verdict == ACCEPTED) is not passed or result.verdict == "internal_error"
    ]
    assert not differing, "\n".join(differing)
    killed = expected.count(False)
    assert len(pairs) > killed > len(pairs) // 2, "mutants that all fail, or mostly pass, show nothing"
