"""Processes that a session runs next to its interpreter or shell."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from sandbox.runner.contract import Usage
from sandbox.schema.programs import MAX_CODE_CHARS, Argument
from sandbox.schema.sessions import MAX_TTL_S, MAX_VARIABLES, VariableName
from sandbox.schema.wire import WireModel


class ProcessLimits(WireModel):
    """The limits of one process and its children."""

    cpu_time_s: float = Field(3_600.0, gt=0, le=86_400, description="CPU seconds")
    wall_time_s: float | None = Field(
        None, gt=0, le=MAX_TTL_S, description="elapsed seconds; default: until the session ends"
    )
    output_kb: int = Field(16_384, ge=1, le=65_536, description="KiB of stdout, and as many of stderr")


class ProcessRequest(WireModel):
    """Start a process next to the interpreter or shell of a session."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"command": ["python3", "server.py"]}]})

    command: list[Annotated[str, Field(max_length=MAX_CODE_CHARS)]] = Field(
        min_length=1, max_length=1_024, description="the program and its arguments"
    )
    directory: str = Field("", max_length=4_096, description="default: the work directory")
    variables: dict[VariableName, Argument] = Field(
        default_factory=dict, max_length=MAX_VARIABLES, description="environment variables"
    )
    stdin: bool = Field(False, description="true opens a pipe to write to; otherwise stdin is empty")
    limits: ProcessLimits = ProcessLimits()


class ProcessResult(WireModel):
    """How a process ended."""

    pid: int
    status: Literal["ok", "error", "time_limit", "output_limit"]
    exit_code: int | None = None
    signal: int | None = Field(None, description="the signal that ended it")
    reason: str = Field("", description="which limit it exceeded")
    stdout_truncated: bool = False
    stderr_truncated: bool = False
    usage: Usage = Usage()
