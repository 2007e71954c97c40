"""Enums for how a program starts and ends, and constants shared by a worker and its boxes.

They are separate from `contract` because the supervisor of every box imports only these. Skipping the rest saves memory
in each box: `dataclasses` alone takes 1.6 MB.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

MAX_WALL_TIME_FACTOR = 5.0  # however busy the machine is, a run ends after its wall limit times this factor
# in addition to the first zygote; each extra one has imported other modules and holds their memory
MAX_EXTRA_ZYGOTES = 3
MAX_FORK_COUNT = 32  # new branches of a session that one fork creates
HARNESS_MODULE = "sandbox.runner.harness.preload"  # the module that the zygote for pytest and assert tests imports


class Status(StrEnum):
    """The status of one ended run.

    `internal_error` is a failure of the service; every other value is caused by the program.
    """

    OK = "ok"
    COMPILE_ERROR = "compile_error"
    RUNTIME_ERROR = "runtime_error"
    TIME_LIMIT_EXCEEDED = "time_limit_exceeded"
    MEMORY_LIMIT_EXCEEDED = "memory_limit_exceeded"
    OUTPUT_LIMIT_EXCEEDED = "output_limit_exceeded"
    INTERNAL_ERROR = "internal_error"


class Verdict(StrEnum):
    """The judge's verdict on a program, for one test or for all of them."""

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
    """The start mode of a program: a new process image (exec), or a fork of the warm interpreter.

    `FORK_PLAIN` is for a program that needs no cleanup at interpreter shutdown: no open file, no suspended generator.
    `SERVE` answers calls to the program's functions (`harness.served_program`). `TEST` runs a test that makes these
    calls (`harness.assert_tests`). `SHARED` runs the program and then a test in the same process
    (`harness.shared_process`).
    """

    EXEC = 0
    FORK = 1
    FORK_PLAIN = 2
    SERVE = 3
    TEST = 4
    SHARED = 5
