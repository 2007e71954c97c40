"""Run one program on many inputs in a slot: it is compiled once, and a failing box is replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.errors import InfrastructureError
from sandbox.runner.contract import Outcome, Run, Status
from sandbox.schema.wire import LimitsRequest
from sandbox.worker.retry import run_with_retries

MAX_COMPILE_MESSAGE_CHARS = 4_000


def _keep(outcome: Outcome) -> Outcome:
    return outcome


def run_program(
    slot: Slot,
    language_name: str,
    code: str,
    limits: LimitsRequest,
    runs: Sequence[Run],
    reduce_outcome: Callable[[Outcome], Outcome] = _keep,
) -> tuple[list[Outcome], str]:
    """Return the outcome of each run and, if the program does not compile, the compiler's message.

    `limits` are those of compilation; each run has its own. `reduce_outcome` is applied to each outcome at once, so
    that what is not needed does not stay in memory. If the service fails, all outcomes are `internal_error`.
    """
    language = languages.get_language(language_name)

    def run_in_box(box: Box) -> tuple[list[Outcome], str]:
        compiled = box.load(language.build_program(code, limits.resolve_compile(language.compile_limits)))
        if compiled is not None and not compiled.ended_well:
            message = compiled.stderr.decode(errors="replace")[:MAX_COMPILE_MESSAGE_CHARS] or compiled.message
            message = message or "the program does not compile"
            return [Outcome(Status.COMPILE_ERROR, message=compiled.message)] * len(runs), message
        return [reduce_outcome(box.run(run)) for run in runs], ""

    try:
        return run_with_retries(slot, language, run_in_box)
    except InfrastructureError as error:
        return [Outcome(Status.INTERNAL_ERROR, message=str(error))] * len(runs), ""
