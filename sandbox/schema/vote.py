"""`POST /verify/vote`: takes candidates and inputs; returns labels, the golden candidate and a labeled test set.

`verify/voting.py` and `verify/golden.py` explain the rules.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from sandbox.runner.contract import Verdict
from sandbox.schema.callbacks import CallbackUrl
from sandbox.schema.checkers import Checker, CodeJudgeChecker, EquivalenceChecker, TokensChecker
from sandbox.schema.programs import EnvironmentReference, Lane, ProgramInput, TestCase, reject_program_files
from sandbox.schema.vote_label import VoteCandidate, VoteGolden, VoteLabel, build_candidate, build_golden, decode_text
from sandbox.schema.wire import (
    DEFAULT_OUTPUT_KB,
    IMAGE_TIME,
    MAX_CODE_CHARS,
    MAX_OUTPUT_KB,
    LimitsRequest,
    WireModel,
    cap_output,
)
from sandbox.verify import voting
from sandbox.verify.golden import VoteOutcome
from sandbox.verify.roles import Role

MAX_CANDIDATES = 256
MAX_INPUTS = 1_000
MAX_RUNS = 20_000


class Candidate(WireModel):
    language: str = Field(max_length=64)
    code: str = Field(max_length=MAX_CODE_CHARS)
    role: Role = Field(
        Role.CANDIDATE,
        description="candidate: votes; reference: its output is the label; brute: votes, with a veto on inputs that it"
        " finishes; wrong and slow: do not vote, and must fail or exceed the time limit",
    )


class VoteInput(ProgramInput):
    """One test input. A plain string is its stdin."""

    weight: float = Field(
        1.0, ge=0, le=1e6, description="declared difficulty; counts if the policy's `weights` is `declared`"
    )


def expand_stdin(value: Any) -> Any:
    return {"stdin": value} if isinstance(value, str) else value


def _expand_policy_name(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class VotePolicy(WireModel):
    """A preset by name, with overrides. `"x-coder"` is short for `{"name": "x-coder"}`."""

    name: Literal["default", "x-coder"] = "default"
    quorum: float | None = Field(
        None, ge=0, le=1, description="share of the cast votes that a label needs; default 0.5"
    )
    min_votes: int | None = Field(None, ge=1, le=MAX_CANDIDATES, description="votes that a label needs; default 2")
    margin: int | None = Field(
        None, ge=0, le=MAX_CANDIDATES, description="lead in votes that a label needs over the next output; default 1"
    )
    tie: voting.TieBreak | None = Field(
        None, description="which of several equally large groups gives the label; default none"
    )
    weights: voting.Weighting | None = Field(
        None, description="weights of tests in the scores of candidates; default uniform"
    )
    holdout_fraction: float | None = Field(
        None,
        ge=0,
        le=0.9,
        description="share of the labelled inputs that is held out when the golden candidate is chosen; default 0.3",
    )
    seed: int | None = Field(None, ge=0, lt=1 << 63, description="seed for the split and for random ties; default 0")
    one_vote_per_program: bool | None = Field(None, description="identical programs share a single vote; default false")
    golden_tie: Literal["fastest", "first"] | None = Field(
        None,
        description="among equal candidates: fastest (then the shortest, then the first), or first; default fastest",
    )

    def resolve(self) -> voting.Policy:
        return replace(voting.PRESETS[self.name], **self.model_dump(exclude={"name"}, exclude_none=True))


class VoteRequest(WireModel):
    """Label inputs by the majority of the candidates, and choose the golden candidate."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "candidates": [
                        {"language": "python", "code": "print(sum(map(int, input().split())))"},
                        {"language": "python", "code": "a, b = map(int, input().split())\nprint(a + b)"},
                        {"language": "python", "code": "a, b = map(int, input().split())\nprint(a - b)"},
                    ],
                    "inputs": ["1 2\n", "20 22\n", "5 0\n"],
                    "policy": {"quorum": 0.6, "seed": 7},
                }
            ]
        }
    )

    candidates: list[Candidate] = Field(min_length=1, max_length=MAX_CANDIDATES)
    inputs: list[Annotated[VoteInput, BeforeValidator(expand_stdin, json_schema_input_type=str | VoteInput)]] = Field(
        min_length=1, max_length=MAX_INPUTS
    )
    checker: EquivalenceChecker | None = Field(
        None, description="decides if two outputs agree; default tokens, or code-judge with the policy x-coder"
    )
    policy: Annotated[VotePolicy, BeforeValidator(_expand_policy_name, json_schema_input_type=str | VotePolicy)] = (
        VotePolicy()
    )
    limits: LimitsRequest = LimitsRequest(output_kb=DEFAULT_OUTPUT_KB)
    environment: EnvironmentReference = ""
    stop_after_timeouts: int | None = Field(
        None,
        ge=1,
        description="do not run a candidate on further inputs after so many that exceed the time limit; it has no vote"
        " on them; default: never",
    )
    priority: Lane = Lane.DEFAULT
    callback_url: CallbackUrl | None = None

    @model_validator(mode="after")
    def _check_size(self) -> VoteRequest:
        if len(self.candidates) * len(self.inputs) > MAX_RUNS:
            raise ValueError(f"candidates times inputs is more than {MAX_RUNS}; split the inputs into several votes")
        if (self.limits.output_kb or 0) > MAX_OUTPUT_KB:
            raise ValueError(f"limits.output_kb must be at most {MAX_OUTPUT_KB} in a vote")
        for position, each in enumerate(self.inputs):
            for language in {candidate.language for candidate in self.candidates} if each.files else ():
                reject_program_files(each.files, language, f"inputs.{position}.files")
        return self

    @property
    def effective_checker(self) -> EquivalenceChecker:
        if self.checker is not None:
            return self.checker
        return CodeJudgeChecker(type="code-judge") if self.policy.name == "x-coder" else TokensChecker(type="tokens")

    @property
    def effective_limits(self) -> LimitsRequest:
        """Return the limits, with the vote's own default for `output_kb`."""
        return cap_output(self.limits)


