"""`POST /verify/vote`: takes candidates and inputs; returns labels, the golden candidate and a labeled test set.

`verify/voting.py` and `verify/golden.py` explain the rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from sandbox.runner.contract import Verdict
from sandbox.schema.callbacks import CallbackUrl
from sandbox.schema.checkers import Checker, CodeJudgeChecker, ProgramChecker, TokensChecker, VoteChecker
from sandbox.schema.programs import EnvironmentReference, Lane, TestCase, reject_program_files
from sandbox.schema.vote_inputs import (
    MAX_GENERATORS,
    MAX_PROBES,
    MAX_VALIDATORS,
    PreparedInputs,
    ValidatorProbe,
    VoteGenerator,
    VoteInputResult,
    VoteValidation,
    VoteValidator,
    expand_stdin,
)
from sandbox.schema.vote_inputs import VoteInput as VoteInput
from sandbox.schema.vote_label import (
    CheckerCalibration,
    VoteCandidate,
    VoteGolden,
    VoteLabel,
    build_candidate,
    build_golden,
    decode_text,
)
from sandbox.schema.vote_policy import MAX_CANDIDATES, expand_policy_name
from sandbox.schema.vote_policy import VotePolicy as VotePolicy
from sandbox.schema.wire import (
    DEFAULT_OUTPUT_KB,
    IMAGE_TIME,
    MAX_CODE_CHARS,
    MAX_OUTPUT_KB,
    LimitsRequest,
    WireModel,
    cap_output,
)
from sandbox.verify.checker_calibration import Damage
from sandbox.verify.golden import VoteOutcome
from sandbox.verify.roles import Role

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
    generators: list[VoteGenerator] = Field(
        default_factory=list, max_length=MAX_GENERATORS, description="programs that print more inputs"
    )
    inputs: list[Annotated[VoteInput, BeforeValidator(expand_stdin, json_schema_input_type=str | VoteInput)]] = Field(
        default_factory=list, validate_default=True, max_length=MAX_INPUTS
    )
    validators: list[VoteValidator] = Field(
        default_factory=list,
        max_length=MAX_VALIDATORS,
        description="programs that reject invalid inputs; with `probes` the most accurate one decides, otherwise they"
        " vote",
    )
    probes: list[ValidatorProbe] = Field(
        default_factory=list, max_length=MAX_PROBES, description="labelled inputs that measure the validators"
    )
    return_inputs: bool = Field(False, description="return the stdin of each used input in `inputs` of the answer")
    checker: VoteChecker | None = Field(
        None, description="decides if two outputs agree; default tokens, or code-judge with the policy x-coder"
    )
    checker_allows: list[Damage] = Field(
        default_factory=list,
        max_length=len(Damage),
        description="with a checker program: ways to damage a right output that may leave it right",
    )
    policy: Annotated[VotePolicy, BeforeValidator(expand_policy_name, json_schema_input_type=str | VotePolicy)] = (
        VotePolicy()
    )
    limits: LimitsRequest = LimitsRequest(output_kb=DEFAULT_OUTPUT_KB)
    trusted_limits: LimitsRequest = Field(
        LimitsRequest(), description=f"limits of generators and validators; output_kb is {MAX_OUTPUT_KB} by default"
    )
    environment: EnvironmentReference = ""
    stop_after_timeouts: int | None = Field(
        None,
        ge=1,
        description="do not run a candidate on further inputs after this many exceed the time limit; it has no vote"
        " on them; default: never",
    )
    priority: Lane = Lane.DEFAULT
    callback_url: CallbackUrl | None = None

    @field_validator("inputs")
    @classmethod
    def _require_inputs(cls, inputs: list[VoteInput], info: ValidationInfo) -> list[VoteInput]:
        if not inputs and info.data.get("generators") == []:  # missing if they are invalid themselves
            raise ValueError("give inputs, generators, or both")
        return inputs

    @model_validator(mode="after")
    def _check_size(self) -> VoteRequest:
        input_count = len(self.inputs) + sum(generator.count_runs() for generator in self.generators)
        if input_count > MAX_INPUTS:
            raise ValueError(f"inputs and generators have {input_count} inputs, more than {MAX_INPUTS}")
        if len(self.candidates) * input_count > MAX_RUNS:
            raise ValueError(f"candidates times inputs is more than {MAX_RUNS}; split the inputs into several votes")
        if self.probes and not self.validators:
            raise ValueError("probes measure validators: give validators, too")
        for field, limits in (("limits", self.limits), ("trusted_limits", self.trusted_limits)):
            if (limits.output_kb or 0) > MAX_OUTPUT_KB:
                raise ValueError(f"{field}.output_kb must be at most {MAX_OUTPUT_KB} in a vote")
        self._check_files()
        return self

    def _check_files(self) -> None:
        readers = {one.language for one in self.candidates} | {one.language for one in self.validators}
        probes = [(f"probes.{position}.input.files", one.input.files) for position, one in enumerate(self.probes)]
        inputs = [(f"inputs.{position}.files", one.files) for position, one in enumerate(self.inputs)]
        for field, files in (*inputs, *probes):
            for language in readers if files else ():
                reject_program_files(files, language, field)

    def list_languages(self) -> dict[str, str]:
        """Return the language of each program by its field."""
        groups: dict[str, Sequence[Candidate | VoteGenerator | VoteValidator]] = {
            "candidates": self.candidates,
            "generators": self.generators,
            "validators": self.validators,
        }
        named = {"checker.language": self.checker.language} if isinstance(self.checker, ProgramChecker) else {}
        return named | {
            f"{field}.{position}.language": program.language
            for field, programs in groups.items()
            for position, program in enumerate(programs)
        }

    @property
    def effective_checker(self) -> VoteChecker:
        if self.checker is not None:
            return self.checker
        return CodeJudgeChecker(type="code-judge") if self.policy.name == "x-coder" else TokensChecker(type="tokens")

    @property
    def effective_limits(self) -> LimitsRequest:
        """Return the limits, with the vote's own default for `output_kb`."""
        return cap_output(self.limits)

    @property
    def effective_trusted_limits(self) -> LimitsRequest:
        """Return the limits of generators and validators. A generator may print as much as a vote allows."""
        output_kb = self.trusted_limits.output_kb or MAX_OUTPUT_KB
        return self.trusted_limits.model_copy(update={"output_kb": output_kb})


