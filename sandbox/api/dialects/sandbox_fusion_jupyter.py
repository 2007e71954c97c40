"""SandboxFusion's `/run_jupyter`: cells in a kernel that is new for every request and gone after it."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import orjson
from pydantic import Field

from sandbox.api.dialects.tongue import Foreign, limits_of, made
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, Lane

TIMED_OUT = 124


class RunJupyter(Foreign):
    cells: list[str]
    cell_timeout: float = 0
    total_timeout: float = 45
    memory_limit_MB: int = -1  # noqa: N815 -- the peer's spelling
    kernel: Literal["python3"] = "python3"
    files: dict[str, str | None] = Field(default_factory=dict)
    fetch_files: list[str] = Field(default_factory=list)


def notebook(asked: RunJupyter) -> ExecuteRequest:
    """The kernel as a program, and the cells as its input. Raises BadRequest."""
    total_s = asked.total_timeout
    return made(
        ExecuteRequest,
        language="python",
        code=_kernel(),
        stdin=json.dumps({"cells": asked.cells, "cell_timeout": asked.cell_timeout}),
        files={name: data for name, data in asked.files.items() if data is not None},
        fetch_files=asked.fetch_files,
        limits=limits_of(cpu_time_s=total_s, wall_time_s=total_s, memory_mb=asked.memory_limit_MB),
        priority=Lane.RL,
    )


def notebook_answer(result: ExecuteResult, driver: dict[str, Any]) -> dict[str, Any]:
    """Success with every cell's output, also of those that raised; Failed without any, when the kernel did not end.

    `driver` is the run as the peer tells a command's.
    """
    cells = [cell for line in result.stdout.splitlines() if (cell := _cell(line)) is not None]
    driver = {**driver, "stdout": ""}
    if result.status is not Status.OK:
        if result.exit_code == TIMED_OUT:
            driver |= {"status": "TimeLimitExceeded", "return_code": None}
        return _answer("Failed", result.message, driver, [], {})
    return _answer("Success", "", driver, cells, result.model_dump(mode="json", include={"files"})["files"])


def _answer(status: str, message: str, driver: Any, cells: list[Any], fetched: dict[str, str]) -> dict[str, Any]:
    return {
        "status": status,
        "message": message,
        "driver": driver,
        "cells": cells,
        "executor_pod_name": None,
        "files": fetched,
    }


def _cell(line: str) -> dict[str, Any] | None:
    """A line of the kernel's; cells can write where it does, so what is not of its shape is none."""
    try:
        cell = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    return cell if isinstance(cell, dict) and set(cell) == {"stdout", "stderr", "display", "error"} else None


@cache
def _kernel() -> str:
    return files("sandbox.api.dialects").joinpath("jupyter_kernel.py").read_text(encoding="utf-8")
