"""All 164 reference solutions of HumanEval (arXiv 2107.03374) run to exit 0, each with its own unit tests."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from sandbox.schema import ExecuteRequest, ExecuteResult
from sandbox.service import Service

DATA = Path(__file__).resolve().parents[3] / "shared/data/HumanEval.jsonl.gz"


def _requests() -> dict[str, ExecuteRequest]:
    tasks = [json.loads(line) for line in gzip.decompress(DATA.read_bytes()).splitlines()]
    return {
        task["task_id"]: ExecuteRequest(
            language="python",
            code=f"{task['prompt']}{task['canonical_solution']}\n{task['test']}\ncheck({task['entry_point']})\n",
        )
        for task in tasks
    }


def test_all_reference_solutions_run_to_exit_0(live_service: Service) -> None:
    if not DATA.exists():
        pytest.skip(f"the data set is not here: {DATA}")
    requests = _requests()
    assert len(requests) == 164
    ticket = live_service.submit("execute", list(requests.values()), batch=True)
    results = [ExecuteResult.model_validate_json(future.result(100)) for future in ticket.results]
    failed = [
        f"{name}: {result.status.value} {result.message} {result.stderr[-300:]}"
        for name, result in zip(requests, results, strict=True)
        if (result.status, result.exit_code) != ("ok", 0)
    ]
    assert not failed, "\n".join(failed)


def test_a_solution_that_is_broken_does_not(live_service: Service) -> None:
    if not DATA.exists():
        pytest.skip(f"the data set is not here: {DATA}")
    request = _requests()["HumanEval/0"]
    broken = request.model_copy(update={"code": request.code.replace("return False", "return None")})
    (future,) = live_service.submit("execute", [broken]).results
    result = ExecuteResult.model_validate_json(future.result(60))
    assert (result.status, result.exit_code) == ("runtime_error", 1)
    assert "AssertionError" in result.stderr
