"""The progress of `POST /verify/quality`, sent line by line or as events while the programs are judged."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from sandbox.runner.contract import Verdict
from sandbox.schema.problem_details import Problem
from sandbox.schema.quality import QualityResult
from sandbox.schema.wire import WireModel
from sandbox.verify.quality_report import ProgramKind

QualityPhase = Literal["tests", "outputs", "inputs"]


class QualityRow(WireModel):
    """A finished row of the kill matrix."""

    program: int
    name: str
    kind: ProgramKind
    verdicts: list[Verdict]


class QualityProgress(WireModel):
    """How far a request is. The phases `outputs` and `inputs` compare surviving mutants on the `inputs`."""

    phase: QualityPhase
    done: int = Field(description="programs that were judged, or inputs that were run in the phase outputs")
    total: int
    rows: list[QualityRow] = Field(default_factory=list, description="rows that are new since the last progress")


class QualityLine(WireModel):
    """One line of the streamed answer: progress, and as the last line the report or a problem."""

    progress: QualityProgress | None = None
    report: QualityResult | None = None
    problem: Problem | None = None
