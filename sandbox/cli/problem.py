"""`sandbox problem`: turn problem packages and data sets into tasks, and check packages."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.console import EXIT_FAILURE, EXIT_UNREACHABLE, EXIT_USAGE, Url, connect_to_service, fail, say
from sandbox.cli.problem_check import check_packages
from sandbox.cli.vote_study import study_votes

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.problems.importer import Skipped
    from sandbox.problems.problem import Problem
    from sandbox.schema.task_quality import TaskQuality

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    help="Import problem packages and data sets as tasks, and check packages.",
)

app.command("check")(check_packages)
app.command("study")(study_votes)

EXIT_SKIPPED = 3
MAX_SHOWN = 20
MAX_SHOWN_PARTS = 5


@app.command("import")
def import_problems(
    path: Annotated[
        Path,
        typer.Argument(
            exists=True, help="A package, a folder of packages, a zip file, or rows (.jsonl, .json, .parquet)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Write one JSON line per problem, with its name, statement and task.")],
    task_set: Annotated[
        Path | None, typer.Option("--set", help="Also write all tasks as one set, the body of PUT /tasks.")
    ] = None,
    submissions: Annotated[
        Path | None, typer.Option(help="Also write the programs of the problems as lines for `sandbox verify`.")
    ] = None,
    kind: Annotated[str, typer.Option("--format", help="The format; default: detect it.")] = "",
    skip_unsupported: Annotated[
        bool, typer.Option("--skip-unsupported", help="Write the other problems if some cannot become tasks.")
    ] = False,
    examples_only: Annotated[
        bool, typer.Option("--examples-only", help="Accept rows whose only tests are a statement's examples.")
    ] = False,
    generate: Annotated[
        bool,
        typer.Option("--generate", help="Run generators on the service for tests that a package does not contain."),
    ] = False,
    quality: Annotated[
        bool,
        typer.Option("--quality", help="Judge the programs on the service, and write the quality of the tests, too."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
    url: Url = "",
) -> None:
    """Turn problems into tasks for this service.

    A problem that cannot be expressed exactly is an error that names its file or field. By default, the command then
    writes nothing and exits with 1. With --skip-unsupported it writes the others, lists each skipped one with the
    reason, and exits with 3. Parts that no task contains, such as illustrations, are listed as left out. If the service
    fails to run a generator, the command writes nothing and exits with 69.
    """
    from sandbox.problems.check import RunFailed, ServiceRunner
    from sandbox.problems.importer import FORMATS, Options, read_problems
    from sandbox.problems.unsupported import Unsupported

    if kind and kind not in FORMATS:
        fail(f"unknown format {kind!r}; use one of {', '.join(FORMATS)}", EXIT_USAGE)
    with ExitStack() as stack:
        client = stack.enter_context(connect_to_service(url)) if generate or quality else None
        runner = ServiceRunner(client) if client is not None and generate else None
        writer = stack.enter_context(_open_writer(out, task_set, submissions))
        try:
            for found in read_problems(path, Options(kind, runner, examples_only)):
                writer.take(found, _measure(found, client) if quality and client is not None else None)
        except Unsupported as error:
            fail(str(error), EXIT_USAGE)
        except RunFailed as error:
            fail(f"nothing was written: {error}", EXIT_UNREACHABLE)
        if writer.skipped and not skip_unsupported:
            _show_skipped(writer.skipped)
            fail("nothing was written; use --skip-unsupported to write the other problems", EXIT_FAILURE)
        writer.keep()
    _show_summary(writer, as_json)
    raise typer.Exit(EXIT_SKIPPED if writer.skipped else 0)


def _measure(found: Problem | Skipped, client: Client) -> TaskQuality | None:
    """Return the quality of a problem's tests; None if the problem was skipped or has no right program.

    Also None if a program could not be judged: the smallest suite might lack a test that it needs.
    """
    from sandbox.problems.importer import Skipped
    from sandbox.problems.quality import judge_submissions
    from sandbox.schema.task_quality import TaskQuality

    if isinstance(found, Skipped):
        return None
    report = judge_submissions(found, client)
    if report is None:
        return None
    if report.unjudged:
        first = report.programs[report.unjudged[0]]
        say(f"{found.name}: written without a quality, because {first.name} could not be judged: {first.message}")
        return None
    return TaskQuality.from_report(report)


class _Writer:
    """Writes problems to temporary files, which replace the wanted files only when all problems have been read."""

    def __init__(self, stack: ExitStack, paths: dict[str, Path]) -> None:
        self.formats: Counter[str] = Counter()
        self.skipped: list[Skipped] = []
        self.left_out: dict[str, tuple[str, ...]] = {}
        self._names: set[str] = set()
        self._paths = paths
        self._files: dict[str, IO[str]] = {
            kind: stack.enter_context(_name_temporary(path).open("w", encoding="utf-8")) for kind, path in paths.items()
        }
        if "set" in self._files:
            self._files["set"].write('{"tasks": {')

    def take(self, found: Problem | Skipped, quality: TaskQuality | None) -> None:
        """Write a problem with the quality of its tests, if known, or remember why it was skipped."""
        from sandbox.problems.importer import Skipped
        from sandbox.problems.unsupported import Unsupported, name_the_place

        if isinstance(found, Skipped):
            self.skipped.append(found)
        elif found.name in self._names:
            self.skipped.append(Skipped(found.name, "name: another problem has the same name"))
        else:
            try:
                with name_the_place("task"):
                    task = found.build_task(quality)
            except Unsupported as error:
                self.skipped.append(Skipped(found.name, str(error)))
            else:
                self._write(found, task)

    def _write(self, problem: Problem, task: dict[str, Any]) -> None:
        about = {"name": problem.name, "title": problem.title, "format": problem.format, "statement": problem.statement}
        self._files["tasks"].write(json.dumps({**about, "task": task}) + "\n")
        if "set" in self._files:
            comma = ", " if self._names else ""
            self._files["set"].write(f"{comma}{json.dumps(problem.name)}: {json.dumps(task)}")
        for program in problem.submissions if "submissions" in self._files else ():
            self._files["submissions"].write(json.dumps(problem.build_verify_request(program)) + "\n")
        self._names.add(problem.name)
        self.formats[problem.format] += 1
        if problem.left_out:
            self.left_out[problem.name] = problem.left_out

    def keep(self) -> None:
        """Move the files to their places."""
        if "set" in self._files:
            self._files["set"].write("}}\n")
        for kind, file in self._files.items():
            file.close()
            _name_temporary(self._paths[kind]).replace(self._paths[kind])


def _name_temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


@contextmanager
def _open_writer(out: Path, task_set: Path | None, submissions: Path | None) -> Iterator[_Writer]:
    paths = {kind: path for kind, path in (("tasks", out), ("set", task_set), ("submissions", submissions)) if path}
    try:
        with ExitStack() as stack:
            yield _Writer(stack, paths)
    except OSError as error:
        fail(f"cannot read or write {error.filename}: {error.strerror}", EXIT_USAGE)
    finally:
        for path in paths.values():
            _name_temporary(path).unlink(missing_ok=True)


def _show_skipped(skipped: list[Skipped]) -> None:
    for each in skipped[:MAX_SHOWN]:
        say(f"{each.place}: {each.reason}")
    if len(skipped) > MAX_SHOWN:
        say(f"and {len(skipped) - MAX_SHOWN} more")


def _show_summary(writer: _Writer, as_json: bool) -> None:
    total = writer.formats.total()
    if as_json:
        skipped = [{"place": each.place, "reason": each.reason} for each in writer.skipped]
        summary = {"tasks": total, "formats": writer.formats, "skipped": skipped, "left_out": writer.left_out}
        typer.echo(json.dumps(summary))
        return
    for each in writer.skipped:
        say(f"skipped {each.place}: {each.reason}")
    for name, parts in list(writer.left_out.items())[:MAX_SHOWN]:
        for part in parts[:MAX_SHOWN_PARTS]:
            say(f"left out of {name}: {part}")
        if len(parts) > MAX_SHOWN_PARTS:
            say(f"left out of {name}: and {len(parts) - MAX_SHOWN_PARTS} more")
    if len(writer.left_out) > MAX_SHOWN:
        say(f"parts of {len(writer.left_out) - MAX_SHOWN} more problems were left out; use --json to list them")
    formats = ", ".join(f"{count} {name}" for name, count in writer.formats.most_common())
    typer.echo(f"{total} {'task' if total == 1 else 'tasks'} ({formats or 'none'}), {len(writer.skipped)} skipped")
