"""Run one program on many inputs in a slot: it is compiled once, and a failing box is replaced."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.errors import BoxOutOfMemory, InfrastructureError
from sandbox.runner.contract import Outcome, Run, Status
from sandbox.schema.wire import LimitsRequest
from sandbox.verify.tally import StopRules
from sandbox.worker.retry import run_with_retries

MAX_COMPILE_MESSAGE_CHARS = 4_000
NEVER_STOP = StopRules()
NOT_RUN = Outcome(Status.TIME_LIMIT_EXCEEDED, message="not run: the program exceeded its time limits before")


def run_program(
    slot: Slot,
    language_name: str,
    code: str,
    limits: LimitsRequest,
    runs: Sequence[Run],
    reduce_outcome: Callable[[Outcome], Outcome],
    rules: StopRules = NEVER_STOP,
) -> tuple[list[Outcome], str]:
    """Return the outcome of each run and, if the program does not compile, the compiler's message.

    `limits` are those of compilation; each run has its own. `reduce_outcome` is applied to each outcome at once, so
    that what is not needed does not stay in memory. Once `rules` stop the program, the other runs count as timeouts. If
    the service fails, all outcomes are `internal_error`. If the program uses up the memory of its boxes, all are
    `memory_limit_exceeded`.
    """
    language = languages.get_language(language_name)

    def run_in_box(box: Box) -> tuple[list[Outcome], str]:
        compiled = box.load(language.build_program(code, limits.resolve_compile(language.compile_limits)))
        if compiled is not None and not compiled.ended_well:
            message = compiled.stderr.decode(errors="replace")[:MAX_COMPILE_MESSAGE_CHARS] or compiled.message
            message = message or "the program does not compile"
            return [Outcome(Status.COMPILE_ERROR, message=compiled.message)] * len(runs), message
        return _run_all(box, runs, reduce_outcome, rules), ""

    try:
        return run_with_retries(slot, language, run_in_box)
    except BoxOutOfMemory as error:
        return [Outcome(Status.MEMORY_LIMIT_EXCEEDED, message=str(error))] * len(runs), ""
    except InfrastructureError as error:
        return [Outcome(Status.INTERNAL_ERROR, message=str(error))] * len(runs), ""


def _run_all(
    box: Box, runs: Sequence[Run], reduce_outcome: Callable[[Outcome], Outcome], rules: StopRules
) -> list[Outcome]:
    """Run the loaded program until it exceeds the total CPU time or times out too often."""
    outcomes: list[Outcome] = []
    cpu_time_s, timeouts = 0.0, 0
    for run in runs:
        outcome = box.run(run)
        outcomes.append(reduce_outcome(outcome))
        cpu_time_s += outcome.usage.cpu_time_s
        timeouts += outcome.status is Status.TIME_LIMIT_EXCEEDED
        used_up = rules.total_cpu_time_s is not None and cpu_time_s > rules.total_cpu_time_s
        if used_up or (rules.after_timeouts is not None and timeouts >= rules.after_timeouts):
            break
    return outcomes + [NOT_RUN] * (len(runs) - len(outcomes))
