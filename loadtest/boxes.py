"""Measure the cost of an idle box: the time until it is ready, and the memory that it does not share."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import docker
from rich.console import Console

from loadtest.spread import Spread
from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.docker.engine import DockerEngine
from sandbox.box.docker.images import ensure_images
from sandbox.box.docker.leftovers import HOME_LABEL
from sandbox.config import WorkerSettings
from sandbox.runner.contract import Run

READY_FLOOR_S = 1.0
IDLE_FLOOR_MB = 15.0
FIRST_SLOT = 80
PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class BoxCosts:
    """The costs of boxes of the Python image, started one after the other; memory after each ran one program."""

    ready_s: Spread
    first_run_s: Spread
    own_mb: Spread  # its share of anonymous and shared memory

    @property
    def missed(self) -> bool:
        return self.ready_s.median > READY_FLOOR_S or self.own_mb.median > IDLE_FLOOR_MB

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def measure(number: int, say: Callable[[str], None]) -> BoxCosts:
    """Start boxes one after the other, and keep all of them until the end."""
    ready, first, memory = [], [], []
    with ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="boxes-")))
        client = docker.from_env()
        stack.callback(client.close)
        ensure_images(client, ("python",), say)
        for index in range(number):
            engine = DockerEngine(WorkerSettings(home=home), slot=FIRST_SLOT + index)
            stack.callback(engine.close)
            began = time.monotonic()
            box = Box(engine.start("python"))
            stack.callback(box.close)
            ready.append(time.monotonic() - began)
            began = time.monotonic()
            box.load(languages.get_language("python").build_program("print(1)"))
            box.run(Run())
            first.append(time.monotonic() - began)
            say(f"box {index + 1}/{number}  ready after {ready[-1]:.2f} s")
        for container in client.containers.list(ignore_removed=True, filters={"label": f"{HOME_LABEL}={home}"}):
            memory.append(sum(read_own_memory_mb(pid) for pid in list_pids(container)))
    return BoxCosts(Spread.from_values(ready), Spread.from_values(first), Spread.from_values(memory))


def list_pids(container: Any) -> Iterator[int]:
    top = container.top(ps_args="-o pid")
    yield from (int(row[0]) for row in top["Processes"])


def read_own_memory_mb(pid: int) -> float:
    """Return memory not backed by files: the process's share of anonymous and shared pages (proc(5), smaps_rollup)."""
    fields = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, value = line.partition(":")
        fields[name] = int(value.split()[0])
    return (fields.get("Pss_Anon", 0) + fields.get("Pss_Shmem", 0)) / 1024


def show(costs: BoxCosts, console: Console) -> None:
    def format_line(what: str, spread: Spread, unit: str, floor: str) -> str:
        return f"{what:<34} {spread.median:7.3f} {unit} ({spread.p10:.3f}-{spread.p90:.3f}){floor}"

    console.print(format_line("time until a box is ready", costs.ready_s, "s ", f"   floor <= {READY_FLOOR_S:g} s"))
    console.print(format_line("its first program", costs.first_run_s, "s ", ""))
    console.print(format_line("unshared idle memory", costs.own_mb, "MB", f"   floor <= {IDLE_FLOOR_MB:g} MB"))
    console.print("[red]missed[/]" if costs.missed else "[green]both floors hold[/]")
