"""Detect memory that ran out inside a language's runtime, before the kernel's limit was reached.

A virtual machine with a heap of fixed size ends its program itself. So does any runtime whose request for one large
allocation is refused. Both count as exceeding the memory limit, and only the message on stderr distinguishes them from
other errors. A program that prints such a message itself gains nothing, because it has failed either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sandbox.runner.contract import Outcome, Status


def reclassify_out_of_memory(outcome: Outcome, memory_errors: Sequence[bytes]) -> Outcome:
    """Return the outcome, as memory limit exceeded if the program failed and its runtime reported that it ran out of
    memory.
    """
    if outcome.status is not Status.RUNTIME_ERROR:
        return outcome
    if not any(words in outcome.stderr for words in memory_errors):
        return outcome
    return replace(outcome, status=Status.MEMORY_LIMIT_EXCEEDED)
