"""`sandbox verify`: many programs with their tests, from a file of JSON lines, judged as a stream."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from sandbox.cli.console import MISUSED, Url, fail, faults_of, service_at

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.schema import VerifyRequest, VerifyResult

ATTEMPTS = 6
# What travels in one request: enough that all slots have work to its end, little enough for any server's body limit.
CHUNK_ITEMS = 1_000
CHUNK_BYTES = 32 << 20
FAULTS_SHOWN = 20

Line = tuple[int, bytes]


def verify(
    submissions: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="One VerifyRequest as JSON a line.")],
    out: Annotated[Path | None, typer.Option(help="Write each result as a line of JSON, in order.")] = None,
    url: Url = "",
) -> None:
    """Judge many programs; exit code 0 only when every one is accepted.

    Every line is looked at before the first program runs: a bad one ends the command with its number and field, and
    exit code 2. Results carry the `line` of their submission.
    """
    from rich.console import Console
    from rich.progress import Progress

    counts: Counter[str] = Counter()
    with ExitStack() as stack:
        client = stack.enter_context(service_at(url, ATTEMPTS))
        known = {name for language in client.languages() for name in (language.name, *language.aliases)}
        total = check_submissions(submissions, known)
        results = stack.enter_context(_opened(out)) if out is not None else None
        progress = stack.enter_context(Progress(console=Console(stderr=True), transient=True))
        task = progress.add_task("judging", total=total)
        for verdict in _judge(client, submissions, results):
            counts[verdict] += 1
            progress.advance(task)
    _show_counts(counts)
    raise typer.Exit(int(counts["accepted"] != total))


def check_submissions(path: Path, languages: Collection[str]) -> int:
    """How many submissions a file holds; one that is bad, or none at all, ends the command with what is wrong where."""
    total, faults = 0, list[str]()
    for number, line in _lines(path):
        total += 1
        fault = _fault(line, languages)
        if fault:
            faults.append(f"{path}, line {number}: {fault}")
    if faults:
        more = [f"and {len(faults) - FAULTS_SHOWN} more"] if len(faults) > FAULTS_SHOWN else []
        fail("\n".join(["nothing was judged, for these lines are bad:", *faults[:FAULTS_SHOWN], *more]), MISUSED)
    if not total:
        fail(f"{path} holds no submission", MISUSED)
    return total


def _fault(line: bytes, languages: Collection[str]) -> str:
    from pydantic import ValidationError

    from sandbox.schema import VerifyRequest

    try:
        request = VerifyRequest.model_validate_json(line)
    except ValidationError as error:
        return faults_of(error)[0]
    if request.language.lower() not in languages:
        return f"language: the service has no {request.language!r}"
    return ""


def _lines(path: Path) -> Iterator[Line]:
    """Lines that are not blank, with their numbers. Split at line feeds only: JSON strings may hold other breaks."""
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line


def _chunks(path: Path) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    size = 0
    for number, line in _lines(path):
        if chunk and (len(chunk) == CHUNK_ITEMS or size + len(line) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append((number, line))
        size += len(line)
    if chunk:
        yield chunk


def _judge(client: Client, path: Path, out: BinaryIO | None) -> Iterator[str]:
    """The verdicts as they come; results are written in order, each once all before it are there."""
    for chunk in _chunks(path):
        waiting: dict[int, VerifyResult] = {}
        written = 0
        for index, result in client.verify_stream([_request(line) for _, line in chunk]):
            yield str(result.verdict)
            if out is None:
                continue
            waiting[index] = result
            while written in waiting:
                out.write(_result_line(chunk[written][0], waiting.pop(written)))
                written += 1


def _request(line: bytes) -> VerifyRequest:
    from sandbox.schema import VerifyRequest

    return VerifyRequest.model_validate_json(line)


def _result_line(number: int, result: VerifyResult) -> bytes:
    return json.dumps({"line": number, **result.model_dump(mode="json")}).encode() + b"\n"


def _opened(out: Path) -> BinaryIO:
    try:
        return out.open("wb")
    except OSError as error:
        fail(f"cannot write {out}: {error.strerror}", MISUSED)


def _show_counts(counts: Counter[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("verdict", "programs", "share")
    for verdict, count in counts.most_common():
        table.add_row(verdict, str(count), f"{count / counts.total():.1%}")
    Console().print(table)
