"""Prepare the inputs of a vote in a slot: run the generators, drop duplicates, and let validators reject inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from sandbox.box.slot import Slot
from sandbox.runner.contract import Limits, Outcome, Run, Status
from sandbox.schema.programs import ProgramInput
from sandbox.schema.vote import VoteRequest
from sandbox.schema.vote_inputs import (
    InputStatus,
    PreparedInputs,
    VoteInput,
    VoteInputResult,
    VoteValidation,
    VoteValidatorResult,
)
from sandbox.schema.vote_label import decode_text
from sandbox.verify import validators
from sandbox.verify.hacks import check_generator
from sandbox.verify.input_generation import GeneratorRun
from sandbox.verify.judge import extract_last_line
from sandbox.worker.program_runs import run_program

MAX_GENERATED_BYTES = 64 << 20
TOO_MUCH = Outcome(
    Status.OUTPUT_LIMIT_EXCEEDED,
    message=f"the generated inputs together have more than {MAX_GENERATED_BYTES >> 20} MiB",
)


def prepare_inputs(request: VoteRequest, slot: Slot, default_limits: Limits) -> PreparedInputs:
    """Return the inputs of the vote. Without generators and validators, they are those of the request."""
    if not request.generators and not request.validators:
        return PreparedInputs(request.inputs, list(range(len(request.inputs))), [])
    preparation = _Preparation(request, slot, request.effective_trusted_limits.resolve(default_limits))
    preparation.generate()
    preparation.drop_duplicates()
    validation = preparation.validate() if request.validators else None
    return preparation.finish(validation)


def build_run(given: ProgramInput, limits: Limits) -> Run:
    """Return the run of a program on an input."""
    return Run(stdin=given.stdin_bytes, args=tuple(given.args), files=given.files, limits=limits)


class GeneratedInputs:
    """Keeps one copy of each generated input, while there is room: a thousand runs may print 4 MiB each."""

    def __init__(self) -> None:
        self._kept: dict[bytes, bytes] = {}
        self._left_bytes = MAX_GENERATED_BYTES

    def reduce_outcome(self, outcome: Outcome) -> Outcome:
        """Reduce the outcome of a generator's run to its input, or to `TOO_MUCH`, or to the reason why it failed."""
        if not outcome.ended_well:
            return keep_reason(outcome)
        if outcome.stdout not in self._kept:
            if len(outcome.stdout) > self._left_bytes:
                return TOO_MUCH
            self._left_bytes -= len(outcome.stdout)
        return replace(outcome, stdout=self._kept.setdefault(outcome.stdout, outcome.stdout), stderr=b"")


def keep_reason(outcome: Outcome) -> Outcome:
    """Reduce an outcome to how the run ended and the last line that it printed."""
    message = outcome.message or extract_last_line(outcome.stderr or outcome.stdout)
    return replace(outcome, message=message, stdout=b"", stderr=b"")


