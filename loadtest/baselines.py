"""The baselines: a pool with one worker per core that runs each test as a plain subprocess or in a new container.

A third baseline compiles the program again for each test, as some judges do, but without their isolation and queues. It
stands in for such a judge if none is running (`--peer`).

Workers are processes, not threads, which makes the pool stronger because they share no lock.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any, Literal

from loadtest.sample import Sample, WrongVerdict, check_verdicts
from loadtest.workloads import ACCEPTED, CRASHED, SKIPPED, TOO_SLOW, WRONG, Case, Task, Workload, find_workload

PoolKind = Literal["bare", "docker-run", "compile-each"]
DEFAULT_PYTHON = "/usr/bin/python3"
COMPILE_COMMAND = ("g++", "-O2", "-std=gnu++20", "-pipe", "-w")
DOCKER_RUN_COMMAND = ("docker", "run", "--rm", "-i", "--network", "none")


@dataclass(frozen=True, slots=True)
class Interpreters:
    """The interpreters of the bare side. numpy may be installed in another one than the system's."""

    plain: str = DEFAULT_PYTHON
    numpy: str = DEFAULT_PYTHON


@dataclass(frozen=True, slots=True)
class WorkOrder:
    """The work of one pool worker in one round."""

    workload: str
    python: str
    first_index: int
    program_count: int  # number of programs; 0: as many as time allows
    seconds: float


@dataclass(slots=True)
class WorkerReport:
    """The results of one worker. Times are CLOCK_MONOTONIC, so they are comparable across workers."""

    started: float
    ended: float = 0.0
    verdicts: int = 0
    latencies_s: list[float] = field(default_factory=list)
    own_cpu_s: float = 0.0
    programs_cpu_s: float = 0.0
    wrong: str = ""


class Pool:
    """A pool of workers, used as a context manager. `run` runs one round."""

    def __init__(
        self, kind: PoolKind, cores: int, interpreters: Interpreters | None = None, images: dict[str, str] | None = None
    ) -> None:
        self.name: str = kind
        self._interpreters = interpreters or Interpreters()
        context = multiprocessing.get_context("spawn")
        self._next_index: Synchronized[int] = context.Value("q", 0)
        self._workers: list[tuple[SpawnProcess, Connection]] = []
        for _ in range(cores):
            parent_end, worker_end = context.Pipe()
            process = context.Process(
                target=run_worker,
                args=(kind, images or {}, worker_end, self._next_index),
                daemon=True,
                name=f"{kind}-pool",
            )
            self._workers.append((process, parent_end))

    def __enter__(self) -> Pool:
        for process, _ in self._workers:
            process.start()
        for _, connection in self._workers:
            connection.recv()  # the worker is ready
        return self

    def __exit__(self, *_: object) -> None:
        for process, connection in self._workers:
            with suppress(BrokenPipeError):  # the worker was killed
                connection.send(None)
            process.join(10)
            if process.is_alive():
                process.kill()

    def run(self, workload: Workload, seconds: float, concurrency: int = 0) -> Sample:
        """Run a round. If each test starts a container, a fixed number of programs would take too long and is cut
        short.
        """
        workers = self._workers[: concurrency or (1 if workload.name.endswith("idle") else len(self._workers))]
        number = workload.count_programs(len(self._workers))
        whole = number and self.name == "bare" and not workload.stream
        first = Sample.draw_start_index()
        self._next_index.value = first
        python = self._interpreters.numpy if workload.family == "W6" else self._interpreters.plain
        for _, connection in workers:
            connection.send(WorkOrder(workload.name, python, first, number, float("inf") if whole else seconds))
        reports: list[WorkerReport] = [connection.recv() for _, connection in workers]
        return merge_reports(reports)


def merge_reports(reports: Sequence[WorkerReport]) -> Sample:
    """Merge the reports of a round. Raises WrongVerdict if a worker saw a wrong verdict."""
    for report in reports:
        if report.wrong:
            raise WrongVerdict(report.wrong)
    return Sample(
        verdicts=sum(report.verdicts for report in reports),
        elapsed_s=max(report.ended for report in reports) - min(report.started for report in reports),
        latencies_s=[latency for report in reports for latency in report.latencies_s],
        cpu_s={
            "generator": sum(report.own_cpu_s for report in reports),
            "programs": sum(report.programs_cpu_s for report in reports),
        },
    )


