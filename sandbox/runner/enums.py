"""The words for how a program is started and how it ended, and the numbers that a worker and its boxes agree on.

Apart from the contract's classes because the supervisor of every box needs them and nothing else of those: what it does
not import is memory that each box saves (`dataclasses` alone is 1.6 MB).
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

MAX_WALL_TIME_FACTOR = 5.0  # however busy the machine, a run ends after this many times its wall limit
MAX_EXTRA_ZYGOTES = 3  # beside the first one: each has imported other modules, and holds their memory
HARNESS_MODULE = "sandbox.runner.harness.preload"  # the module that an interpreter for such tests has imported


class Status(StrEnum):
    """How one run of a program ended. `internal_error` is our failure, every other value is the program's own doing."""

    OK = "ok"
    COMPILE_ERROR = "compile_error"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT_EXCEEDED = "time_limit_exceeded"
    MEMORY_LIMIT_EXCEEDED = "memory_limit_exceeded"
    OUTPUT_LIMIT_EXCEEDED = "output_limit_exceeded"
    INTERNAL_ERROR = "internal_error"


class Verdict(StrEnum):
    """What the judge says of a program on one test, or on all of them."""

    ACCEPTED = "accepted"
    WRONG_ANSWER = "wrong_answer"
    TIME_LIMIT_EXCEEDED = "time_limit_exceeded"
    MEMORY_LIMIT_EXCEEDED = "memory_limit_exceeded"
    OUTPUT_LIMIT_EXCEEDED = "output_limit_exceeded"
    RUNTIME_ERROR = "runtime_error"
    COMPILE_ERROR = "compile_error"
    INTERNAL_ERROR = "internal_error"
    SKIPPED = "skipped"


class Mode(IntEnum):
    """How a program is started: a new image of its command, or a fork of the warm interpreter.

    `FORK_PLAIN` is for a program that leaves nothing for the interpreter's end to do: no open file, no suspended
    generator. `SERVE` answers calls to the program's functions (`functions`); `TEST` runs a test that makes such calls
    (`asserts`). `SHARED` runs the program and then a test in the same process (`shared`).
    """

    EXEC = 0
    FORK = 1
    FORK_PLAIN = 2
    SERVE = 3
    TEST = 4
    SHARED = 5
