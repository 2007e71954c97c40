"""The parts of a vote's answer: the label of an input, the golden candidate, and the result of each program."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import Field

from sandbox.runner.contract import Verdict
from sandbox.schema.programs import MAX_STDIN_CHARS, Base64Data
from sandbox.schema.wire import WireModel
from sandbox.verify import voting
from sandbox.verify.checker_calibration import Calibration, Damage
from sandbox.verify.golden import CandidateScore, TieBreak, VoteOutcome
from sandbox.verify.roles import Role, check_role


class VoteLabel(WireModel):
    """The vote on one input. Candidates are identified by index."""

    input: int = Field(description="position of the input: those of the request come before those of the generators")
    expected: str | None = Field(None, max_length=MAX_STDIN_CHARS, description="the label; null if there is none")
    expected_base64: Base64Data | None = Field(None, description="all of the label, present if it is not valid UTF-8")
    votes: int = Field(description="votes for the largest group of outputs")
    cast: int = Field(description="all votes; only runs with status ok vote")
    confidence: float = Field(description="votes / cast")
    tie: bool = Field(description="another group was equally large")
    why: voting.NoLabel | None = Field(None, description="why there is no label")
    dissenters: list[int] = Field(description="candidates that ran well but printed another output")
    abstained: list[int] = Field(description="candidates that failed, or whose copies printed different outputs")
    weight: float = Field(description="weight of the test in the scores of candidates")
    held_out: bool = False
    by_reference: bool = Field(False, description="the label is the output of the references, not of the votes")
    by_brute: bool = Field(False, description="with `brute_labels`: the label is the output of the brute programs")
    objectors: list[int] = Field(
        default_factory=list, description="references and brute programs that disagree with the label or prevent one"
    )

    @classmethod
    def from_label(cls, position: int, label: voting.Label, weight: float, held_out: bool) -> VoteLabel:
        text, data = decode_text(label.expected)
        return cls(
            input=position,
            expected=text,
            expected_base64=data,
            votes=label.votes,
            cast=label.cast,
            confidence=round(label.confidence, 6),
            tie=label.tie,
            why=label.why,
            dissenters=list(label.dissenters),
            abstained=list(label.abstained),
            weight=round(weight, 6),
            held_out=held_out,
            by_reference=label.by_reference,
            by_brute=label.by_brute,
            objectors=list(label.objectors),
        )


class VoteGolden(WireModel):
    index: int | None = Field(None, description="the chosen candidate; null if no candidate passes any test")
    score: float
    holdout_passed: int
    holdout_total: int
    holdout_pass_rate: float | None = Field(None, description="null if nothing was held out")
    accepted: bool = Field(description="the candidate passes every held-out test")
    tied: int = Field(0, description="candidates with its score, itself included")
    tie_break: TieBreak | None = Field(None, description="what decided among them; null if no other has its score")


class VoteCandidate(WireModel):
    score: float = Field(description="weighted share of the selection tests that it passes, 0 to 1")
    selection_passed: int
    holdout_passed: int
    cpu_time_s: float = Field(description="CPU time of its runs on the selection tests")
    same_as: int = Field(
        description="index of the first candidate with the same program; its own index if it is the first"
    )
    compile_message: str = ""
    role: Role = Role.CANDIDATE
    disqualified: bool = Field(
        False, description="with `brute_disqualifies`: a brute program contradicts it, so it has no vote"
    )
    role_kept: bool | None = Field(
        None, description="a reference, wrong or slow program behaves as its role says; null if that is not known"
    )


class DamagedOutputs(WireModel):
    """How a checker program judges outputs that are damaged in one way."""

    damage: Damage
    made: int
    rejected: int


class CheckerCalibration(WireModel):
    """Whether a checker program can be trusted. If `trusted` is false, no input has a label."""

    trusted: bool | None = Field(description="null if nothing is known")
    why: str = Field("", description="why it cannot be trusted, or why that is not known")
    own_outputs: int = Field(description="outputs of references, which it must accept")
    own_accepted: int
    damaged: list[DamagedOutputs]

    @classmethod
    def from_calibration(cls, calibration: Calibration, compile_message: str = "") -> CheckerCalibration:
        return cls(
            trusted=calibration.trusted,
            why=f"it does not compile: {compile_message}" if compile_message else calibration.why,
            own_outputs=calibration.own_outputs,
            own_accepted=calibration.own_accepted,
            damaged=[
                DamagedOutputs(damage=kind, made=count.made, rejected=count.rejected)
                for kind, count in calibration.damages.items()
            ],
        )


def build_golden(outcome: VoteOutcome) -> VoteGolden:
    """Build the part of the answer about the golden candidate."""
    golden = outcome.golden
    return VoteGolden(
        index=golden.index,
        score=round(golden.score, 6),
        holdout_passed=golden.holdout_passed,
        holdout_total=golden.holdout_total,
        holdout_pass_rate=round(golden.holdout_passed / golden.holdout_total, 6) if golden.holdout_total else None,
        accepted=golden.accepted,
        tied=golden.tied,
        tie_break=golden.tie_break,
    )


def build_candidate(
    candidate_score: CandidateScore,
    same_as: int,
    compile_message: str,
    role: Role,
    verdicts: Sequence[Verdict],
    *,
    disqualified: bool = False,
) -> VoteCandidate:
    """Build the result of one program; `verdicts` has one for each input."""
    return VoteCandidate(
        score=round(candidate_score.score, 6),
        selection_passed=candidate_score.selection_passed,
        holdout_passed=candidate_score.holdout_passed,
        cpu_time_s=round(candidate_score.cpu_time_s, 6),
        same_as=same_as,
        compile_message=compile_message,
        role=role,
        disqualified=disqualified,
        role_kept=check_role(role, verdicts),
    )


def decode_text(data: bytes | None) -> tuple[str | None, bytes | None]:
    """Return bytes as text, and also as bytes if they are not valid UTF-8."""
    if data is None:
        return None, None
    try:
        return data.decode(), None
    except UnicodeDecodeError:
        return data.decode(errors="replace"), data
