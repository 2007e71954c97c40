"""The outcome of a run: build it from the supervisor's answer and the worker's own measurements.

A language's runtime may run out of memory before the program reaches the kernel's limit. A virtual machine with a
fixed heap size ends the program when the heap is full. Other runtimes end it if one large allocation is refused. Both
cases count as exceeding the memory limit, and only the message on stderr distinguishes them from other errors. A
program gains nothing by printing this message itself, because it fails either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sandbox.box.output_buffer import OutputBuffer
from sandbox.box.streams import Streams
from sandbox.runner.contract import Outcome, Status, Usage
from sandbox.runner.messages import OutcomeMessage


def build_outcome(
    reported: OutcomeMessage, memory_mb: float, streams: Streams, files: Mapping[str, bytes], has_partner: bool
) -> Outcome:
    """Return the outcome of a run. `files` holds the fetched files. With `has_partner`, stdout was not collected."""
    status, message = reported.status, reported.message
    if streams.over_limit and reported.stopped in {"", "killed"} and status is not Status.MEMORY_LIMIT_EXCEEDED:
        status, message = Status.OUTPUT_LIMIT_EXCEEDED, ""
    outputs = streams.complete_outputs()
    out, err, *answers = [OutputBuffer(0), *outputs] if has_partner else outputs
    return Outcome(
        status=status,
        exit_code=reported.exit_code,
        signal=reported.signal,
        stdout=out.content,
        stderr=err.content,
        stdout_truncated=out.truncated,
        stderr_truncated=err.truncated,
        usage=Usage(reported.cpu_time_s, reported.wall_time_s, memory_mb),
        files=files,
        message=message,
        answers=answers[0].content if answers else b"",
    )


def to_compile_error(outcome: Outcome) -> Outcome:
    """Convert the outcome of any failed compilation to a compile error, and put the original reason in its message."""
    reason = outcome.message if outcome.status is Status.RUNTIME_ERROR else outcome.status.value
    return replace(outcome, status=Status.COMPILE_ERROR, message=reason)


def reclassify_out_of_memory(outcome: Outcome, memory_errors: Sequence[bytes]) -> Outcome:
    """Return the outcome; change its status to memory limit exceeded if the runtime ran out of memory.

    This is the case if the program failed and its stderr contains one of the `memory_errors`.
    """
    if outcome.status is not Status.RUNTIME_ERROR:
        return outcome
    if not any(words in outcome.stderr for words in memory_errors):
        return outcome
    return replace(outcome, status=Status.MEMORY_LIMIT_EXCEEDED)
