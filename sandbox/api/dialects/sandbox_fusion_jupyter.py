"""SandboxFusion's `/run_jupyter`: run cells in a kernel that lives only for the duration of the request."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import orjson
from pydantic import Field

from sandbox.api.dialects.dialect import PeerRequest, build_limits, build_model
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, Lane

TIMEOUT_EXIT_CODE = 124


class RunJupyterRequest(PeerRequest):
    cells: list[str]
    cell_timeout: float = 0
    total_timeout: float = 45
    memory_limit_MB: int = -1  # noqa: N815 -- the peer's spelling
    kernel: Literal["python3"] = "python3"
    files: dict[str, str | None] = Field(default_factory=dict)
    fetch_files: list[str] = Field(default_factory=list)


def build_notebook_request(body: RunJupyterRequest) -> ExecuteRequest:
    """Build a request that runs the kernel as the program, with the cells as its input. Raises BadRequest."""
    total_s = body.total_timeout
    return build_model(
        ExecuteRequest,
        language="python",
        code=_read_kernel_source(),
        stdin=json.dumps({"cells": body.cells, "cell_timeout": body.cell_timeout}),
        files={name: data for name, data in body.files.items() if data is not None},
        fetch_files=body.fetch_files,
        limits=build_limits(cpu_time_s=total_s, wall_time_s=total_s, memory_mb=body.memory_limit_MB),
        priority=Lane.RL,
    )


def render_notebook_result(result: ExecuteResult, driver: dict[str, Any]) -> dict[str, Any]:
    """Render the output of all cells as Success, even if a cell raised, or Failed if the kernel itself failed.

    `driver` is the run of the kernel, in the peer's format for a command.
    """
    cells = [cell for line in result.stdout.splitlines() if (cell := _parse_cell(line)) is not None]
    driver = {**driver, "stdout": ""}
    if result.status is not Status.OK:
        if result.exit_code == TIMEOUT_EXIT_CODE:
            driver |= {"status": "TimeLimitExceeded", "return_code": None}
        return _build_answer("Failed", result.message, driver, [], {})
    return _build_answer("Success", "", driver, cells, result.model_dump(mode="json", include={"files"})["files"])


def _build_answer(status: str, message: str, driver: Any, cells: list[Any], fetched: dict[str, str]) -> dict[str, Any]:
    return {
        "status": status,
        "message": message,
        "driver": driver,
        "cells": cells,
        "executor_pod_name": None,
        "files": fetched,
    }


def _parse_cell(line: str) -> dict[str, Any] | None:
    """Parse a line of the kernel's output. Cells can write to the same stream, so malformed lines are skipped."""
    try:
        cell = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return cell if isinstance(cell, dict) and set(cell) == {"stdout", "stderr", "display", "error"} else None


@cache
def _read_kernel_source() -> str:
    return files("sandbox.api.dialects").joinpath("jupyter_kernel.py").read_text(encoding="utf-8")
