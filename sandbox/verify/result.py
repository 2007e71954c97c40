"""The result of one test, as the judge builds it and as it travels to the client."""

from __future__ import annotations

from pydantic import Field

from sandbox.runner.contract import Outcome, Usage, Verdict
from sandbox.verify.wire_model import WireModel


class TestPart(WireModel):
    """One test function of a pytest file."""

    __test__ = False

    name: str
    verdict: Verdict
    message: str = ""


class TestResult(WireModel):
    __test__ = False  # not a test class of pytest, despite its name

    verdict: Verdict
    score: float = Field(0.0, description="1 if accepted, 0 if not, or in between for partial scores")
    message: str = ""
    exit_code: int | None = None
    signal: int | None = None
    usage: Usage = Usage()
    parts: list[TestPart] | None = Field(None, description="the test functions of a pytest file")

    @property
    def accepted(self) -> bool:
        """Return whether the program passed this test."""
        return self.verdict is Verdict.ACCEPTED


def build_test_result(outcome: Outcome, verdict: Verdict, message: str = "", points: float | None = None) -> TestResult:
    """Build the result of a run, including how the run ended. Its score is `points` if a checker gave any."""
    # Validating takes 1.3 us, less than the 2.1 us of `model_construct`.
    return TestResult(
        verdict=verdict,
        score=float(verdict is Verdict.ACCEPTED) if points is None else points,
        message=message,
        exit_code=outcome.exit_code,
        signal=outcome.signal,
        usage=outcome.usage,
    )