class _Preparation:
    """All inputs in order, each with its result. An input that a generator did not print is None."""

    def __init__(self, request: VoteRequest, slot: Slot, limits: Limits) -> None:
        self._request = request
        self._slot = slot
        self._limits = limits
        self._inputs: list[VoteInput | None] = list(request.inputs)
        self._results = [VoteInputResult() for _ in request.inputs]
        self._lost = 0

    def generate(self) -> None:
        generated = GeneratedInputs()
        for position, generator in enumerate(self._request.generators):
            plan = generator.plan(position)
            runs = [Run(args=each.arguments, limits=self._limits) for each in plan]
            outcomes, message = self._run(generator.language, generator.code, runs, generated.reduce_outcome)
            for planned, outcome in zip(plan, outcomes, strict=True):
                self._add_generated(planned, outcome, message)

    def _add_generated(self, planned: GeneratorRun, outcome: Outcome, message: str) -> None:
        refusal = check_generator(outcome)
        reason, status, made = "", InputStatus.USED, None
        if outcome is TOO_MUCH:
            reason, status = outcome.message, InputStatus.TOO_MUCH_INPUT
        elif refusal is not None:
            lost = refusal.valid is None
            status = InputStatus.UNJUDGED if lost else InputStatus.GENERATOR_FAILED
            reason = refusal.message.replace("generator", f"generators.{planned.generator}", 1)
            reason += f": {message}" if message else ""
        else:
            made = _build_input(outcome.stdout)
        self._inputs.append(made)
        self._results.append(
            VoteInputResult(
                generator=planned.generator,
                args=list(planned.arguments),
                seed=planned.seed,
                size=planned.size,
                status=status,
                reason=reason,
            )
        )

    def drop_duplicates(self) -> None:
        """Drop each generated input that equals an earlier input. The inputs of the request are all kept."""
        first: dict[bytes, int] = {}
        for position, given in enumerate(self._inputs):
            if given is None or given.args or given.files:
                continue
            same = first.setdefault(given.stdin_bytes, position)
            if same != position and position >= len(self._request.inputs):
                update = {"status": InputStatus.DUPLICATE, "duplicate_of": same}
                self._results[position] = self._results[position].model_copy(update=update)

    def validate(self) -> VoteValidation:
        """Reject invalid inputs. A validator that is sure to decide runs on probes and inputs in one go."""
        probes, programs = self._request.probes, self._request.validators
        probe_runs = [build_run(probe.input, self._limits) for probe in probes]
        used = self._list_used()
        runs = [build_run(self._get_input(position), self._limits) for position in used]
        all_decide = not probes or len(programs) == 1
        ran = [self._run(each.language, each.code, [*probe_runs, *(runs if all_decide else ())]) for each in programs]
        valid = [probe.valid for probe in probes]
        scores = [validators.score_validator(outcomes[: len(probes)], valid) for outcomes, _ in ran]
        filters = validators.choose_filters(scores, [not message for _, message in ran], has_probes=bool(probes))
        decisions = []
        for index in filters:
            best = programs[index]
            outcomes = ran[index][0][len(probes) :] if all_decide else self._run(best.language, best.code, runs)[0]
            decisions.append([validators.read_decision(index, outcome) for outcome in outcomes])
        for position, *decisions_on_it in zip(used, *decisions, strict=True) if filters else ():
            self._apply(position, validators.decide_input(decisions_on_it))
        return self._describe_validation(filters, scores, [message for _, message in ran])

    def _apply(self, position: int, decision: validators.Decision) -> None:
        if not decision.accepts:
            status = InputStatus.UNJUDGED if decision.accepts is None else InputStatus.REJECTED
            update = {"status": status, "reason": decision.reason}
            self._results[position] = self._results[position].model_copy(update=update)

    def _describe_validation(
        self, filters: list[int], scores: Sequence[validators.ValidatorScore], messages: Sequence[str]
    ) -> VoteValidation:
        return VoteValidation(
            filters=filters,
            validators=[
                VoteValidatorResult(
                    accuracy=None if score.accuracy is None else round(score.accuracy, 6),
                    valid_accepted=score.valid_accepted,
                    valid_total=score.valid_total,
                    invalid_rejected=score.invalid_rejected,
                    invalid_total=score.invalid_total,
                    compile_message=message,
                )
                for score, message in zip(scores, messages, strict=True)
            ],
            rejected=sum(each.status is InputStatus.REJECTED for each in self._results),
            unjudged=sum(each.status is InputStatus.UNJUDGED for each in self._results),
        )

    def _run(
        self,
        language: str,
        code: str,
        runs: Sequence[Run],
        reduce_outcome: Callable[[Outcome], Outcome] = keep_reason,
    ) -> tuple[list[Outcome], str]:
        outcomes, message = run_program(self._slot, language, code, self._request.trusted_limits, runs, reduce_outcome)
        self._lost += sum(outcome.status is Status.INTERNAL_ERROR for outcome in outcomes)
        return outcomes, message

    def _list_used(self) -> list[int]:
        return [position for position, each in enumerate(self._results) if each.status is InputStatus.USED]

    def _get_input(self, position: int) -> VoteInput:
        given = self._inputs[position]
        if given is None:
            raise ValueError(f"input {position} was not generated")
        return given

    def finish(self, validation: VoteValidation | None) -> PreparedInputs:
        positions = self._list_used()
        used = [self._get_input(position) for position in positions]
        results = list(self._results)
        for position, given in zip(positions, used, strict=True) if self._request.return_inputs else ():
            text, data = decode_text(given.stdin_bytes)
            results[position] = results[position].model_copy(update={"stdin": text, "stdin_base64": data})
        return PreparedInputs(used, positions, results, validation, self._lost)


def _build_input(stdin: bytes) -> VoteInput:
    text, data = decode_text(stdin)
    return VoteInput(stdin_base64=data) if data is not None else VoteInput(stdin=text or "")
