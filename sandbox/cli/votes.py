"""`sandbox vote`: the inputs of many problems labelled, from a file of JSON lines; a kill costs what was under way."""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sandbox.cli.console import MISUSED, Url, fail, faults_of, say, service_at

if TYPE_CHECKING:
    from sandbox.client import Client
    from sandbox.schema.vote import VoteRequest

ATTEMPTS = 6
FAULTS_SHOWN = 20
# Enough that a service of many slots has work to its end; results are written in order, so more is held back.
AT_ONCE = 8


def vote(
    problems: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="One VoteRequest as JSON a line.")],
    out: Annotated[Path, typer.Option(help="Write each result as a line of JSON, in order.")],
    at_once: Annotated[int, typer.Option(min=1, max=256, help="Votes under way at one time.")] = AT_ONCE,
    url: Url = "",
) -> None:
    """Label the inputs of many problems by the vote of their candidates.

    Where OUT has results of these problems already, as a kill leaves them, it goes on behind them. Results carry the
    `line` of their problem and its SHA-256, `problem`.
    """
    from rich.console import Console
    from rich.progress import Progress

    digests = check_problems(problems)
    done = _resume(out, digests)
    if done:
        say(f"{out} has {done} of {len(digests)} results; going on")
    with (
        service_at(url, ATTEMPTS) as client,
        out.open("ab") as results,
        Progress(console=Console(stderr=True), transient=True) as progress,
    ):
        task = progress.add_task("voting", total=len(digests), completed=done)
        for line in _votes(client, problems, list(digests.items()), done, at_once):
            results.write(line)
            results.flush()
            progress.advance(task)
    _show_summary(out)


def check_problems(path: Path) -> dict[int, str]:
    """The line numbers of a file's problems, each with its digest; a bad one ends the command, before any vote."""
    digests, faults = dict[int, str](), list[str]()
    for number, line in _lines(path):
        digests[number] = _digest(line)
        if fault := _fault(line):
            faults.append(f"{path}, line {number}: {fault}")
    if faults:
        more = [f"and {len(faults) - FAULTS_SHOWN} more"] if len(faults) > FAULTS_SHOWN else []
        fail("\n".join(["nothing was voted on, for these lines are bad:", *faults[:FAULTS_SHOWN], *more]), MISUSED)
    if not digests:
        fail(f"{path} holds no problem", MISUSED)
    return digests


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, line


def _digest(line: bytes) -> str:
    import hashlib

    return hashlib.sha256(line.strip()).hexdigest()


def _fault(line: bytes) -> str:
    from pydantic import ValidationError

    from sandbox.schema.vote import VoteRequest

    try:
        VoteRequest.model_validate_json(line)
    except ValidationError as error:
        return faults_of(error)[0]
    return ""


def _resume(out: Path, digests: dict[int, str]) -> int:
    """How many results are there, after half a line at the end is cut off. Other results are never written over."""
    if not out.exists():
        return 0
    with out.open("rb") as file:
        whole = [line for line in file if line.endswith(b"\n")]
    try:
        told = [json.loads(line) for line in whole]
        found = [(result["line"], result["problem"]) for result in told]
    except (ValueError, KeyError, TypeError):
        fail(f"{out} holds something else than results of a vote; name another file", MISUSED)
    if found != list(digests.items())[: len(found)]:
        fail(f"{out} holds results of other problems; name another file, or remove it", MISUSED)
    try:
        with out.open("r+b") as file:
            file.truncate(sum(map(len, whole)))
    except OSError as error:
        fail(f"cannot write {out}: {error.strerror}", MISUSED)
    return len(whole)


def _votes(client: Client, path: Path, problems: list[tuple[int, str]], done: int, at_once: int) -> Iterator[bytes]:
    """Results in order, several votes under way at one time."""
    from sandbox.schema.vote import VoteRequest

    under_way: deque[tuple[int, str, Future[dict[str, Any]]]] = deque()
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for place, (number, line) in enumerate(_lines(path)):
                if place < done:
                    continue
                request = VoteRequest.model_validate_json(line)
                under_way.append((number, problems[place][1], pool.submit(_held, client, request)))
                if len(under_way) >= at_once:
                    yield _result_line(*under_way.popleft())
            while under_way:
                yield _result_line(*under_way.popleft())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _held(client: Client, request: VoteRequest) -> dict[str, Any]:
    return client.vote(request).model_dump(mode="json")


def _result_line(number: int, digest: str, result: Future[dict[str, Any]]) -> bytes:
    return json.dumps({"line": number, "problem": digest, **result.result()}).encode() + b"\n"


def _show_summary(out: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    counts: Counter[str] = Counter()
    for line in out.open("rb"):
        _count(json.loads(line), counts)
    table = Table("of", "number", "share")
    wholes = {"inputs labelled": "inputs", "ties": "inputs", "golden accepted": "problems"}
    for name in ("problems", "golden accepted", "candidates", "inputs", "inputs labelled", "ties", "internal errors"):
        whole = counts[wholes.get(name, "")]
        table.add_row(name, str(counts[name]), f"{counts[name] / whole:.1%}" if whole else "")
    Console().print(table)
    if counts["internal errors"]:
        say("runs failed for no fault of theirs: vote again on the problems whose `internal_errors` is not 0")


def _count(result: dict[str, Any], counts: Counter[str]) -> None:
    labels = result["labels"]
    counts["problems"] += 1
    counts["golden accepted"] += result["golden"]["accepted"]
    counts["candidates"] += len(result["candidates"])
    counts["inputs"] += len(labels)
    counts["inputs labelled"] += sum(label["expected"] is not None for label in labels)
    counts["ties"] += sum(label["tie"] for label in labels)
    counts["internal errors"] += result["internal_errors"]
