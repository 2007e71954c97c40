"""`POST /verify/hack`: takes a target, an input and trusted programs; returns whether the input breaks the target.

`verify/hacks.py` explains the rules.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, model_validator

from sandbox.runner.contract import Verdict
from sandbox.schema.callbacks import CallbackFor, CallbackUrl
from sandbox.schema.checkers import ProgramChecker, TokensChecker, VoteChecker
from sandbox.schema.programs import (
    MAX_ITEMS,
    MAX_STDIN_CHARS,
    Argument,
    Base64Data,
    Lane,
    ProgramInput,
    reject_program_files,
)
from sandbox.schema.vote_inputs import expand_stdin
from sandbox.schema.vote_label import decode_text
from sandbox.schema.wire import (
    IMAGE_TIME,
    MAX_CODE_CHARS,
    MAX_OUTPUT_KB,
    EnvironmentReference,
    LimitsRequest,
    WireModel,
)
from sandbox.verify.hacks import HackDecision, HackReason

MAX_TRUSTED = 16


def _check_output_limits(limits: LimitsRequest, trusted_limits: LimitsRequest) -> None:
    for field, given in (("limits", limits), ("trusted_limits", trusted_limits)):
        if (given.output_kb or 0) > MAX_OUTPUT_KB:
            raise ValueError(f"{field}.output_kb must be at most {MAX_OUTPUT_KB} in a hack")


class HackProgram(WireModel):
    language: str = Field(max_length=64)
    code: str = Field(max_length=MAX_CODE_CHARS)


class HackGenerator(HackProgram):
    """A program that prints the input. It gets `args`, then `seed` as the last argument."""

    args: list[Argument] = Field(default_factory=list, max_length=256)
    seed: int | None = Field(None, ge=0, lt=1 << 63, description="passed as the last argument, if given")

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return the arguments of the run, with the seed."""
        return (*self.args, *([] if self.seed is None else [str(self.seed)]))


class HackTask(WireModel):
    """The part of a hack that a task gives: the target and the trusted programs. The policy `hack` rewards inputs."""

    target: HackProgram = Field(description="the program to break")
    validators: list[HackProgram] = Field(
        default_factory=list, max_length=MAX_TRUSTED, description="accept an input by exit code 0 or 42"
    )
    references: list[HackProgram] = Field(
        min_length=1, max_length=MAX_TRUSTED, description="trusted programs, which must agree on the output"
    )
    checker: VoteChecker = TokensChecker(type="tokens")
    limits: LimitsRequest = Field(LimitsRequest(), description="limits of the target")
    trusted_limits: LimitsRequest = Field(LimitsRequest(), description="limits of the validators and the references")

    @model_validator(mode="after")
    def _check_limits(self) -> HackTask:
        _check_output_limits(self.limits, self.trusted_limits)
        return self

    def build_request(self, given: str, output: str | None, environment: str, priority: Lane) -> HackRequest:
        """Return the request that tries an input, with the output that its writer claims."""
        fields = {name: getattr(self, name) for name in self.model_fields_set}
        if environment:
            fields["environment"] = environment
        return HackRequest(**fields, input=ProgramInput(stdin=given), output=output, priority=priority)


