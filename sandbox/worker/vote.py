"""Run a vote in a slot: prepare the inputs, run all candidates on them, and apply the rules of `verify.golden`."""

from __future__ import annotations

import time

from sandbox import languages
from sandbox.box.slot import Slot
from sandbox.runner.contract import Limits, Outcome
from sandbox.schema.vote import VoteRequest, VoteResult
from sandbox.verify import golden, normal_form
from sandbox.verify.voting import OutputInterner
from sandbox.worker.checker_program import build_checker_choice
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
    vote_outcome = golden.decide_vote(
        matrix,
        [one.stdin_bytes for one in request.inputs],
        [one.code for one in request.candidates],
        build_checker_choice(request.effective_checker),
        request.policy.resolve(),
        same_as=same_as,
        declared=[one.weight for one in request.inputs],
        roles=[one.role for one in request.candidates],
    )
    return VoteResult.from_outcome(
        request,
        vote_outcome,
        same_as,
        id=item_id,
        compile_messages=messages,
        prepared=prepared,
        queue_time_s=round(queue_time_s, 6),
        run_time_s=round(time.monotonic() - began, 6),
    )


def _run_candidates(request: VoteRequest, slot: Slot, default_limits: Limits) -> tuple[list[list[Outcome]], list[str]]:
    """Return the outcomes of each candidate on each input, and the compilers' messages."""
    limits = request.effective_limits.resolve(default_limits)
    runs = [build_run(one, limits) for one in request.inputs]
    interned = OutputInterner()
    matrix, messages = [], []
    for candidate in request.candidates:
        interned.begin_candidate()
        outcomes, message = run_program(
            slot, candidate.language, candidate.code, request.limits, runs, interned.intern_outcome
        )
        matrix.append(outcomes)
        messages.append(message)
    return matrix, messages
