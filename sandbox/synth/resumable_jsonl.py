"""A stage's output: JSON lines in a fixed order. A killed run leaves a prefix, and resuming it gives the same file.

Theory of operation. A stage is a sequence of units with keys, and each unit produces one line. Units are processed
concurrently and written in order. When a run resumes, an incomplete last line is cut off, and complete lines are not
produced again. `<stage>.state.json` records what the lines depend on. If the run config, a prompt or an earlier stage
has changed since, the stage raises an error that names the file to remove, instead of mixing both.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.errors import BadRequest

Record = dict[str, Any]
UnitHandler = Callable[["Unit"], Awaitable[Record]]
ProgressCallback = Callable[[int, int], object]

LOOKAHEAD_FACTOR = 2


@dataclass(frozen=True)
class Unit:
    """The input of one line; the line stores the key as its `key`."""

    key: str
    payload: Any


def read_records(path: Path) -> list[Record]:
    """Return the lines of a stage's file, or none if it does not exist."""
    if not path.exists():
        return []
    return [json.loads(line) for line in iterate_complete_lines(path)]


def iterate_complete_lines(path: Path) -> Iterator[bytes]:
    """Yield the complete lines of a file."""
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield line


def dump(record: Record) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode(errors="surrogatepass") + b"\n"


def hash_file(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class Stage:
    """The file of one stage. Raises BadRequest if it was begun with another `fingerprint`."""

    def __init__(self, folder: Path, name: str, fingerprint: str) -> None:
        self.name = name
        self.path = folder / f"{name}.jsonl"
        self._state = folder / f"{name}.state.json"
        self._fingerprint = fingerprint
        before = json.loads(self._state.read_bytes()) if self._state.exists() else {}
        if self.path.exists() and before.get("made_from") not in {None, fingerprint}:
            raise BadRequest(
                f"{self.path} was begun with another recipe, other prompts or another earlier stage; "
                "remove it to start again, or undo the change"
            )
        self._write_state(complete=bool(before.get("complete")) and self.path.exists())

    @property
    def complete(self) -> bool:
        return bool(json.loads(self._state.read_bytes())["complete"])

    def finish(self) -> list[Record]:
        self.path.touch()
        self._write_state(complete=True)
        return read_records(self.path)

    def _write_state(self, complete: bool) -> None:
        content = json.dumps({"made_from": self._fingerprint, "complete": complete})
        scratch = self._state.with_suffix(".new")
        scratch.write_text(content, encoding="utf-8")
        scratch.replace(self._state)

    async def produce(
        self, units: Sequence[Unit], work: UnitHandler, concurrency: int, on_progress: ProgressCallback
    ) -> list[Record]:
        """Return the lines of all units. Produces missing lines, `concurrency` at a time."""
        done = self._resume(units)
        on_progress(done, len(units))
        in_flight: deque[tuple[Unit, asyncio.Task[Record]]] = deque()
        waiting = iter(units[done:])
        semaphore = asyncio.Semaphore(concurrency)
        try:
            with self.path.open("ab") as out:
                while True:
                    while len(in_flight) < concurrency * LOOKAHEAD_FACTOR and (unit := next(waiting, None)) is not None:
                        in_flight.append((unit, asyncio.create_task(_run_limited(semaphore, work, unit))))
                    if not in_flight:
                        break
                    unit, task = in_flight[0]
                    record = await task
                    in_flight.popleft()
                    out.write(dump({"key": unit.key, **record}))
                    out.flush()
                    done += 1
                    on_progress(done, len(units))
        finally:
            await _cancel_all([task for _, task in in_flight])
        return read_records(self.path)

    def _resume(self, units: Sequence[Unit]) -> int:
        """Cut off an incomplete last line and return the number of lines."""
        if not self.path.exists():
            return 0
        lines = list(iterate_complete_lines(self.path))
        with self.path.open("r+b") as file:
            file.truncate(sum(map(len, lines)))
        keys = [json.loads(line)["key"] for line in lines]
        if keys != [unit.key for unit in units[: len(keys)]]:
            raise BadRequest(f"{self.path} holds lines of another run; remove it to start again")
        return len(keys)


async def _run_limited(semaphore: asyncio.Semaphore, work: UnitHandler, unit: Unit) -> Record:
    async with semaphore:
        return await work(unit)


async def _cancel_all(tasks: Sequence[asyncio.Task[Record]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
