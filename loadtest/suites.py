"""Measure test suites: the CPU time that the smallest suite saves, and time limits under overload.

`python -m loadtest.suites` judges the submissions of problem packages on a service of its own, and writes
`results/suites.json`. It exits with 1 if a goal is missed.

The first table compares all tests of a package with the smallest suite of the same kills, by the mean CPU time of the
right programs. The second one calibrates time limits with and without busy processes, four per core. The two conditions
take turns, so that other work on the machine affects both, and their medians are compared. Tests written by hand are
few, so the last table adds more seeds of each generated test, as a vote does.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtest.load_generator import MeasurementFailed
from loadtest.temporary_service import TemporaryService, stop_with_parent
from sandbox.cli.quality import build_request
from sandbox.client import Client
from sandbox.problems.check import ServiceRunner
from sandbox.problems.importer import Options, find_packages, read_package
from sandbox.problems.problem import Problem
from sandbox.schema.quality import QualityResult

RESULTS = Path(__file__).parent / "results"
PACKAGES = Path(__file__).parents[1] / "tests" / "problems" / "packages"
SEEDED_RULE = re.compile(r"(?P<name> +[\w-]+): (?P<command>gen\.py .+) \d+")
OVERLOAD = 4  # busy processes per core
MIN_SLOWEST_S = 0.1  # a shorter run is mostly the start of the interpreter, which no limit should be derived from
CALIBRATION_LIMITS = {"cpu_time_s": 30.0, "wall_time_s": 300.0}
GOAL_RATIO, GOAL_DRIFT = 3.0, 0.10
REQUEST_TIMEOUT_S = 600.0


@dataclass
class PackageSuite:
    """All tests of a package and its smallest suite, in mean CPU seconds of the right programs."""

    name: str
    tests: int
    kept: int
    all_s: float
    kept_s: float
    tnr: float | None

    @property
    def ratio(self) -> float:
        return self.all_s / self.kept_s


@dataclass
class Calibration:
    """The time limits in CPU seconds that quiet and overloaded rounds gave for one package."""

    name: str
    quiet_s: list[float] = field(default_factory=list)
    overloaded_s: list[float] = field(default_factory=list)

    @property
    def drift(self) -> float:
        """How much the median under overload differs from the other one."""
        return abs(statistics.median(self.overloaded_s) / statistics.median(self.quiet_s) - 1)


def main(arguments: Sequence[str] | None = None) -> int:
    options = parse_options(arguments)
    console = Console(width=None if sys.stdout.isatty() else 120, highlight=False)
    cores = len(os.sched_getaffinity(0))
    with (
        TemporaryService(cores, REQUEST_TIMEOUT_S=str(REQUEST_TIMEOUT_S)) as service,
        Client(service.url, timeout_s=REQUEST_TIMEOUT_S) as client,
    ):
        requests = build_requests(list_problems(options.packages, client, 0), options.mutants)
        reports = {name: client.quality(request) for name, request in requests.items()}
        suites = [measure_suite(name, report) for name, report in reports.items()]
        show_suites("tests of the packages", suites, console)
        chosen = {
            name: keep_right(request)
            for name, request in requests.items()
            if (limit := reports[name].time_limit) is not None and limit.slowest_s >= MIN_SLOWEST_S
        }
        calibrations = calibrate(chosen, client, options.rounds, cores, console)
        show_calibrations(calibrations, console)
        seeded = build_requests(list_problems(options.packages, client, options.seeds), options.mutants)
        larger = []
        for name, request in seeded.items():
            larger.append(measure_suite(name, client.quality(request)))
            console.print(f"[dim]{name}: {larger[-1].tests} tests, {larger[-1].ratio:.2f}[/]")
    show_suites(f"{1 + options.seeds} seeds per generated test", larger, console)
    result = build_json(suites, larger, calibrations, cores)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "suites.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    return 0 if compute_total_ratio(larger) >= GOAL_RATIO and all(c.drift < GOAL_DRIFT for c in calibrations) else 1


def parse_options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m loadtest.suites", description=__doc__)
    parser.add_argument("packages", nargs="?", type=Path, default=PACKAGES, help="folder of problem packages")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR")
    parser.add_argument("--rounds", type=int, default=5, help="calibrations per package and condition")
    parser.add_argument("--seeds", type=int, default=2, help="other seeds per generated test in the last table")
    parser.add_argument("--mutants", type=int, default=0, help="also make mutants of each package's reference")
    return parser.parse_args(arguments)


def read_problems(folder: Path, client: Client) -> list[Problem]:
    """Return the packages, with their generated tests."""
    options = Options(runner=ServiceRunner(client))
    return [read_package(package, options) for package in find_packages(folder)]


def list_problems(folder: Path, client: Client, seeds: int) -> dict[str, Problem]:
    """Return each package by name. Each generated test is there once, and also with this many other seeds."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        for path in Path(copy).rglob("generators.yaml"):
            path.write_text(add_seeds(path.read_text(encoding="utf-8"), seeds), encoding="utf-8")
        return {problem.name: problem for problem in read_problems(Path(copy), client)}


