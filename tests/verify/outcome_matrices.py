"""Outcome matrices written as text, for the tests of votes. A cell is an output, or how the run ended."""

from __future__ import annotations

from collections.abc import Sequence

from sandbox.runner.contract import Outcome, Status, Usage

TIMED_OUT = Outcome(Status.TIME_LIMIT_EXCEEDED)
CRASHED = Outcome(Status.RUNTIME_ERROR, exit_code=1, stdout=b"4")
LOST = Outcome(Status.INTERNAL_ERROR, message="the box broke")
NOT_COMPILED = Outcome(Status.COMPILE_ERROR)

Cell = str | bytes | Outcome


def build_outcome(output: str | bytes, cpu_time_s: float = 0.01) -> Outcome:
    stdout = output if isinstance(output, bytes) else output.encode()
    return Outcome(Status.OK, exit_code=0, stdout=stdout, usage=Usage(cpu_time_s=cpu_time_s))


def build_matrix(*rows: Sequence[Cell]) -> list[list[Outcome]]:
    """Build a matrix with one row per candidate."""
    return [[cell if isinstance(cell, Outcome) else build_outcome(cell) for cell in row] for row in rows]


def build_column(*cells: Cell) -> list[list[Outcome]]:
    """Build a matrix for one input, with a cell per candidate."""
    return build_matrix(*([cell] for cell in cells))