class TestSet(WireModel):
    """The labeled tests. Add `language` and `code` to send it to `/verify`."""

    __test__ = False  # not a test class of pytest, despite its name

    tests: list[TestCase]
    checker: Checker


class VoteResult(WireModel):
    """The answer of `POST /verify/vote`. A cell of `matrix` is `skipped` if its input has no label.

    `inputs` and `validation` are set if the request has generators or validators. `labels` and the columns of `matrix`
    are those of the used inputs.
    """

    id: str
    labels: list[VoteLabel]
    golden: VoteGolden
    candidates: list[VoteCandidate]
    matrix: list[list[Verdict]] = Field(description="candidates x used inputs")
    inputs: list[VoteInputResult] = Field(
        default_factory=list, description="all inputs: those of the request, then those of the generators in order"
    )
    validation: VoteValidation | None = None
    calibration: CheckerCalibration | None = Field(
        None, description="whether the checker program can be trusted; null with other checkers"
    )
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
        prepared: PreparedInputs | None = None,
        calibration: CheckerCalibration | None = None,
        queue_time_s: float = 0.0,
        run_time_s: float = 0.0,
        image_time_s: float = 0.0,
        internal_error: str = "",
    ) -> VoteResult:
        """Build the answer to `request` from the outcome of its vote.

        `prepared` describes all inputs; the default is that the vote uses all inputs of the request.
        """
        prepared = prepared or PreparedInputs(request.inputs, list(range(len(request.inputs))))
        held = set(outcome.holdout)
        messages = compile_messages or [""] * len(request.candidates)
        return cls(
            id=id,
            labels=[
                VoteLabel.from_label(prepared.positions[place], label, outcome.weights[place], place in held)
                for place, label in enumerate(outcome.labels)
            ],
            golden=build_golden(outcome),
            candidates=[
                build_candidate(
                    *parts,
                    request.candidates[index].role,
                    outcome.verdicts[index],
                    disqualified=index in outcome.disqualified,
                )
                for index, parts in enumerate(zip(outcome.candidate_scores, same_as, messages, strict=True))
            ],
            matrix=outcome.verdicts,
            inputs=prepared.results,
            validation=prepared.validation,
            calibration=calibration,
            test_set=TestSet(
                tests=[
                    _build_test(given, label.expected)
                    for given, label in zip(request.inputs, outcome.labels, strict=True)
                    if label.expected is not None
                ],
                checker=request.effective_checker,
            ),
            internal_errors=prepared.lost + sum(row.count(Verdict.INTERNAL_ERROR) for row in outcome.verdicts),
            queue_time_s=round(queue_time_s, 6),
            run_time_s=round(run_time_s, 6),
            image_time_s=round(image_time_s, 6),
            internal_error=internal_error,
        )


def _build_test(given: VoteInput, expected: bytes) -> TestCase:
    fields = given.model_dump(exclude={"weight"}, exclude_defaults=True)
    text, data = decode_text(expected)
    return TestCase(**fields, expected="" if data is not None else text or "", expected_base64=data)