class TestSet(WireModel):
    """The labeled tests. Add `language` and `code` to send it to `/verify`."""

    __test__ = False  # not a test class of pytest, despite its name

    tests: list[TestCase]
    checker: Checker


class VoteResult(WireModel):
    """The answer of `POST /verify/vote`. A cell of `matrix` is `skipped` if its input has no label."""

    id: str
    labels: list[VoteLabel]
    golden: VoteGolden
    candidates: list[VoteCandidate]
    matrix: list[list[Verdict]] = Field(description="candidates x inputs")
    test_set: TestSet
    internal_errors: int = Field(0, description="runs that failed because of the service; if more than 0, vote again")
    internal_error: str = Field("", description="why one of these runs failed, if the reason is known")
    queue_time_s: float = 0.0
    run_time_s: float = 0.0
    image_time_s: float = Field(0.0, description=IMAGE_TIME)

    @classmethod
    def from_outcome(
        cls,
        request: VoteRequest,
        outcome: VoteOutcome,
        same_as: list[int],
        *,
        id: str,
        compile_messages: list[str] | None = None,
        queue_time_s: float = 0.0,
        run_time_s: float = 0.0,
        image_time_s: float = 0.0,
        internal_error: str = "",
    ) -> VoteResult:
        """Build the answer to `request` from the outcome of its vote."""
        held = set(outcome.holdout)
        messages = compile_messages or [""] * len(request.candidates)
        return cls(
            id=id,
            labels=[
                VoteLabel.from_label(position, label, outcome.weights[position], position in held)
                for position, label in enumerate(outcome.labels)
            ],
            golden=build_golden(outcome),
            candidates=[
                build_candidate(*parts, request.candidates[index].role, outcome.verdicts[index])
                for index, parts in enumerate(zip(outcome.candidate_scores, same_as, messages, strict=True))
            ],
            matrix=outcome.verdicts,
            test_set=TestSet(
                tests=[
                    _build_test(given, label.expected)
                    for given, label in zip(request.inputs, outcome.labels, strict=True)
                    if label.expected is not None
                ],
                checker=request.effective_checker,
            ),
            internal_errors=sum(row.count(Verdict.INTERNAL_ERROR) for row in outcome.verdicts),
            queue_time_s=round(queue_time_s, 6),
            run_time_s=round(run_time_s, 6),
            image_time_s=round(image_time_s, 6),
            internal_error=internal_error,
        )


def _build_test(given: VoteInput, expected: bytes) -> TestCase:
    fields = given.model_dump(exclude={"weight"}, exclude_defaults=True)
    text, data = decode_text(expected)
    return TestCase(**fields, expected="" if data is not None else text or "", expected_base64=data)