class HackRequest(WireModel):
    """Try to break a program with one input, which the validators and references must confirm."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "target": {"language": "python", "code": "print(max(0, *map(int, input().split())))"},
                    "input": "-5 -3\n",
                    "validators": [{"language": "python", "code": "assert len(input().split()) > 1"}],
                    "references": [{"language": "python", "code": "print(max(map(int, input().split())))"}],
                }
            ]
        }
    )

    target: HackProgram = Field(description="the program to break")
    input: Annotated[ProgramInput, BeforeValidator(expand_stdin, json_schema_input_type=str | ProgramInput)] | None = (
        Field(None, description="the input of the hack; a plain string is its stdin")
    )
    generator: HackGenerator | None = Field(None, description="prints the input; use instead of `input`")
    output: str | None = Field(
        None, max_length=MAX_STDIN_CHARS, description="the right output, as the writer of the input claims"
    )
    validators: list[HackProgram] = Field(
        default_factory=list, max_length=MAX_TRUSTED, description="accept an input by exit code 0 or 42"
    )
    references: list[HackProgram] = Field(
        min_length=1, max_length=MAX_TRUSTED, description="trusted programs, which must agree on the output"
    )
    checker: VoteChecker = TokensChecker(type="tokens")
    limits: LimitsRequest = Field(LimitsRequest(), description="limits of the target")
    trusted_limits: LimitsRequest = Field(
        LimitsRequest(), description="limits of the generator, the validators and the references"
    )
    environment: EnvironmentReference = ""
    priority: Lane = Lane.DEFAULT

    @model_validator(mode="after")
    def _check_input(self) -> HackRequest:
        if (self.input is None) == (self.generator is None):
            raise ValueError("give either input or generator")
        _check_output_limits(self.limits, self.trusted_limits)
        for language in {program.language for program in self.programs} if self.input else ():
            reject_program_files(self.input.files if self.input else (), language, "input.files")
        return self

    @property
    def programs(self) -> list[HackProgram]:
        """Return all programs of the hack."""
        return [self.target, *self.references, *self.validators, *([self.generator] if self.generator else [])]

    def list_languages(self) -> dict[str, str]:
        """Return the language of each program by its field."""
        named = {"target": self.target} | ({"generator": self.generator} if self.generator else {})
        if isinstance(self.checker, ProgramChecker):
            named["checker"] = HackProgram(language=self.checker.language, code="")
        named |= {f"validators.{position}": one for position, one in enumerate(self.validators)}
        named |= {f"references.{position}": one for position, one in enumerate(self.references)}
        return {f"{field}.language": program.language for field, program in named.items()}


class HackSubmission(HackRequest):
    """A `HackRequest` that is submitted alone. In a batch, the batch has the callback instead."""

    callback_url: CallbackUrl | None = None


class HackBatchRequest(WireModel):
    items: list[HackRequest] = Field(min_length=1, max_length=MAX_ITEMS)
    callback_url: CallbackUrl | None = None
    callback_for: CallbackFor = "batch"


class HackResult(WireModel):
    """The answer of `POST /verify/hack`.

    If the service failed, `valid` and `breaks` are null. A request that waits for its result gets 502 instead.
    """

    id: str
    valid: bool | None = Field(description="the validators accept the input and the references agree on the output")
    breaks: bool | None = Field(description="the input is valid, and the target fails on it")
    output_right: bool | None = Field(
        None, description="the claimed output is right; null without one, and if the input is not valid"
    )
    reason: HackReason
    message: str = Field("", description="explains the reason; names the program by its field")
    verdict: Verdict | None = Field(None, description="the target's verdict; null if it did not run")
    input: str | None = Field(None, max_length=MAX_STDIN_CHARS, description="the generated input")
    input_base64: Base64Data | None = Field(None, description="all of the input, present if it is not valid UTF-8")
    expected: str | None = Field(None, max_length=MAX_STDIN_CHARS, description="the first reference's output")
    expected_base64: Base64Data | None = Field(None, description="all of `expected`, if it is not valid UTF-8")
    got: str | None = Field(
        None, max_length=MAX_STDIN_CHARS, description="the target's output, or that of a reference that disagrees"
    )
    got_base64: Base64Data | None = Field(None, description="all of `got`, present if it is not valid UTF-8")
    queue_time_s: float = 0.0
    run_time_s: float = 0.0
    image_time_s: float = Field(0.0, description=IMAGE_TIME)

    @classmethod
    def from_decision(
        cls,
        decision: HackDecision,
        *,
        id: str,
        generated: bytes | None = None,
        queue_time_s: float = 0.0,
        run_time_s: float = 0.0,
        image_time_s: float = 0.0,
    ) -> HackResult:
        """Build the answer from a decision. `generated` is the input that a generator printed."""
        texts: dict[str, Any] = {}
        for name, data in (("input", generated), ("expected", decision.expected), ("got", decision.got)):
            if data is not None:
                text, raw = decode_text(data)
                texts |= {name: text, f"{name}_base64": raw}
        return cls(
            id=id,
            valid=decision.valid,
            breaks=decision.breaks,
            output_right=decision.output_right,
            reason=decision.reason,
            message=decision.message,
            verdict=decision.verdict,
            queue_time_s=round(queue_time_s, 6),
            run_time_s=round(run_time_s, 6),
            image_time_s=round(image_time_s, 6),
            **texts,
        )


class HackBatchResult(WireModel):
    results: list[HackResult]
