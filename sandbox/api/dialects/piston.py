"""Piston v2: `/api/v2/execute` and `/api/v2/runtimes`.

Piston's runtimes that are packages with a judge of their own (`cms_ioi`, `codeforces`) are unknown here.
"""

from __future__ import annotations

import re
import signal
from base64 import b64decode
from typing import Any, Literal

from fastapi import Request, Response
from pydantic import Field

from sandbox import languages
from sandbox.api import bodies
from sandbox.api.dialects.tongue import Dialect, Foreign, answered, executed, limits_of, made, select_debug_checks
from sandbox.api.problems import Described
from sandbox.errors import BadRequest, UnknownLanguage
from sandbox.languages import Language
from sandbox.runner.contract import Status
from sandbox.schema import ExecuteRequest, ExecuteResult, StageResult

# The peer's own defaults.
RUN_TIMEOUT_MS = 3_000
MAX_NUMBER = 1e9

_STATUS = {
    Status.OK: None,
    Status.RUNTIME_ERROR: "RE",
    Status.COMPILE_ERROR: "RE",
    Status.TIME_LIMIT_EXCEEDED: "TO",
    Status.MEMORY_LIMIT_EXCEEDED: "SG",
    Status.OUTPUT_LIMIT_EXCEEDED: "OL",
    Status.INTERNAL_ERROR: "XX",
}
_KILLED = frozenset({Status.TIME_LIMIT_EXCEEDED, Status.MEMORY_LIMIT_EXCEEDED, Status.OUTPUT_LIMIT_EXCEEDED})
_OTHER_NAMES = {"gcc": "c", "clang": "c", "clang++": "cpp", "cplusplus": "cpp", "node-javascript": "javascript"}


def tell(told: Described) -> Response:
    """The peer answers 400 for whatever is wrong with a request, and 415 for its type."""
    status = 400 if told.problem.status == 422 else told.problem.status
    response = answered({"message": told.problem.detail or told.problem.title}, status)
    response.headers.update(told.headers)
    return response


DIALECT = Dialect("piston", tell)


class File(Foreign):
    content: str
    name: str | None = None
    encoding: Literal["utf8", "base64", "hex"] = "utf8"


class Execute(Foreign):
    language: str
    version: str
    files: list[File] = Field(min_length=1)
    stdin: str | None = None
    args: list[str] | None = None
    run_timeout: float | None = Field(None, le=MAX_NUMBER)
    run_cpu_time: float | None = Field(None, le=MAX_NUMBER)
    run_memory_limit: float | None = None
    compile_timeout: float | None = None
    compile_cpu_time: float | None = None


@DIALECT.post("/api/v2/execute")
async def execute(request: Request) -> Response:
    asked = await bodies.read(request, Execute)
    language = _runtime(asked.language, asked.version)
    (result,) = await executed(request, [_program(asked, language)])
    return answered(_answer(language, result))


@DIALECT.get("/api/v2/runtimes")
async def runtimes(request: Request) -> Response:
    return answered(
        [
            {"language": each.name, "version": _version(each), "aliases": list(each.aliases)}
            for each in languages.table().values()
        ]
    )


def _runtime(name: str, version: str) -> Language:
    """The language, if its version is in the asked range: `*`, or the beginning of ours."""
    try:
        language = languages.named(_OTHER_NAMES.get(name.lower(), name))
    except UnknownLanguage:
        raise BadRequest(f"{name[:64]}-{version[:64]} runtime is unknown", "language") from None
    wanted = version.lstrip("^~>=v ").rstrip(".x*")
    if wanted and not f"{_version(language)}.".startswith(wanted + "."):
        raise BadRequest(f"{name[:64]}-{version[:64]} runtime is unknown; {_version(language)} is there", "version")
    return language


def _version(language: Language) -> str:
    """Ours as a semantic version."""
    numbers = re.search(r"\d+(?:\.\d+)*", language.version)
    parts = [*(numbers.group().split(".") if numbers else []), "0", "0", "0"]
    return ".".join(parts[:3])


def _program(asked: Execute, language: Language) -> ExecuteRequest:
    # The program is the first file that is text.
    place = next((index for index, each in enumerate(asked.files) if each.encoding == "utf8"), 0)
    others = {index: each for index, each in enumerate(asked.files) if index != place}
    if others and language.compile_command:
        raise BadRequest(f"{language.name} is compiled from one file here", "files")
    wall_ms = RUN_TIMEOUT_MS if asked.run_timeout is None else asked.run_timeout
    cpu_ms = wall_ms if asked.run_cpu_time is None else asked.run_cpu_time
    return made(
        ExecuteRequest,
        language=language.name,
        code=_text(_content(asked.files[place])),
        stdin=asked.stdin or "",
        args=asked.args or [],
        files={each.name or f"file{index}.code": _content(each) for index, each in others.items()},
        limits=limits_of(
            cpu_time_s=cpu_ms / 1_000,
            wall_time_s=wall_ms / 1_000,
            memory_mb=None if asked.run_memory_limit is None else asked.run_memory_limit / (1 << 20),
            compile_cpu_time_s=_seconds(asked.compile_cpu_time or asked.compile_timeout),
            compile_wall_time_s=_seconds(asked.compile_timeout),
        ),
        **select_debug_checks(language.name, "rust"),
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1_000


def _content(file: File) -> bytes:
    try:
        match file.encoding:
            case "base64":
                return b64decode(file.content, validate=True)
            case "hex":
                return bytes.fromhex(file.content)
            case _:
                return file.content.encode()
    except ValueError as error:
        raise BadRequest(f"a file is not {file.encoding}", "files") from error


def _text(source: bytes) -> str:
    try:
        return source.decode()
    except UnicodeDecodeError as error:
        raise BadRequest("the program, which is the first file, is not UTF-8", "files.0") from error


def _answer(language: Language, result: ExecuteResult) -> dict[str, Any]:
    answer: dict[str, Any] = {"language": language.name, "version": _version(language)}
    if result.compile is not None:
        answer["compile"] = _stage(result.compile)
    failed = result.status is Status.COMPILE_ERROR and result.compile is not None
    answer["run"] = answer["compile"] if failed else _stage(result)
    return answer


def _stage(stage: StageResult) -> dict[str, Any]:
    number = stage.signal if stage.signal is not None else signal.SIGKILL if stage.status in _KILLED else None
    status = "SG" if stage.status is Status.RUNTIME_ERROR and number is not None else _STATUS[stage.status]
    return {
        "stdout": stage.stdout,
        "stderr": stage.stderr,
        "output": stage.stdout + stage.stderr,
        "code": None if number is not None else stage.exit_code,
        "signal": None if number is None else _signal_name(number),
        "message": stage.message or None,
        "status": status,
        "cpu_time": round(stage.usage.cpu_time_s * 1_000),
        "wall_time": round(stage.usage.wall_time_s * 1_000),
        "memory": round(stage.usage.memory_mb * (1 << 20)),
    }


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"SIG{number}"
