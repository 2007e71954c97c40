"""`sandbox vote`: label the inputs of many problems from a file of JSON lines, and resume after an interruption."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.console import Url, connect_to_service, format_faults, say
from sandbox.cli.jsonl import STANDARD_STREAM, JsonlFile, ResultsWriter, open_jsonl, show_progress

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.schema.vote import VoteRequest

ATTEMPTS = 6
# Enough to keep a service with many slots busy. Results are written in order, so a larger number holds more back.
DEFAULT_CONCURRENCY = 8


def vote(
    problems: Annotated[Path, typer.Argument(help="JSON lines with one VoteRequest each; - for standard input.")],
    out: Annotated[Path, typer.Option(help="Write results as JSON lines, in order; - for standard output.")],
    at_once: Annotated[
        int, typer.Option(min=1, max=256, help="Votes that run at the same time.")
    ] = DEFAULT_CONCURRENCY,
    url: Url = "",
) -> None:
    """Label the inputs of many problems by the vote of their candidates.

    If OUT already has results of these problems, for example from an interrupted run, voting continues after them.
    Each result names its problem: `line` is the line number, and `problem` the SHA-256. Ctrl-C ends with exit code 130.
    """
    with ExitStack() as stack:
        lines = stack.enter_context(open_jsonl(problems))
        digests = lines.check(_find_fault, "problem")
        results = ResultsWriter(out, digests, "problem")
        counts, tally = Counter(problems=len(results.existing)), Counter[str]()
        for result in results.existing:
            _count(result, tally)
        client = stack.enter_context(connect_to_service(url, ATTEMPTS))
        try:
            advance = stack.enter_context(show_progress("voting", len(digests), counts))
            for number, result in _run_votes(client, lines, len(results.existing), at_once):
                results.write(number, result)
                _count(result, tally)
                counts["problems"] += 1
                advance()
        except KeyboardInterrupt:
            stack.close()
            results.stop(counts["problems"])
    _show_summary(tally, to_stderr=str(out) == STANDARD_STREAM)


def _find_fault(line: bytes) -> str:
    from pydantic import ValidationError

    from sandbox.schema.vote import VoteRequest

    try:
        VoteRequest.model_validate_json(line)
    except ValidationError as error:
        return format_faults(error)[0]
    return ""


def _run_votes(client: Client, lines: JsonlFile, done: int, at_once: int) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield the results of all lines after the first `done` in order, while several votes run at the same time."""
    from sandbox.schema.vote import VoteRequest

    under_way: deque[tuple[int, Future[dict[str, Any]]]] = deque()
    pool = ThreadPoolExecutor(at_once)  # not a context manager, which would wait for running votes after Ctrl-C
    try:
        for place, (number, line) in enumerate(lines):
            if place < done:
                continue
            under_way.append((number, pool.submit(_run_vote, client, VoteRequest.model_validate_json(line))))
            if len(under_way) >= at_once:
                first, result = under_way.popleft()
                yield first, result.result()
        for number, result in under_way:
            yield number, result.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _run_vote(client: Client, request: VoteRequest) -> dict[str, Any]:
    return client.vote(request).model_dump(mode="json")


def _show_summary(counts: Counter[str], to_stderr: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("of", "number", "share")
    wholes = {"inputs labelled": "inputs", "ties": "inputs", "golden accepted": "problems"}
    for name in ("problems", "golden accepted", "candidates", "inputs", "inputs labelled", "ties", "internal errors"):
        whole = counts[wholes.get(name, "")]
        table.add_row(name, str(counts[name]), f"{counts[name] / whole:.1%}" if whole else "")
    Console(stderr=to_stderr).print(table)
    if counts["internal errors"]:
        say("the service failed during some runs: vote again on the problems whose `internal_errors` is not 0")


def _count(result: dict[str, Any], counts: Counter[str]) -> None:
    labels = result["labels"]
    counts["problems"] += 1
    counts["golden accepted"] += result["golden"]["accepted"]
    counts["candidates"] += len(result["candidates"])
    counts["inputs"] += len(labels)
    counts["inputs labelled"] += sum(label["expected"] is not None for label in labels)
    counts["ties"] += sum(label["tie"] for label in labels)
    counts["internal errors"] += result["internal_errors"]
