"""The commands that run programs: `sandbox run` for the user's own, and `sandbox demo`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from sandbox.cli.console import EXIT_RUN_USAGE, EXIT_USAGE, Url, connect_to_service, fail, format_faults
from sandbox.errors import BadRequest, SandboxError

if TYPE_CHECKING:
    from sandbox.schema import ExecuteRequest, ExecuteResult, StageResult

# Exit codes of `sandbox run` if the program has none of its own: 65 and 70 from sysexits(3), 124 from timeout(1), and
# 137 and 153 as shells report SIGKILL and SIGXFSZ.
EXIT_CODE_BY_STATUS = {
    "compile_error": 65,
    "internal_error": 70,
    "time_limit_exceeded": 124,
    "memory_limit_exceeded": 137,
    "output_limit_exceeded": 153,
}


class RunCommand(TyperCommand):
    """A command whose usage errors differ from the exit codes of the program that it runs."""

    def make_context(self, *args: Any, **more: Any) -> Any:
        try:
            return super().make_context(*args, **more)
        except Exception as error:  # typer exports no base class of its usage errors
            if getattr(error, "exit_code", None) == EXIT_USAGE:
                error.exit_code = EXIT_RUN_USAGE  # type: ignore[attr-defined]
            raise


def run(
    program: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="The source file.")],
    args: Annotated[
        list[str] | None, typer.Argument(help="The program's arguments; put -- before those that look like options.")
    ] = None,
    language: Annotated[str, typer.Option("--language", "-l", help="Default: from the file's suffix.")] = "",
    stdin: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Default: standard input.")] = None,
    cpu_time_s: Annotated[float | None, typer.Option(help="Limit of CPU time in seconds.")] = None,
    memory_mb: Annotated[int | None, typer.Option(help="Limit of memory in MiB.")] = None,
    url: Url = "",
) -> None:
    """Run a program and pass through its output and exit code.

    If the program has no exit code of its own, the command exits with 65 for a compile error, 70 for a failure of the
    service, 124 for the time limit, 137 for the memory limit, 153 for the output limit, or 128 + n for a program that
    was killed by signal n. It exits with 64 for an invalid request, and with 69 if no service answers. A line on
    stderr summarizes the run.
    """
    request = _build_request(program, args or [], language, stdin, {"cpu_time_s": cpu_time_s, "memory_mb": memory_mb})
    try:
        with connect_to_service(url) as client:
            result = client.execute(request)
    except BadRequest as error:
        fail(str(error), EXIT_RUN_USAGE)
    except SandboxError as error:
        fail(str(error), EXIT_CODE_BY_STATUS["internal_error"])
    raise typer.Exit(show_run(result))


def _build_request(
    program: Path, args: list[str], language: str, stdin: Path | None, limits: dict[str, float | int | None]
) -> ExecuteRequest:
    from pydantic import ValidationError

    from sandbox import languages
    from sandbox.errors import UnknownLanguage
    from sandbox.schema import ExecuteRequest, LimitsRequest

    try:
        return ExecuteRequest(
            language=language or languages.get_language_by_suffix(program.suffix).name,
            code=program.read_text(encoding="utf-8"),
            stdin_base64=_read_stdin(stdin),
            args=args,
            limits=LimitsRequest.model_validate(limits),
        )
    except UnknownLanguage as error:
        fail(f"{error} with --language", EXIT_RUN_USAGE)
    except UnicodeDecodeError as error:
        fail(f"{program} is not UTF-8: {error}", EXIT_RUN_USAGE)
    except ValidationError as error:
        fail("\n".join(format_faults(error)), EXIT_RUN_USAGE)


def _read_stdin(path: Path | None) -> bytes:
    if path is not None:
        return path.read_bytes()
    return b"" if sys.stdin.isatty() else sys.stdin.buffer.read()


def show_run(result: ExecuteResult) -> int:
    """Print a program's output and a summary line, and return the exit code for the command."""
    from rich.console import Console
    from rich.markup import escape

    status = str(result.status)
    if result.compile is not None and status == "compile_error":
        _print_output(result.compile)
    _print_output(result)
    used, colour = result.usage, "green" if status == "ok" else "red"
    detail = escape(f" ({result.message})") if result.message else ""
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[{colour}]{status}[/]{detail}  cpu {used.cpu_time_s * 1000:.1f} ms  "
        f"wall {used.wall_time_s * 1000:.1f} ms  memory {used.memory_mb:.1f} MiB"
    )
    return _choose_exit_code(result, status)


def _choose_exit_code(result: ExecuteResult, status: str) -> int:
    if status in EXIT_CODE_BY_STATUS:
        return EXIT_CODE_BY_STATUS[status]
    if result.signal is not None:
        return 128 + result.signal
    if result.exit_code is not None:
        return result.exit_code
    return int(status != "ok")


def _print_output(stage: StageResult) -> None:
    """Print a program's output byte for byte."""
    for stream, data in ((sys.stdout, stage.stdout_bytes), (sys.stderr, stage.stderr_bytes)):
        stream.buffer.write(data)
        stream.flush()


def demo(url: Url = "") -> None:
    """Judge ten programs in five languages; exit code 1 if a verdict is not as expected.

    Languages that no worker can run are skipped.
    """
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Column, Table

    from sandbox.cli.demo import PROGRAMS

    with connect_to_service(url) as client:
        missing = {each.name for each in client.languages() if not each.available}
        shown_programs = [shown for shown in PROGRAMS if shown.language not in missing]
        results = client.verify_batch([shown.build_request() for shown in shown_programs])
    table = Table("program", "language", Column("verdict", no_wrap=True), "cpu ms", "MiB", box=SIMPLE)
    right = True
    for shown in (each for each in PROGRAMS if each.language in missing):
        table.add_row(shown.description, shown.language, "[yellow]not installed[/]", "", "")
    for shown, result in zip(shown_programs, results, strict=True):
        as_expected = result.verdict == shown.expected_verdict
        right = right and as_expected
        outcome = result.verdict if as_expected else f"{result.verdict}, not {shown.expected_verdict}"
        verdict = f"[{'green' if as_expected else 'red'}]{outcome}[/]"
        cpu_ms = sum(test.usage.cpu_time_s for test in result.tests) * 1000
        memory_mb = max((test.usage.memory_mb for test in result.tests), default=0.0)
        table.add_row(shown.description, shown.language, verdict, f"{cpu_ms:.1f}", f"{memory_mb:.1f}")
    Console().print(table)
    raise typer.Exit(int(not right))
