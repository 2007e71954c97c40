"""`sandbox verify`: judge many programs from a file of JSON lines as a stream."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandbox.cli.console import EXIT_USAGE, Url, connect_to_service, fail, format_faults
from sandbox.cli.jsonl import STANDARD_STREAM, JsonlFile, ResultsWriter, open_jsonl, show_progress

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.schema import LanguageInfo, VerifyRequest, VerifyResult

ATTEMPTS = 6
# The size of one request: large enough to keep all slots busy, small enough for any server's body limit.
CHUNK_ITEMS = 1_000
CHUNK_BYTES = 32 << 20
ACCEPTED = "accepted"

Line = tuple[int, bytes]


def verify(
    submissions: Annotated[Path, typer.Argument(help="JSON lines with one VerifyRequest each; - for standard input.")],
    out: Annotated[
        Path | None, typer.Option(help="Write results as JSON lines, in order; - for standard output.")
    ] = None,
    failed_only: Annotated[
        bool, typer.Option("--failed-only", help="Write only results that are not accepted.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as one JSON object.")] = False,
    url: Url = "",
) -> None:
    """Judge many programs; exit code 0 only if all are accepted.

    Every line is checked before the first program runs. If a line is invalid, the command prints its number and field
    and exits with 2. Each result has the `line` of its submission and its SHA-256, `submission`. If OUT already has
    results of these submissions, for example from an interrupted run, judging continues after them. Ctrl-C ends with
    exit code 130.
    """
    if failed_only and out is not None and out.is_file() and out.stat().st_size:
        fail(f"{out} is not empty, and --failed-only cannot resume a file; use another file", EXIT_USAGE)
    with ExitStack() as stack:
        lines = stack.enter_context(open_jsonl(submissions))
        client = stack.enter_context(connect_to_service(url, ATTEMPTS))
        known = {name: language for language in client.languages() for name in (language.name, *language.aliases)}
        digests = lines.check(partial(_find_fault, languages=known), "submission")
        results = ResultsWriter(out, digests, "submission")
        counts = Counter(str(result["verdict"]) for result in results.existing)
        done = len(results.existing)
        try:
            advance = stack.enter_context(show_progress("judging", len(digests), counts))
            for number, result in _judge(client, lines, done, counts):
                if not (failed_only and result.verdict == ACCEPTED):
                    results.write(number, result.model_dump(mode="json"))
                done += 1
                advance()
        except KeyboardInterrupt:
            stack.close()
            results.stop(done)  # without results that arrived before those of earlier lines
    _show_counts(counts, as_json, to_stderr=out is not None and str(out) == STANDARD_STREAM)
    raise typer.Exit(int(counts[ACCEPTED] != len(digests)))


def _find_fault(line: bytes, languages: Mapping[str, LanguageInfo]) -> str:
    from pydantic import ValidationError

    from sandbox.schema import VerifyRequest

    try:
        request = VerifyRequest.model_validate_json(line)
    except ValidationError as error:
        return format_faults(error)[0]
    language = languages.get(request.language.lower())
    if language is None:
        close = get_close_matches(request.language.lower(), languages, n=1)
        advice = f"did you mean {close[0]!r}?" if close else "see GET /languages"
        return f"language: unknown language {request.language!r}; {advice}"
    return "" if language.available else f"language: no worker can run {language.name}"


def _split_chunks(lines: Iterable[Line]) -> Iterator[list[Line]]:
    chunk: list[Line] = []
    size = 0
    for number, line in lines:
        if chunk and (len(chunk) == CHUNK_ITEMS or size + len(line) > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append((number, line))
        size += len(line)
    if chunk:
        yield chunk


def _judge(client: Client, lines: JsonlFile, done: int, counts: Counter[str]) -> Iterator[tuple[int, VerifyResult]]:
    """Yield the results of all lines after the first `done` in order. Counts each verdict as soon as it arrives."""
    left = (line for place, line in enumerate(lines) if place >= done)
    for chunk in _split_chunks(left):
        waiting: dict[int, VerifyResult] = {}
        given = 0
        for index, result in client.verify_stream([_parse_request(line) for _, line in chunk]):
            counts[str(result.verdict)] += 1
            waiting[index] = result
            while given in waiting:
                yield chunk[given][0], waiting.pop(given)
                given += 1


def _parse_request(line: bytes) -> VerifyRequest:
    from sandbox.schema import VerifyRequest

    return VerifyRequest.model_validate_json(line)


def _show_counts(counts: Counter[str], as_json: bool, to_stderr: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    if as_json:
        typer.echo(json.dumps({"total": counts.total(), "verdicts": dict(counts.most_common())}), err=to_stderr)
        return
    table = Table("verdict", "programs", "share")
    for verdict, count in counts.most_common():
        table.add_row(verdict, str(count), f"{count / counts.total():.1%}")
    Console(stderr=to_stderr).print(table)
