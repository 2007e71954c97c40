"""Files of JSON lines on the command line: check a whole file first, judge it, and resume after an interruption.

Every result has the number of its input `line` and that line's SHA-256. Results are written in the order of the input,
so an interrupted command leaves a prefix, and the same command continues after it. Input that cannot be read twice
(standard input, a pipe) is copied to a temporary file first.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from sandbox.cli.console import EXIT_INTERRUPTED, EXIT_USAGE, fail, say

STANDARD_STREAM = "-"
MAX_FAULTS_SHOWN = 20
MAX_TALLY_SHOWN = 4


@dataclass(frozen=True)
class JsonlFile:
    """A file of JSON lines that can be read any number of times. Messages call it `name`."""

    name: str
    path: Path

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        """Yield lines that are not blank, with their numbers. Only line feeds end a line, as JSON requires."""
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line

    def check(self, find_fault: Callable[[bytes], str], what: str) -> dict[int, str]:
        """Return the digest of each line by its number. If lines are invalid or missing, exit with code 2."""
        digests, faults = dict[int, str](), list[str]()
        has_json = False
        for number, line in self:
            digests[number] = hashlib.sha256(line.strip()).hexdigest()
            fault = find_fault(line)
            has_json = has_json or not fault.startswith("Invalid JSON")
            if fault:
                faults.append(f"{self.name}, line {number}: {fault}")
        if faults:
            if not has_json:
                fail(f"{self.name} has no JSON lines, each with one {what}. {faults[0]}", EXIT_USAGE)
            more = [f"and {len(faults) - MAX_FAULTS_SHOWN} more"] if len(faults) > MAX_FAULTS_SHOWN else []
            fail(
                "\n".join(["nothing was run, because these lines are invalid:", *faults[:MAX_FAULTS_SHOWN], *more]),
                EXIT_USAGE,
            )
        if not digests:
            fail(f"{self.name} contains no {what}", EXIT_USAGE)
        return digests


@contextmanager
def open_jsonl(path: Path) -> Iterator[JsonlFile]:
    """Open a file, a pipe, or standard input (`-`). If it cannot be read, exit with code 2."""
    name = "standard input" if str(path) == STANDARD_STREAM else str(path)
    try:
        with sys.stdin.buffer if str(path) == STANDARD_STREAM else path.open("rb") as file:
            if str(path) != STANDARD_STREAM and stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                yield JsonlFile(name, path)
                return
            with tempfile.NamedTemporaryFile(prefix="sandbox-", suffix=".jsonl") as copy:
                shutil.copyfileobj(file, copy)
                copy.flush()
                yield JsonlFile(name, Path(copy.name))
    except OSError as error:
        if str(error.filename) != str(path):
            raise
        fail(f"cannot read {name}: {error.strerror}", EXIT_USAGE)


class ResultsWriter:
    """Writes results to a file, which can be resumed, to standard output (`-`), or nowhere (None).

    `key` is the field for a line's digest.
    """

    def __init__(self, out: Path | None, digests: dict[int, str], key: str) -> None:
        self.existing: list[dict[str, Any]] = []
        self._out, self._key, self._digests = out, key, digests
        self._file: BinaryIO | None = None
        if out is not None and str(out) == STANDARD_STREAM:
            self._file = sys.stdout.buffer
        elif out is not None:
            self.existing = self._read_existing(out)
            try:
                self._file = out.open("ab")
            except OSError as error:
                fail(f"cannot write {out}: {error.strerror}", EXIT_USAGE)
        if self.existing:
            say(f"{out} has {len(self.existing)} of {len(digests)} results; continuing after them")

    def write(self, number: int, result: dict[str, Any]) -> None:
        if self._file is not None:
            line = {"line": number, self._key: self._digests[number], **result}
            self._file.write(json.dumps(line).encode() + b"\n")
            self._file.flush()

    def stop(self, done: int) -> NoReturn:
        """Exit at once after Ctrl-C, without waiting for requests in progress."""
        what = f"interrupted after {done} of {len(self._digests)} results"
        if self._out is None or str(self._out) == STANDARD_STREAM:
            say(f"sandbox: {what}; they are not saved without --out FILE")
        else:
            say(f"sandbox: {what}; they are saved in {self._out}. Run the same command again to continue.")
        sys.stdout.flush()
        os._exit(EXIT_INTERRUPTED)

    def _read_existing(self, out: Path) -> list[dict[str, Any]]:
        """Return the results in the file after cutting off an incomplete line. Never overwrite any other content."""
        if not out.exists() or not out.is_file():
            return []
        with out.open("rb") as file:
            whole = [line for line in file if line.endswith(b"\n")]
        try:
            kept = [json.loads(line) for line in whole]
            found = [(result["line"], result[self._key]) for result in kept]
        except (ValueError, KeyError, TypeError):
            fail(f"{out} contains something other than results of this command; use another file", EXIT_USAGE)
        if found != list(self._digests.items())[: len(found)]:
            fail(f"{out} contains the results of another input; use another file, or remove it", EXIT_USAGE)
        try:
            with out.open("r+b") as file:
                file.truncate(sum(map(len, whole)))
        except OSError as error:
            fail(f"cannot write {out}: {error.strerror}", EXIT_USAGE)
        return kept


@contextmanager
def show_progress(what: str, total: int, counts: Counter[str]) -> Iterator[Callable[[], None]]:
    """Show a progress bar on stderr with count, rate and a tally of `counts`. Yields a function that advances it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    before, began = counts.total(), time.monotonic()
    columns = (
        *(TextColumn("{task.description}"), BarColumn(bar_width=20), MofNCompleteColumn()),
        *(TextColumn("{task.fields[rate]}"), TimeRemainingColumn(), TextColumn("{task.fields[tally]}")),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total, completed=before, rate="", tally="")

        def advance() -> None:
            rate = (counts.total() - before) / max(time.monotonic() - began, 1e-3)
            tally = "  ".join(f"{name} {count}" for name, count in counts.most_common(MAX_TALLY_SHOWN))
            progress.update(task, completed=counts.total(), rate=f"{rate:.0f}/s", tally=tally)

        yield advance
