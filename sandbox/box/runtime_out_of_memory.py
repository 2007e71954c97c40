"""Detect that a language's runtime ran out of memory before the program reached the kernel's limit.

A virtual machine with a fixed heap size ends the program when the heap is full. Other runtimes end it if one large
allocation is refused. Both cases count as exceeding the memory limit, and only the message on stderr distinguishes them
from other errors. A program gains nothing by printing this message itself, because it fails either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sandbox.runner.contract import Outcome, Status


def reclassify_out_of_memory(outcome: Outcome, memory_errors: Sequence[bytes]) -> Outcome:
    """Return the outcome; change its status to memory limit exceeded if the runtime ran out of memory.

    This is the case if the program failed and its stderr contains one of the `memory_errors`.
    """
    if outcome.status is not Status.RUNTIME_ERROR:
        return outcome
    if not any(words in outcome.stderr for words in memory_errors):
        return outcome
    return replace(outcome, status=Status.MEMORY_LIMIT_EXCEEDED)
