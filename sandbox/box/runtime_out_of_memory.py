"""Memory that ran out inside a language's runtime, before the kernel's limit was reached.

A virtual machine with a heap of fixed size ends its program itself, and so does any runtime whose request for one
large piece of memory is refused. That is the memory limit too: only the words on stderr tell it from another error.
A program that prints these words itself gains nothing, for it has failed either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sandbox.runner.contract import Outcome, Status


def reclassify_out_of_memory(outcome: Outcome, memory_errors: Sequence[bytes]) -> Outcome:
    """The outcome; a memory limit where a program ended with an error and its runtime said that memory is used up."""
    if outcome.status is not Status.RUNTIME_ERROR:
        return outcome
    if not any(words in outcome.stderr for words in memory_errors):
        return outcome
    return replace(outcome, status=Status.MEMORY_LIMIT_EXCEEDED)
