"""What every model on the wire shares: its strictness, and the limits of a run."""

from __future__ import annotations

from dataclasses import replace

from pydantic import BaseModel, ConfigDict, Field

from sandbox.runner.contract import Limits

MAX_CODE_CHARS = 1 << 20


class WireModel(BaseModel):
    """Frozen, and strict about names: a misspelt field is an error that names it, not silence."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", ser_json_bytes="base64", ser_json_inf_nan="constants", hide_input_in_errors=True
    )


MAX_COMPILE_CPU_TIME_S, MAX_COMPILE_WALL_TIME_S = 300, 900
_COMPILE_FIELDS = {"compile_cpu_time_s", "compile_wall_time_s"}
DEBUG_CHECKS = "enable assert in Java and Kotlin, Debug.Assert in C#, and debug_assert! and overflow checks in Rust"


class LimitsRequest(WireModel):
    """What a run may use; what is left out takes the server's default."""

    cpu_time_s: float | None = Field(
        None, gt=0, le=300, description="CPU seconds of all the program's processes together"
    )
    wall_time_s: float | None = Field(
        None,
        gt=0,
        le=900,
        description="elapsed seconds less those spent waiting for a free CPU; default 2 + 2 x cpu_time_s",
    )
    memory_mb: int | None = Field(None, ge=16, le=16_384, description="MiB, all processes and files in memory together")
    processes: int | None = Field(None, ge=1, le=512, description="processes and threads at one time")
    output_kb: int | None = Field(None, ge=1, le=131_072, description="KiB of stdout, and of stderr")
    file_mb: int | None = Field(None, ge=1, le=1_024, description="MiB of any one file written")

    compile_cpu_time_s: float | None = Field(
        None, gt=0, le=MAX_COMPILE_CPU_TIME_S, description="CPU seconds of compiling; default as the language's"
    )
    compile_wall_time_s: float | None = Field(
        None,
        gt=0,
        le=MAX_COMPILE_WALL_TIME_S,
        description="elapsed seconds of compiling; default 2 + 2 x compile_cpu_time_s when that is given, else as the"
        " language's",
    )

    def resolve(self, default: Limits) -> Limits:
        """Return the limits of a run, with what is left out taken from `default`."""
        given = self.model_dump(exclude_none=True, exclude=_COMPILE_FIELDS)
        if not given:
            return default
        if "cpu_time_s" in given and "wall_time_s" not in given:
            given["wall_time_s"] = 2.0 + 2.0 * given["cpu_time_s"]
        values = {name: getattr(default, name) for name in Limits.__slots__}
        return Limits(**{**values, **given})

    def resolve_compile(self, default: Limits) -> Limits:
        """Return the limits of compiling, with what is left out taken from `default`, which are the language's."""
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
