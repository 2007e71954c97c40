"""The base of all models on the wire, and the limits of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from pydantic import Field

from sandbox.runner.contract import Limits
from sandbox.verify.wire_model import WireModel as WireModel

MAX_CODE_CHARS = 1 << 20
# Votes, hacks and comparisons hold the outputs in memory, so a run may print less than one that is judged alone.
MAX_OUTPUT_KB = 4_096
DEFAULT_OUTPUT_KB = 1_024

MAX_TOTAL_CPU_TIME_S = 100_000
MAX_COMPILE_CPU_TIME_S, MAX_COMPILE_WALL_TIME_S = 300, 900
IMAGE_TIME = "how long this program waited until its host had the image of its environment"
_FIELDS_OF_NO_RUN = {"compile_cpu_time_s", "compile_wall_time_s", "total_cpu_time_s"}
STOP_AFTER_TIMEOUTS = "skip a program's remaining tests after so many tests that exceed the time limit; default: never"
DEBUG_CHECKS = "enable assert in Java and Kotlin, Debug.Assert in C#, and debug_assert! and overflow checks in Rust"

ENVIRONMENT_NAME_PATTERN = "[a-z0-9][a-z0-9._-]{0,63}"
EnvironmentReference = Annotated[
    str,
    Field(
        max_length=97,
        pattern=f"^({ENVIRONMENT_NAME_PATTERN}(@[0-9a-f]{{32}})?)?$",
        description="the environment to run in, instead of its language's standard image: `<name>`, or `<name>@<id>`"
        " for one version of it",
    ),
]


class LimitsRequest(WireModel):
    """The limits of a run. Fields that are left out take the server's defaults."""

    cpu_time_s: float | None = Field(
        None, gt=0, le=300, description="CPU seconds of all processes of the program together"
    )
    total_cpu_time_s: float | None = Field(
        None,
        gt=0,
        le=MAX_TOTAL_CPU_TIME_S,
        description="CPU seconds for all tests of a program, after which the rest is skipped; default: no limit",
    )
    wall_time_s: float | None = Field(
        None,
        gt=0,
        le=900,
        description="elapsed seconds, not counting waits for a free CPU; default 2 + 2 x cpu_time_s",
    )
    memory_mb: int | None = Field(
        None, ge=16, le=16_384, description="MiB of all processes and files in memory together"
    )
    processes: int | None = Field(None, ge=1, le=512, description="processes and threads at one time")
    output_kb: int | None = Field(None, ge=1, le=131_072, description="KiB of stdout, and as many of stderr")
    file_mb: int | None = Field(None, ge=1, le=1_024, description="MiB of each file that is written")

    compile_cpu_time_s: float | None = Field(
        None, gt=0, le=MAX_COMPILE_CPU_TIME_S, description="CPU seconds of compilation; default: the language's"
    )
    compile_wall_time_s: float | None = Field(
        None,
        gt=0,
        le=MAX_COMPILE_WALL_TIME_S,
        description="elapsed seconds of compilation; default 2 + 2 x compile_cpu_time_s if that is given, otherwise the"
        " language's",
    )

    def resolve(self, default: Limits) -> Limits:
        """Return the limits of a run; fields that are not set come from `default`.

        No run may use more CPU time than all tests together.
        """
        given = self.model_dump(exclude_none=True, exclude=_FIELDS_OF_NO_RUN)
        if not given and self.total_cpu_time_s is None:
            return default
        if "cpu_time_s" in given and "wall_time_s" not in given:
            given["wall_time_s"] = 2.0 + 2.0 * given["cpu_time_s"]
        values = {name: getattr(default, name) for name in Limits.__slots__}
        values |= given
        if self.total_cpu_time_s is not None:
            values["cpu_time_s"] = min(values["cpu_time_s"], self.total_cpu_time_s)
        return Limits(**values)

    def resolve_compile(self, default: Limits) -> Limits:
        """Return the limits of compilation; fields that are not set come from `default`, the language's limits."""
        cpu_time_s, wall_time_s = self.compile_cpu_time_s, self.compile_wall_time_s
        if cpu_time_s is None and wall_time_s is None:
            return default
        if wall_time_s is None and cpu_time_s is not None:
            wall_time_s = 2.0 + 2.0 * cpu_time_s
        return replace(
            default,
            cpu_time_s=default.cpu_time_s if cpu_time_s is None else cpu_time_s,
            wall_time_s=default.wall_time_s if wall_time_s is None else wall_time_s,
        )


def cap_output(limits: LimitsRequest) -> LimitsRequest:
    """Return the limits with the default `output_kb` of runs whose outputs are held in memory."""
    return limits if limits.output_kb is not None else limits.model_copy(update={"output_kb": DEFAULT_OUTPUT_KB})
