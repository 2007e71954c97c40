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
from sandbox.verify import golden, normal_form
from sandbox.verify.voting import OutputInterner
from sandbox.worker.checker_program import build_checker_choice
from sandbox.worker.retry import run_with_retries

MAX_COMPILE_MESSAGE_CHARS = 4_000
NOT_RUN = Outcome(Status.TIME_LIMIT_EXCEEDED, message="not run: the candidate exceeded its time limits before")


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
        outcomes, message = _run_candidate(candidate, request, runs, slot, interned.intern_outcome)
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
    request: VoteRequest,
    runs: list[Run],
    slot: Slot,
    intern_outcome: Callable[[Outcome], Outcome],
) -> tuple[list[Outcome], str]:
    """Return a candidate's outcome for each input and, if it does not compile, the compiler's message."""
    language = languages.get_language(candidate.language)
    compile_limits = request.limits.resolve_compile(language.compile_limits)

    def run_in_box(box: Box) -> tuple[list[Outcome], str]:
        compiled = box.load(language.build_program(candidate.code, compile_limits))
        if compiled is not None and not compiled.ended_well:
            message = compiled.stderr.decode(errors="replace")[:MAX_COMPILE_MESSAGE_CHARS] or compiled.message
            return [Outcome(Status.COMPILE_ERROR, message=compiled.message)] * len(runs), message
        return _run_inputs(box, request, runs, intern_outcome), ""

    try:
        return run_with_retries(slot, language, run_in_box)
    except InfrastructureError as error:
        return [Outcome(Status.INTERNAL_ERROR, message=str(error))] * len(runs), ""


def _run_inputs(
    box: Box, request: VoteRequest, runs: list[Run], intern_outcome: Callable[[Outcome], Outcome]
) -> list[Outcome]:
    """Run the loaded candidate on every input, until it exceeds the total CPU time or times out too often."""
    outcomes: list[Outcome] = []
    total_cpu_time_s, max_timeouts = request.limits.total_cpu_time_s, request.stop_after_timeouts
    cpu_time_s, timeouts = 0.0, 0
    for run in runs:
        outcome = box.run(run)
        outcomes.append(intern_outcome(outcome))
        cpu_time_s += outcome.usage.cpu_time_s
        timeouts += outcome.status is Status.TIME_LIMIT_EXCEEDED
        used_up = total_cpu_time_s is not None and cpu_time_s > total_cpu_time_s
        if used_up or (max_timeouts is not None and timeouts >= max_timeouts):
            break
    return outcomes + [NOT_RUN] * (len(runs) - len(outcomes))
