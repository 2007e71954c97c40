"""Run a vote in a slot: compile each candidate once, run it on every input, and apply the rules of `verify.golden`."""

from __future__ import annotations

import time
from collections.abc import Callable

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.errors import InfrastructureError
from sandbox.runner.contract import Limits, Outcome, Run, Status
from sandbox.schema.vote import Candidate, VoteRequest, VoteResult
from sandbox.schema.wire import LimitsRequest
from sandbox.verify import golden, normal_form
from sandbox.verify.voting import OutputInterner
from sandbox.worker.checker_program import build_checker_choice
from sandbox.worker.retry import run_with_retries

MAX_COMPILE_MESSAGE_CHARS = 4_000


def vote(item_id: str, request: VoteRequest, slot: Slot, queue_time_s: float, default_limits: Limits) -> VoteResult:
    """Label the inputs and choose the golden candidate. The same request always gives the same result."""
    began = time.monotonic()
    limits = request.effective_limits.resolve(default_limits)
    runs = [Run(stdin=one.stdin_bytes, args=tuple(one.args), files=one.files, limits=limits) for one in request.inputs]
    interned = OutputInterner()
    messages: list[str] = []
    matrix: list[list[Outcome]] = []
    for candidate in request.candidates:
        interned.begin_candidate()
        outcomes, message = _run_candidate(candidate, request.limits, runs, slot, interned.intern_outcome)
        matrix.append(outcomes)
        messages.append(message)
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
        queue_time_s=round(queue_time_s, 6),
        run_time_s=round(time.monotonic() - began, 6),
        image_time_s=slot.image_time_s,
        internal_error=next((one.message for row in matrix for one in row if one.status is Status.INTERNAL_ERROR), ""),
    )


def _run_candidate(
    candidate: Candidate,
    limits: LimitsRequest,
    runs: list[Run],
    slot: Slot,
    intern_outcome: Callable[[Outcome], Outcome],
) -> tuple[list[Outcome], str]:
    """Return a candidate's outcome for each input and, if it does not compile, the compiler's message."""
    language = languages.get_language(candidate.language)

    def run_in_box(box: Box) -> tuple[list[Outcome], str]:
        compiled = box.load(language.build_program(candidate.code, limits.resolve_compile(language.compile_limits)))
        if compiled is not None and not compiled.ended_well:
            message = compiled.stderr.decode(errors="replace")[:MAX_COMPILE_MESSAGE_CHARS] or compiled.message
            return [Outcome(Status.COMPILE_ERROR, message=compiled.message)] * len(runs), message
        return [intern_outcome(box.run(run)) for run in runs], ""

    try:
        return run_with_retries(slot, language, run_in_box)
    except InfrastructureError as error:
        return [Outcome(Status.INTERNAL_ERROR, message=str(error))] * len(runs), ""
