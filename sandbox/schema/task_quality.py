"""The quality of a task's tests, as a registered task carries it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sandbox.schema.wire import WireModel
from sandbox.verify.quality_report import QualityResult

Position = Annotated[int, Field(ge=0)]


class TaskQuality(WireModel):
    """Figures of a report of `POST /verify/quality`, which explains them."""

    tpr: float | None = None
    tnr: float | None = None
    mutation_score: float | None = None
    smallest_suite: list[Position] = Field(
        default_factory=list, description="positions of the tests that together kill what all tests kill"
    )
    cpu_time_s: float = Field(0.0, description="mean CPU seconds of a right program on the smallest suite")
    all_cpu_time_s: float = Field(0.0, description="the same on all tests")
    slow_only: list[Position] = Field(default_factory=list, description="tests that fail programs only by their time")

    @classmethod
    def from_report(cls, report: QualityResult) -> TaskQuality:
        """Return the figures of a report on the task's tests, in their order."""
        suite = report.smallest_suite
        return cls(
            tpr=report.tpr,
            tnr=report.tnr,
            mutation_score=report.mutation_score,
            smallest_suite=suite.tests,
            cpu_time_s=suite.cpu_time_s,
            all_cpu_time_s=suite.all_cpu_time_s,
            slow_only=report.slow_only,
        )
