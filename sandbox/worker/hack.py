"""Run a hack in a slot: run one program after another until a rule of `verify.hacks` decides the outcome."""

from __future__ import annotations

import time
from dataclasses import replace

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.errors import BoxOutOfMemory, InfrastructureError
from sandbox.runner.contract import Limits, Outcome, Run, Status
from sandbox.schema.checkers import ProgramChecker
from sandbox.schema.hack import HackProgram, HackRequest, HackResult
from sandbox.schema.programs import ProgramInput
from sandbox.schema.wire import LimitsRequest, cap_output
from sandbox.verify import hacks
from sandbox.verify.hacks import HackDecision
from sandbox.worker.checker_program import build_checker_choice
from sandbox.worker.program_agreement import ProgramAgreement
from sandbox.worker.retry import run_with_retries


def hack(item_id: str, request: HackRequest, slot: Slot, queue_time_s: float, default_limits: Limits) -> HackResult:
    """Return whether the input is valid and whether it breaks the target. If the service failed, both are None."""
    began = time.monotonic()
    trial = _Trial(request, slot, default_limits)
    decision = trial.decide()
    return HackResult.from_decision(
        decision,
        id=item_id,
        generated=trial.generated,
        queue_time_s=queue_time_s,
        run_time_s=time.monotonic() - began,
        image_time_s=slot.image_time_s,
    )


class _Trial:
    """The runs of one hack. `generated` is the input that its generator printed; None if it has no generator."""

    def __init__(self, request: HackRequest, slot: Slot, default_limits: Limits) -> None:
        self._request = request
        self._slot = slot
        self._target_limits = cap_output(request.limits).resolve(default_limits)
        self._trusted_limits = cap_output(request.trusted_limits).resolve(default_limits)
        self._claimed = None if request.output is None else request.output.encode()
        self.generated: bytes | None = None

    def decide(self) -> HackDecision:
        """Run the programs in the order of the rules, and stop at the first decision."""
        request = self._request
        if request.generator is not None:
            made = self._run_trusted(request.generator, Run(args=request.generator.arguments))
            if refused := hacks.check_generator(made):
                return refused
            self.generated = made.stdout
        given = request.input or ProgramInput()
        stdin = given.stdin_bytes if self.generated is None else self.generated
        run = Run(stdin=stdin, args=tuple(given.args), files=given.files)
        for position, validator in enumerate(request.validators):
            if refused := hacks.check_validator(position, self._run_trusted(validator, run)):
                return refused
        outcomes = [self._run_trusted(reference, run) for reference in request.references]
        target_run = replace(run, limits=self._target_limits)
        if isinstance(request.checker, ProgramChecker):
            target = self._run(request.target, target_run, request.limits)
            return self._decide_with_program(request.checker, stdin, outcomes, target)
        checker = build_checker_choice(request.checker)
        if refused := hacks.check_references(outcomes, checker):
            return refused
        target = self._run(request.target, target_run, request.limits)
        return hacks.decide_target(target, outcomes[0].stdout, checker, self._claimed)

    def _decide_with_program(
        self, checker: ProgramChecker, stdin: bytes, references: list[Outcome], target: Outcome
    ) -> HackDecision:
        agreement = ProgramAgreement(checker, [stdin])

        def decide() -> HackDecision:
            refused = hacks.check_references(references, agreement)
            return refused or hacks.decide_target(target, references[0].stdout, agreement, self._claimed)

        return agreement.run(self._slot, decide)

    def _run_trusted(self, program: HackProgram, run: Run) -> Outcome:
        return self._run(program, replace(run, limits=self._trusted_limits), self._request.trusted_limits)

    def _run(self, program: HackProgram, run: Run, limits: LimitsRequest) -> Outcome:
        language = languages.get_language(program.language)
        compile_limits = limits.resolve_compile(language.compile_limits)

        def run_in_box(box: Box) -> Outcome:
            compiled = box.load(language.build_program(program.code, compile_limits))
            if compiled is not None and not compiled.ended_well:
                return compiled
            return box.run(run)

        try:
            return run_with_retries(self._slot, language, run_in_box)
        except BoxOutOfMemory as error:
            return Outcome(Status.MEMORY_LIMIT_EXCEEDED, message=str(error))
        except InfrastructureError as error:
            return Outcome(Status.INTERNAL_ERROR, message=str(error))
