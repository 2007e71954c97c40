"""The inputs of a vote: programs that generate and validate them, and what the answer says about each input.

`verify/input_generation.py` and `verify/validators.py` explain the rules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from sandbox.schema.programs import MAX_STDIN_CHARS, Argument, Base64Data, ProgramInput
from sandbox.schema.wire import MAX_CODE_CHARS, WireModel
from sandbox.verify.input_generation import GeneratorRun, plan_runs, sweep_sizes

MAX_GENERATORS = 64
MAX_VALIDATORS = 16
MAX_PROBES = 256
MAX_SIZE = 1 << 53

Size = Annotated[int, Field(ge=0, le=MAX_SIZE)]
Seed = Annotated[int, Field(ge=0, lt=1 << 63)]


def expand_stdin(value: Any) -> Any:
    return {"stdin": value} if isinstance(value, str) else value


class VoteInput(ProgramInput):
    """One test input. A plain string is its stdin."""

    weight: float = Field(
        1.0, ge=0, le=1e6, description="declared difficulty; counts if the policy's `weights` is `declared`"
    )


class SizeSweep(WireModel):
    """Sizes that rise by about the same factor from `smallest` to `largest`. Both ends are included."""

    smallest: Size = 1
    largest: Size = Field(description="the largest size that the task's constraints allow")
    count: int = Field(6, ge=2, le=64, description="number of sizes; fewer if the range has fewer whole numbers")

    @model_validator(mode="after")
    def _check_order(self) -> SizeSweep:
        if self.smallest > self.largest:
            raise ValueError("smallest must be at most largest")
        return self


class VoteGenerator(WireModel):
    """A program that prints one input. It runs once for each combination of argument list, size and seed.

    `{size}` and `{seed}` in an argument are replaced. If no argument mentions them, the size and then the seed are
    appended.
    """

    language: str = Field(max_length=64)
    code: str = Field(max_length=MAX_CODE_CHARS)
    args: list[list[Argument]] = Field(default_factory=list, max_length=1_000, description="argument lists")
    seeds: list[Seed] = Field(default_factory=list, max_length=1_000)
    sizes: SizeSweep | list[Size] = Field(default_factory=list, description="sizes, or a sweep from small to large")

    def list_sizes(self) -> list[int]:
        """Return the sizes in the order of the runs."""
        if isinstance(self.sizes, SizeSweep):
            return sweep_sizes(self.sizes.smallest, self.sizes.largest, self.sizes.count)
        return self.sizes

    def count_runs(self) -> int:
        """Return the number of inputs that it prints."""
        return max(len(self.args), 1) * max(len(self.seeds), 1) * max(len(self.list_sizes()), 1)

    def plan(self, position: int) -> list[GeneratorRun]:
        """Return its runs; `position` is its position among the generators."""
        return plan_runs(position, self.args, self.seeds, self.list_sizes())


class VoteValidator(WireModel):
    """A program that reads an input from stdin, and accepts it by exit code 0 or 42."""

    language: str = Field(max_length=64)
    code: str = Field(max_length=MAX_CODE_CHARS)


class ValidatorProbe(WireModel):
    """An input that is known to be valid, or known to be invalid, to measure validators with."""

    input: Annotated[ProgramInput, BeforeValidator(expand_stdin, json_schema_input_type=str | ProgramInput)]
    valid: bool


class InputStatus(StrEnum):
    """How a vote treated an input. Only `used` inputs take part in the vote."""

    USED = "used"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    GENERATOR_FAILED = "generator_failed"
    TOO_MUCH_INPUT = "too_much_input"
    UNJUDGED = "unjudged"


class VoteInputResult(WireModel):
    """How a vote treated one input, and where the input comes from. An input of the request has no generator."""

    generator: int | None = Field(None, description="position in `generators`")
    args: list[str] = Field(default_factory=list, description="all arguments of the generator's run")
    seed: int | None = None
    size: int | None = None
    status: InputStatus = InputStatus.USED
    duplicate_of: int | None = Field(None, description="position of the first input that is the same")
    reason: str = Field("", description="why it is not used")
    stdin: str | None = Field(None, max_length=MAX_STDIN_CHARS, description="with `return_inputs`, for a used input")
    stdin_base64: Base64Data | None = Field(None, description="all of stdin, present if it is not valid UTF-8")


class VoteValidatorResult(WireModel):
    """A validator's results on the probes."""

    accuracy: float | None = Field(
        None,
        description="mean of the share of valid probes that it accepts and of invalid probes that it rejects; null"
        " without probes",
    )
    valid_accepted: int = 0
    valid_total: int = 0
    invalid_rejected: int = 0
    invalid_total: int = 0
    compile_message: str = ""


class VoteValidation(WireModel):
    """Which validators decided about the inputs."""

    filters: list[int] = Field(
        description="the validators that decided: the most accurate one, or all that compile if there are no probes;"
        " empty if none is better than chance, and then no input is rejected"
    )
    validators: list[VoteValidatorResult]
    rejected: int = Field(description="number of inputs that are rejected")
    unjudged: int = Field(description="number of inputs that are left out because the service failed")


@dataclass(frozen=True, slots=True)
class PreparedInputs:
    """The inputs that the vote uses, their positions among all inputs, and what became of each input.

    `lost` is the number of runs of generators and validators that failed because of the service.
    """

    used: list[VoteInput]
    positions: list[int]
    results: list[VoteInputResult] = field(default_factory=list)
    validation: VoteValidation | None = None
    lost: int = 0