def run_worker(kind: PoolKind, images: dict[str, str], orders: Connection, next_index: Synchronized[int]) -> None:
    """Run rounds in a worker process until the order is None."""
    with tempfile.TemporaryDirectory(prefix="loadtest-") as folder:
        orders.send(None)
        while (order := orders.recv()) is not None:
            orders.send(run_round(order, build_runner(kind, Path(folder), order.python, images).run, next_index))


def build_runner(kind: PoolKind, folder: Path, python: str, images: dict[str, str]) -> BareRunner | ContainerRunner:
    if kind == "docker-run":
        return ContainerRunner(folder, images)
    return BareRunner(folder, python) if kind == "bare" else CompileEachRunner(folder, python)


def run_round(order: WorkOrder, run: Any, next_index: Synchronized[int]) -> WorkerReport:
    workload = find_workload(order.workload)
    report = WorkerReport(started=time.monotonic())
    own, programs = read_cpu_s(resource.RUSAGE_SELF), read_cpu_s(resource.RUSAGE_CHILDREN)
    try:
        while (began := time.monotonic()) < report.started + order.seconds:
            with next_index.get_lock():
                index = next_index.value
                next_index.value += 1
            if order.program_count and index >= order.first_index + order.program_count:
                break
            task = workload.make(index)
            check_verdicts(task, run(task))
            report.verdicts += task.executed_tests
            report.latencies_s.append(time.monotonic() - began)
    except WrongVerdict as wrong:
        report.wrong = str(wrong)
    report.ended = time.monotonic()
    report.own_cpu_s = read_cpu_s(resource.RUSAGE_SELF) - own
    report.programs_cpu_s = read_cpu_s(resource.RUSAGE_CHILDREN) - programs
    return report


def read_cpu_s(who: int) -> float:
    usage = resource.getrusage(who)
    return usage.ru_utime + usage.ru_stime


class BareRunner:
    """Runs a program without isolation: write the file, start the interpreter, compare."""

    def __init__(self, folder: Path, python: str) -> None:
        self._folder = folder
        self._python = python

    def run(self, task: Task) -> list[str]:
        command = self._build_command(task)
        verdicts: list[str] = []
        for case in task.cases:
            failed = bool(verdicts) and verdicts[-1] != ACCEPTED and task.stop_on_failure
            verdicts.append(SKIPPED if failed else run_case(command, case, task))
        return verdicts

    def _build_command(self, task: Task) -> list[str]:
        source = self._folder / ("main.cpp" if task.language == "cpp" else "main.py")
        source.write_text(task.code)
        if task.language != "cpp":
            return [self._python, str(source)]
        subprocess.run(
            [*COMPILE_COMMAND, "-o", str(self._folder / "main"), str(source)], check=True, capture_output=True
        )
        return [str(self._folder / "main")]


class CompileEachRunner(BareRunner):
    """Like the bare side, but compiles the program for each test."""

    def run(self, task: Task) -> list[str]:
        return [run_case(self._build_command(task), case, task) for case in task.cases]


class ContainerRunner:
    """Runs each test in a new container. A compiled program is compiled in each of them."""

    def __init__(self, folder: Path, images: dict[str, str]) -> None:
        self._folder = folder
        self._images = images

    def run(self, task: Task) -> list[str]:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        os.chmod(folder, 0o755)  # noqa: PTH101 - mkdtemp makes it private, and the container's root may be another user
        try:
            command = self._build_command(task, folder)
            return [run_case(command, case, task) for case in task.cases]
        finally:
            shutil.rmtree(folder)

    def _build_command(self, task: Task, folder: Path) -> list[str]:
        mounted = [*DOCKER_RUN_COMMAND, "-v", f"{folder}:/w:ro"]
        if task.language == "cpp":
            (folder / "main.cpp").write_text(task.code)
            return [
                *mounted,
                self._images["cpp"],
                "sh",
                "-c",
                " ".join([*COMPILE_COMMAND, "-o /tmp/m /w/main.cpp && /tmp/m"]),
            ]
        (folder / "main.py").write_text(task.code)
        return [*mounted, self._images["python"], "python3", "/w/main.py"]


def run_case(command: Sequence[str], case: Case, task: Task) -> str:
    """Return the verdict of one plain run. The limit applies to elapsed time, as `subprocess` measures it."""
    try:
        done = subprocess.run(command, input=case.stdin.encode(), capture_output=True, timeout=task.cpu_limit_s)
    except subprocess.TimeoutExpired:
        return TOO_SLOW
    if done.returncode:
        return CRASHED
    expected = case.expected.encode()
    same = done.stdout == expected if task.checker == "exact" else done.stdout.split() == expected.split()
    return ACCEPTED if same else WRONG
