"""The commands that run programs: one of the user's, and the demo's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import MISUSED, Url, fail, faults_of, service_at

if TYPE_CHECKING:
    from sandbox.schema import ExecuteRequest, ExecuteResult, StageResult

# Exit codes of `sandbox run` where the program has none of its own: 65 and 70 of sysexits(3), 124 as timeout(1), 137
# and 153 as a shell tells SIGKILL and SIGXFSZ.
EXIT_OF_STATUS = {
    "compile_error": 65,
    "internal_error": 70,
    "time_limit_exceeded": 124,
    "memory_limit_exceeded": 137,
    "output_limit_exceeded": 153,
}


def run(
    program: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The source file.")],
    args: Annotated[
        list[str] | None, typer.Argument(help="The program's arguments; -- before those like ours.")
    ] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="Default: by the file's suffix.")] = "",
    stdin: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Default: standard input.")] = None,
    cpu_time_s: Annotated[float | None, typer.Option(help="CPU seconds it may use.")] = None,
    memory_mb: Annotated[int | None, typer.Option(help="MiB it may use.")] = None,
    url: Url = "",
) -> None:
    """Run one program: its output is ours, and so is its exit code.

    Where it has none of its own: 65 compile error, 70 our failure, 124 time limit, 137 memory limit, 153 output limit,
    128 + n killed by signal n; 69 where no service answers, 2 for a request that cannot be. How it went is said in a
    line on stderr.
    """
    request = _request(program, args or [], language, stdin, {"cpu_time_s": cpu_time_s, "memory_mb": memory_mb})
    with service_at(url) as client:
        result = client.execute(request)
    raise typer.Exit(show_run(result))


def _request(
    program: Path, args: list[str], language: str, stdin: Path | None, limits: dict[str, float | int | None]
) -> ExecuteRequest:
    from pydantic import ValidationError

    from sandbox import languages
    from sandbox.errors import UnknownLanguage
    from sandbox.schema import ExecuteRequest, LimitsRequest

    try:
        return ExecuteRequest(
            language=language or languages.by_suffix(program.suffix).name,
            code=program.read_text(encoding="utf-8"),
            stdin_base64=_input(stdin),
            args=args,
            limits=LimitsRequest.model_validate(limits),
        )
    except UnknownLanguage as error:
        fail(f"{error} with --language", MISUSED)
    except UnicodeDecodeError as error:
        fail(f"{program} is not UTF-8: {error}", MISUSED)
    except ValidationError as error:
        fail("\n".join(faults_of(error)), MISUSED)


def _input(path: Path | None) -> bytes:
    if path is not None:
        return path.read_bytes()
    return b"" if sys.stdin.isatty() else sys.stdin.buffer.read()


def show_run(result: ExecuteResult) -> int:
    """Print what a program printed, and a line of how it went; returns the exit code to leave with."""
    from rich.console import Console
    from rich.markup import escape

    status = str(result.status)
    if result.compile is not None and status == "compile_error":
        _pass_on(result.compile)
    _pass_on(result)
    used, colour = result.usage, "green" if status == "ok" else "red"
    told = escape(f" ({result.message})") if result.message else ""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[{colour}]{status}[/]{told}  cpu {used.cpu_time_s * 1000:.1f} ms  "
        f"wall {used.wall_time_s * 1000:.1f} ms  memory {used.memory_mb:.1f} MiB"
    )
    return _exit_code(result, status)


def _exit_code(result: ExecuteResult, status: str) -> int:
    if status in EXIT_OF_STATUS:
        return EXIT_OF_STATUS[status]
    if result.signal is not None:
        return 128 + result.signal
    if result.exit_code is not None:
        return result.exit_code
    return int(status != "ok")


def _pass_on(stage: StageResult) -> None:
    """What was printed, byte for byte."""
    for stream, text, data in (
        (sys.stdout, stage.stdout, stage.stdout_base64),
        (sys.stderr, stage.stderr, stage.stderr_base64),
    ):
        stream.buffer.write(text.encode() if data is None else data)
        stream.flush()


def demo(url: Url = "") -> None:
    """Ten programs in five languages and their verdicts; exit code 1 when one is not as it must be.

    Without Docker, a language that is not on this machine is left out.
    """
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Column, Table

    from sandbox.box.slot import NOT_INSTALLED
    from sandbox.demo import PROGRAMS

    with service_at(url) as client:
        results = client.verify_batch([shown.request() for shown in PROGRAMS])
    table = Table("program", "language", Column("verdict", no_wrap=True), "cpu ms", "MiB", box=SIMPLE)
    right = True
    for shown, result in zip(PROGRAMS, results, strict=True):
        as_expected = result.verdict == shown.verdict
        absent = any(NOT_INSTALLED in test.message for test in result.tests)
        right = right and (as_expected or absent)
        told = (
            "not installed" if absent else result.verdict if as_expected else f"{result.verdict}, not {shown.verdict}"
        )
        verdict = f"[{'green' if as_expected else 'yellow' if absent else 'red'}]{told}[/]"
        cpu_ms = sum(test.usage.cpu_time_s for test in result.tests) * 1000
        memory_mb = max((test.usage.memory_mb for test in result.tests), default=0.0)
        table.add_row(shown.what, shown.language, verdict, f"{cpu_ms:.1f}", f"{memory_mb:.1f}")
    Console().print(table)
    raise typer.Exit(int(not right))
