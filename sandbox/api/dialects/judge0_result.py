"""Judge0's results: a finished or waiting submission, rendered in the format that the client requested."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import Request

from sandbox.api.dialects import judge0_catalog as tables
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteResult, Job, JobStatus

DEFAULT_FIELDS = ("token", "time", "memory", "stdout", "stderr", "compile_output", "message", "status")
_BLANKS = b"\0 \t\r\v\f\n"


@dataclass(frozen=True, slots=True)
class ResponseFormat:
    """The format of a response: which fields it has, and whether its texts are encoded as base64."""

    base64: bool
    fields: Sequence[str]

    @staticmethod
    def from_request(request: Request) -> ResponseFormat:
        given = request.query_params
        names = [name.strip() for name in given.get("fields", "").split(",") if name.strip()]
        return ResponseFormat(given.get("base64_encoded", "false").lower() == "true", names or DEFAULT_FIELDS)

    def select_fields(self, answer: dict[str, Any]) -> dict[str, Any]:
        if "*" in self.fields:
            return answer
        return {name: answer.get(name) for name in self.fields}

    def encode_text(self, data: bytes) -> str | None:
        if not data:
            return None
        return b64encode(data).decode() if self.base64 else data.decode(errors="replace")


def render_job(job: Job, expected: bytes | None, response_format: ResponseFormat) -> dict[str, Any]:
    if job.result is not None:
        return render_result(ExecuteResult.model_validate(job.result), expected, response_format)
    if job.status is JobStatus.CANCELLED:
        return _build_answer(tables.INTERNAL_ERROR, message=response_format.encode_text(b"cancelled"))
    return _build_answer(tables.PROCESSING if job.status is JobStatus.RUNNING else tables.IN_QUEUE)


def render_result(result: ExecuteResult, expected: bytes | None, response_format: ResponseFormat) -> dict[str, Any]:
    output, errors = result.stdout_bytes, result.stderr_bytes
    accepted = expected is None or _strip_blanks(output) == _strip_blanks(expected)
    message = result.message.encode() or (
        f"Exited with error status {result.exit_code}".encode() if result.exit_code else b""
    )
    compiler = b"" if result.compile is None else result.compile.stderr_bytes + result.compile.stdout_bytes
    return _build_answer(
        tables.map_status(result.status, result.signal, accepted),
        stdout=response_format.encode_text(output),
        stderr=response_format.encode_text(errors),
        compile_output=response_format.encode_text(compiler),
        message=response_format.encode_text(message),
        exit_code=result.exit_code,
        exit_signal=result.signal,
        time=f"{result.usage.cpu_time_s:.3f}",
        wall_time=f"{result.usage.wall_time_s:.3f}",
        memory=round(result.usage.memory_mb * 1_024),
    ) | ({"time": None, "wall_time": None, "memory": None} if result.status is Status.COMPILE_ERROR else {})


def _strip_blanks(text: bytes) -> bytes:
    """Strip trailing blanks from each line and from the end of the text, as the peer does before it compares."""
    return b"\n".join(line.rstrip(_BLANKS) for line in text.split(b"\n")).rstrip(_BLANKS)


def _build_answer(status: int, **fields: Any) -> dict[str, Any]:
    nothing = dict.fromkeys(
        ("stdout", "stderr", "compile_output", "message", "exit_code", "exit_signal", "time", "wall_time", "memory")
    )
    return {**nothing, **fields, "status": {"id": status, "description": tables.STATUSES[status]}}