def build_requests(problems: dict[str, Problem], mutants: int) -> dict[str, dict[str, Any]]:
    """Return the quality request of each package."""
    return {name: build_request(problem, mutants, 0) for name, problem in problems.items()}


def add_seeds(rules: str, seeds: int) -> str:
    """Repeat each rule that calls a generator with a seed, its last argument, `seeds` times with other seeds."""
    lines = []
    for line in rules.splitlines():
        lines.append(line)
        if found := SEEDED_RULE.fullmatch(line):
            name, command = found["name"], found["command"]
            lines += [f"{name}-{number}: {command} {100 + number}" for number in range(seeds)]
    return "\n".join(lines) + "\n"


def keep_right(request: dict[str, Any]) -> dict[str, Any]:
    """Return the request with right programs only, which a limit is derived from, and with limits that stop none."""
    limits = {**request.get("limits", {}), **CALIBRATION_LIMITS}
    return {**request, "wrong": [request["right"][0]], "mutants": None, "limits": limits}


def measure_suite(name: str, report: QualityResult) -> PackageSuite:
    suite = report.smallest_suite
    return PackageSuite(name, len(report.tests), len(suite.tests), suite.all_cpu_time_s, suite.cpu_time_s, report.tnr)


def calibrate(
    requests: dict[str, dict[str, Any]], client: Client, rounds: int, cores: int, console: Console
) -> list[Calibration]:
    """Derive each limit `rounds` times without and with overload, in turns."""
    calibrations = {name: Calibration(name) for name in requests}
    for number in range(rounds):
        for name, request in requests.items():
            calibrations[name].quiet_s.append(derive_limit_s(client, request))
        with keep_busy(OVERLOAD * cores):
            for name, request in requests.items():
                calibrations[name].overloaded_s.append(derive_limit_s(client, request))
        console.print(f"[dim]round {number + 1} of {rounds}[/]")
    return list(calibrations.values())


def derive_limit_s(client: Client, request: dict[str, Any]) -> float:
    """Return the limit. Raises MeasurementFailed if a right program does not pass: the limit would be another one."""
    report = client.quality(request)
    if report.tpr != 1.0 or report.unjudged or report.time_limit is None:
        failed = [f"{each.name}: {each.fate} {each.message}" for each in report.programs if each.fate != "passed"]
        raise MeasurementFailed(f"right programs did not pass: {'; '.join(failed)}; {report.matrix}")
    return report.time_limit.cpu_time_s


@contextmanager
def keep_busy(processes: int) -> Iterator[None]:
    """Run this many processes that never sleep."""
    code = "while True: pass"
    busy = [subprocess.Popen([sys.executable, "-c", code], preexec_fn=stop_with_parent) for _ in range(processes)]
    try:
        yield
    finally:
        for process in busy:
            process.kill()
            process.wait()


def compute_total_ratio(suites: Sequence[PackageSuite]) -> float:
    """Return how many times the CPU time of the kept tests all tests of all packages take."""
    return sum(suite.all_s for suite in suites) / sum(suite.kept_s for suite in suites)


def build_json(
    suites: Sequence[PackageSuite], larger: Sequence[PackageSuite], calibrations: Sequence[Calibration], cores: int
) -> dict[str, Any]:
    return {
        "cores": cores,
        "load_average": round(os.getloadavg()[2], 1),
        "ratio": round(compute_total_ratio(suites), 3),
        "ratio_with_seeds": round(compute_total_ratio(larger), 3),
        "suites": [{**asdict(suite), "ratio": round(suite.ratio, 3)} for suite in suites],
        "suites_with_seeds": [{**asdict(suite), "ratio": round(suite.ratio, 3)} for suite in larger],
        "calibrations": [{**asdict(each), "drift": round(each.drift, 4)} for each in calibrations],
    }


def show_suites(title: str, suites: Sequence[PackageSuite], console: Console) -> None:
    table = Table("package", "tests", "kept", "CPU of all tests", "of the kept", "ratio", "TNR", title=title)
    for suite in suites:
        tnr = "" if suite.tnr is None else f"{suite.tnr:.3f}"
        costs = f"{suite.all_s:.3f} s", f"{suite.kept_s:.3f} s", f"{suite.ratio:.2f}"
        table.add_row(suite.name, str(suite.tests), str(suite.kept), *costs, tnr)
    console.print(table)
    console.print(f"all packages: {compute_total_ratio(suites):.2f} (goal {GOAL_RATIO:g})")


def show_calibrations(calibrations: Sequence[Calibration], console: Console) -> None:
    table = Table("package", "quiet", f"{OVERLOAD} busy processes per core", "differs by", f"goal < {GOAL_DRIFT:.0%}")
    for each in calibrations:
        medians = (f"{statistics.median(times):.3f} s" for times in (each.quiet_s, each.overloaded_s))
        table.add_row(each.name, *medians, f"{each.drift:.1%}", "met" if each.drift < GOAL_DRIFT else "missed")
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
