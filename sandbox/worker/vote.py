"""Run a vote in a slot: prepare the inputs, run all candidates on them, and apply the rules of `verify.golden`."""

from __future__ import annotations

import time
from dataclasses import replace

from sandbox import languages
from sandbox.box.slot import Slot
from sandbox.runner.contract import Limits, Outcome, Status
from sandbox.schema.checkers import ProgramChecker
from sandbox.schema.vote import VoteRequest, VoteResult
from sandbox.schema.vote_label import CheckerCalibration
from sandbox.verify import golden, normal_form
from sandbox.verify.agreement import AnyChecker
from sandbox.verify.checker_calibration import Calibration, calibrate
from sandbox.verify.golden import VoteOutcome
from sandbox.verify.tally import StopRules
from sandbox.verify.voting import Label, NoLabel, OutputInterner, withhold_labels
from sandbox.worker.checker_program import build_checker_choice
from sandbox.worker.program_agreement import ProgramAgreement
from sandbox.worker.program_runs import run_program
from sandbox.worker.vote_inputs import build_run, prepare_inputs


def vote(item_id: str, request: VoteRequest, slot: Slot, queue_time_s: float, default_limits: Limits) -> VoteResult:
    """Label the inputs and choose the golden candidate. The same request always gives the same result."""
    began = time.monotonic()
    prepared = prepare_inputs(request, slot, default_limits)
    request = request.model_copy(update={"inputs": prepared.used})
    matrix, messages = _run_candidates(request, slot, default_limits)
    same_as = normal_form.find_first_equivalents(
        [(languages.get_language(one.language).name, one.code) for one in request.candidates]
    )
    vote_outcome, calibration, lost = _decide(request, matrix, same_as, slot)
    return VoteResult.from_outcome(
        request,
        vote_outcome,
        same_as,
        id=item_id,
        compile_messages=messages,
        prepared=replace(prepared, lost=prepared.lost + lost),
        calibration=calibration,
        queue_time_s=round(queue_time_s, 6),
        run_time_s=round(time.monotonic() - began, 6),
        image_time_s=slot.image_time_s,
        internal_error=next((one.message for row in matrix for one in row if one.status is Status.INTERNAL_ERROR), ""),
    )


def _decide(
    request: VoteRequest, matrix: list[list[Outcome]], same_as: list[int], slot: Slot
) -> tuple[VoteOutcome, CheckerCalibration | None, int]:
    """Return the outcome, the calibration of a checker program, and how many of its runs the service lost."""
    roles = [one.role for one in request.candidates]
    stdins = [one.stdin_bytes for one in request.inputs]

    def decide(checker: AnyChecker, labels: list[Label] | None = None) -> VoteOutcome:
        return golden.decide_vote(
            matrix,
            stdins,
            [one.code for one in request.candidates],
            checker,
            request.policy.resolve(),
            same_as=same_as,
            declared=[one.weight for one in request.inputs],
            roles=roles,
            labels=labels,
        )

    checker = request.effective_checker
    if not isinstance(checker, ProgramChecker):
        return decide(build_checker_choice(checker)), None, 0
    agreement = ProgramAgreement(checker, stdins)

    def decide_if_trusted() -> tuple[VoteOutcome, Calibration]:
        calibration = calibrate(matrix, roles, agreement, request.checker_allows)
        untrusted = calibration.trusted is False or bool(agreement.compile_message)
        labels = withhold_labels(matrix, NoLabel.CHECKER_UNTRUSTED) if untrusted else None
        return decide(agreement, labels), calibration

    vote_outcome, calibration = agreement.run(slot, decide_if_trusted)
    return vote_outcome, CheckerCalibration.from_calibration(calibration, agreement.compile_message), agreement.lost


def _run_candidates(request: VoteRequest, slot: Slot, default_limits: Limits) -> tuple[list[list[Outcome]], list[str]]:
    """Return the outcomes of each candidate on each input, and the compilers' messages."""
    limits = request.effective_limits.resolve(default_limits)
    runs = [build_run(one, limits) for one in request.inputs]
    rules = StopRules(after_timeouts=request.stop_after_timeouts, total_cpu_time_s=request.limits.total_cpu_time_s)
    interned = OutputInterner()
    matrix, messages = [], []
    for candidate in request.candidates:
        interned.begin_candidate()
        outcomes, message = run_program(
            slot, candidate.language, candidate.code, request.limits, runs, interned.intern_outcome, rules
        )
        matrix.append(outcomes)
        messages.append(message)
    return matrix, messages
