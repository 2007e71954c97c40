"""The findings of a check of a package."""

from __future__ import annotations

from dataclasses import dataclass, field

from sandbox.verify.quality_report import QualityResult


@dataclass(frozen=True)
class Finding:
    """The outcome of one check. `cpu_time_s` is the most CPU time of one test, if programs were judged.

    A finding that is `unjudged` did not pass, but the package is not known to be at fault.
    """

    kind: str
    name: str
    passed: bool
    detail: str = ""
    cpu_time_s: float = 0.0
    unjudged: bool = False


@dataclass
class Report:
    """All findings about one package. `quality` is None if no right program was judged."""

    name: str
    findings: list[Finding] = field(default_factory=list)
    quality: QualityResult | None = None
    test_names: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return all(finding.passed for finding in self.findings)

    @property
    def failed(self) -> bool:
        """Whether the package is known to be at fault."""
        return any(not finding.passed and not finding.unjudged for finding in self.findings)

    @property
    def suite_ratio(self) -> float | None:
        """How many times the CPU time of the smallest suite with the same kills all tests take; None if unknown."""
        if self.quality is None or not self.quality.smallest_suite.cpu_time_s:
            return None
        return self.quality.smallest_suite.all_cpu_time_s / self.quality.smallest_suite.cpu_time_s
