"""Judge0's submissions: the bodies of requests, and the programs that they describe."""

from __future__ import annotations

import shlex
from base64 import b64decode
from math import ceil

from pydantic import Field

from sandbox.api.dialects import judge0_catalog as tables
from sandbox.api.dialects.dialect import PeerRequest, build_limits, build_model, select_debug_checks
from sandbox.errors import BadRequest
from sandbox.schema import MAX_ITEMS, ExecuteRequest
from sandbox.schema.callbacks import CallbackUrl


class Submission(PeerRequest):
    source_code: str
    language_id: int
    stdin: str | None = None
    expected_output: str | None = None
    command_line_arguments: str | None = None
    cpu_time_limit: float | None = Field(None, le=300)
    wall_time_limit: float | None = Field(None, le=900)
    memory_limit: float | None = None
    max_processes_and_or_threads: int | None = None
    max_file_size: int | None = None
    compiler_options: str | None = None
    additional_files: str | None = None
    callback_url: CallbackUrl | None = None
    redirect_stderr_to_stdout: bool | None = None
    enable_network: bool | None = None


class Batch(PeerRequest):
    submissions: list[Submission] = Field(min_length=1, max_length=MAX_ITEMS)


def build_execute_request(submission: Submission, base64: bool) -> ExecuteRequest:
    _reject_unsupported(submission)
    kilobytes = tables.DEFAULT_MEMORY_KB if submission.memory_limit is None else submission.memory_limit
    limits = build_limits(
        cpu_time_s=submission.cpu_time_limit or tables.DEFAULT_CPU_TIME_S,
        wall_time_s=submission.wall_time_limit or tables.DEFAULT_WALL_TIME_S,
        memory_mb=kilobytes / 1_024,
    ).model_dump(exclude_none=True)
    if submission.max_file_size is not None:
        limits["file_mb"] = max(1, ceil(submission.max_file_size / 1_024))
    if submission.max_processes_and_or_threads is not None:
        limits["processes"] = submission.max_processes_and_or_threads
    language = tables.find_language(submission.language_id)
    return build_model(
        ExecuteRequest,
        language=language,
        code=_decode_text(submission.source_code, base64, "source_code"),
        stdin_base64=_decode_bytes(submission.stdin or "", base64, "stdin"),
        args=_split_arguments(submission.command_line_arguments or ""),
        limits=limits,
        **select_debug_checks(language, "rust"),
    )


def _reject_unsupported(submission: Submission) -> None:
    """Reject unsupported fields. Ignoring them would change the meaning of results."""
    for name in ("compiler_options", "additional_files", "redirect_stderr_to_stdout", "enable_network"):
        if getattr(submission, name):
            raise BadRequest("is not supported", name)


def _split_arguments(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError as error:
        raise BadRequest(f"cannot be split: {error}", "command_line_arguments") from error


def _decode_bytes(text: str, base64: bool, name: str) -> bytes:
    if not base64:
        return text.encode()
    try:
        return b64decode(text)
    except ValueError as error:
        raise BadRequest("is not valid base64", name) from error


def _decode_text(text: str, base64: bool, name: str) -> str:
    try:
        return _decode_bytes(text, base64, name).decode()
    except UnicodeDecodeError as error:
        raise BadRequest("is not UTF-8", name) from error


def decode_expected(submission: Submission, base64: bool) -> bytes | None:
    return (
        None
        if submission.expected_output is None
        else _decode_bytes(submission.expected_output, base64, "expected_output")
    )
