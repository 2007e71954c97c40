"""Piston v2: `/api/v2/execute` and `/api/v2/runtimes`.

Piston's packages that contain a judge (`cms_ioi`, `codeforces`) are not supported.
"""

from __future__ import annotations

import re
import signal
from base64 import b64decode
from typing import Any, Literal

from fastapi import Request, Response
from pydantic import Field

from sandbox import languages
from sandbox.api import request_parsing
from sandbox.api.dialects.dialect import (
    Dialect,
    PeerRequest,
    build_limits,
    build_model,
    encode_response,
    execute_programs,
    select_debug_checks,
)
from sandbox.api.problems import ProblemResponse
from sandbox.errors import BadRequest, UnknownLanguage
from sandbox.languages import Language
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, StageResult

# The peer's defaults.
DEFAULT_RUN_TIMEOUT_MS = 3_000
MAX_TIMEOUT_MS = 1e9

_STATUS_CODES = {
    Status.OK: None,
    Status.RUNTIME_ERROR: "RE",
    Status.COMPILE_ERROR: "RE",
    Status.TIME_LIMIT_EXCEEDED: "TO",
    Status.MEMORY_LIMIT_EXCEEDED: "SG",
    Status.OUTPUT_LIMIT_EXCEEDED: "OL",
    Status.INTERNAL_ERROR: "XX",
}
_KILLED_STATUSES = frozenset({Status.TIME_LIMIT_EXCEEDED, Status.MEMORY_LIMIT_EXCEEDED, Status.OUTPUT_LIMIT_EXCEEDED})
_LANGUAGE_ALIASES = {"gcc": "c", "clang": "c", "clang++": "cpp", "cplusplus": "cpp", "node-javascript": "javascript"}


def render_error(problem_response: ProblemResponse) -> Response:
    """Render an error. As with the peer, the status is 415 for a wrong content type, and 400 for anything else."""
    status = 400 if problem_response.problem.status == 422 else problem_response.problem.status
    response = encode_response({"message": problem_response.problem.detail or problem_response.problem.title}, status)
    response.headers.update(problem_response.headers)
    return response


DIALECT = Dialect("piston", render_error)


class File(PeerRequest):
    content: str
    name: str | None = None
    encoding: Literal["utf8", "base64", "hex"] = "utf8"


class ExecuteBody(PeerRequest):
    language: str
    version: str
    files: list[File] = Field(min_length=1)
    stdin: str | None = None
    args: list[str] | None = None
    run_timeout: float | None = Field(None, le=MAX_TIMEOUT_MS)
    run_cpu_time: float | None = Field(None, le=MAX_TIMEOUT_MS)
    run_memory_limit: float | None = None
    compile_timeout: float | None = None
    compile_cpu_time: float | None = None


@DIALECT.post("/api/v2/execute")
async def execute(request: Request) -> Response:
    body = await request_parsing.parse_body(request, ExecuteBody)
    language = _find_runtime(body.language, body.version)
    (result,) = await execute_programs(request, [_build_execute_request(body, language)])
    return encode_response(_render_result(language, result))


@DIALECT.get("/api/v2/runtimes")
async def runtimes(request: Request) -> Response:
    return encode_response(
        [
            {"language": each.name, "version": _format_version(each), "aliases": list(each.aliases)}
            for each in languages.load_languages().values()
        ]
    )


def _find_runtime(name: str, version: str) -> Language:
    """Return the language if its version matches: `*`, or a prefix of the installed version."""
    try:
        language = languages.get_language(_LANGUAGE_ALIASES.get(name.lower(), name))
    except UnknownLanguage:
        raise BadRequest(f"{name[:64]}-{version[:64]} runtime is unknown", "language") from None
    wanted = version.lstrip("^~>=v ").rstrip(".x*")
    if wanted and not f"{_format_version(language)}.".startswith(wanted + "."):
        raise BadRequest(
            f"{name[:64]}-{version[:64]} runtime is unknown; the version here is {_format_version(language)}", "version"
        )
    return language


def _format_version(language: Language) -> str:
    """Return the language's version as a semantic version."""
    numbers = re.search(r"\d+(?:\.\d+)*", language.version)
    parts = [*(numbers.group().split(".") if numbers else []), "0", "0", "0"]
    return ".".join(parts[:3])


def _build_execute_request(body: ExecuteBody, language: Language) -> ExecuteRequest:
    # The first text file is the program.
    place = next((index for index, each in enumerate(body.files) if each.encoding == "utf8"), 0)
    others = {index: each for index, each in enumerate(body.files) if index != place}
    if others and language.compile_command:
        raise BadRequest(f"{language.name} programs must be a single file", "files")
    wall_ms = DEFAULT_RUN_TIMEOUT_MS if body.run_timeout is None else body.run_timeout
    cpu_ms = wall_ms if body.run_cpu_time is None else body.run_cpu_time
    return build_model(
        ExecuteRequest,
        language=language.name,
        code=_decode_text(_decode_content(body.files[place])),
        stdin=body.stdin or "",
        args=body.args or [],
        files={each.name or f"file{index}.code": _decode_content(each) for index, each in others.items()},
        limits=build_limits(
            cpu_time_s=cpu_ms / 1_000,
            wall_time_s=wall_ms / 1_000,
            memory_mb=None if body.run_memory_limit is None else body.run_memory_limit / (1 << 20),
            compile_cpu_time_s=_convert_to_seconds(body.compile_cpu_time or body.compile_timeout),
            compile_wall_time_s=_convert_to_seconds(body.compile_timeout),
        ),
        **select_debug_checks(language.name, "rust"),
    )


def _convert_to_seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1_000


def _decode_content(file: File) -> bytes:
    try:
        match file.encoding:
            case "base64":
                return b64decode(file.content, validate=True)
            case "hex":
                return bytes.fromhex(file.content)
            case _:
                return file.content.encode()
    except ValueError as error:
        raise BadRequest(f"a file is not valid {file.encoding}", "files") from error


def _decode_text(source: bytes) -> str:
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("the program is the first file, and it is not UTF-8", "files.0") from error


def _render_result(language: Language, result: ExecuteResult) -> dict[str, Any]:
    answer: dict[str, Any] = {"language": language.name, "version": _format_version(language)}
    if result.compile is not None:
        answer["compile"] = _render_stage(result.compile)
    failed = result.status is Status.COMPILE_ERROR and result.compile is not None
    answer["run"] = answer["compile"] if failed else _render_stage(result)
    return answer


def _render_stage(stage: StageResult) -> dict[str, Any]:
    number = stage.signal if stage.signal is not None else signal.SIGKILL if stage.status in _KILLED_STATUSES else None
    status = "SG" if stage.status is Status.RUNTIME_ERROR and number is not None else _STATUS_CODES[stage.status]
    return {
        "stdout": stage.stdout,
        "stderr": stage.stderr,
        "output": stage.stdout + stage.stderr,
        "code": None if number is not None else stage.exit_code,
        "signal": None if number is None else _get_signal_name(number),
        "message": stage.message or None,
        "status": status,
        "cpu_time": round(stage.usage.cpu_time_s * 1_000),
        "wall_time": round(stage.usage.wall_time_s * 1_000),
        "memory": round(stage.usage.memory_mb * (1 << 20)),
    }


def _get_signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
