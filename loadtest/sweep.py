"""Measure how the cost grows with the input: batch size, tests per program, source size, output size.

Sends one request at a time, to measure the cost of the path itself. Sizes are interleaved in rounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson
from rich.console import Console
from rich.table import Table

from loadtest.load_generator import CheckResult, LoadRound, Request, Response, build_post_request
from loadtest.sample import Sample, WrongVerdict
from loadtest.sides import Address, SandboxDialect, parse_json
from loadtest.spread import Spread, fit_growth_exponent
from loadtest.workloads import TINY_SOURCE, Task, Workload, make_accepted, make_tiny_case, make_tiny_py

KB = 1024
MB = 1024 * KB
MAX_GROWTH = 1.15  # a larger exponent is faster than linear
COMMENT_LINE = "# {number:06d} a line of a comment that makes a program long but does nothing to it at all\n"
PRINT_SOURCE = """\
import sys

size = int(input())
line = "{index} " + "x" * 50 + "\\n"
text = line * (size // len(line) + 1)
sys.stdout.write(text[:size])
"""
# Only count sizes that cost this many times the cheapest request. Below that, the fixed cost hides the growth.
MIN_COST_RATIO = 4

RequestBuilder = Callable[[int, int, str], Request]


@dataclass(slots=True)
class Point:
    """The seconds that a request of one size took, by round."""

    size: int
    seconds: list[float] = field(default_factory=list)

    @property
    def spread(self) -> Spread:
        return Spread.from_values(self.seconds)


@dataclass(slots=True)
class Series:
    """A parameter to sweep: `make(size, index, host)` builds its request."""

    name: str
    unit: str
    item: str
    make: RequestBuilder
    points: list[Point]

    @property
    def growth(self) -> float:
        """The exponent over the larger sizes, where the input outweighs the fixed cost of a request."""
        upper = [point for point in self.points if point.size > 0 and self._is_significant(point)]
        return fit_growth_exponent([point.size for point in upper], [point.spread.median for point in upper])

    @property
    def linear(self) -> bool:
        """Whether the cost is flat or linear. With fewer than two significant sizes, it counts as flat."""
        return not self.growth > MAX_GROWTH

    def _is_significant(self, point: Point) -> bool:
        return point.spread.median > MIN_COST_RATIO * min(other.spread.median for other in self.points)


def build_batch_request(size: int, index: int, host: str) -> Request:
    return _build_verify_request([make_tiny_py(index + place) for place in range(size)], host, size)


def build_tests_request(size: int, index: int, host: str) -> Request:
    cases = (make_tiny_case(index, index + test) for test in range(size))
    return _build_verify_request([make_accepted(TINY_SOURCE.format(index=index), *cases)], host, 1)


def build_source_request(size: int, index: int, host: str) -> Request:
    task = make_tiny_py(index)
    lines = (COMMENT_LINE.format(number=number) for number in range(size // len(COMMENT_LINE.format(number=0)) + 1))
    code = task.code + "".join(lines)[: max(0, size - len(task.code))]
    return _build_verify_request([Task(code, task.cases, task.verdicts)], host, 1)


def build_output_request(size: int, index: int, host: str) -> Request:
    def check(answer: Response) -> CheckResult:
        result = parse_json(answer)
        if result["status"] != "ok" or len(result["stdout"]) != size:
            raise WrongVerdict(f"{result['status']} and {len(result['stdout'])} of {size} characters")
        return CheckResult(1)

    body = {
        "language": "python",
        "code": PRINT_SOURCE.format(index=index),
        "stdin": f"{size}\n",
        "limits": {"output_kb": 96 * KB, "memory_mb": 1024},
    }
    return build_post_request(host, "/execute", [orjson.dumps(body)], check)


def _build_verify_request(tasks: Sequence[Task], host: str, batch: int) -> Request:
    workload = Workload("sweep", make_tiny_py, batch=batch)
    return next(SandboxDialect(Address(host)).build_requests(iter(tasks), workload))


def build_input_series() -> list[Series]:
    def make_points(*sizes: int) -> list[Point]:
        return [Point(size) for size in sizes]

    return [
        Series(
            "batch size", "programs a batch", "program", build_batch_request, make_points(1, 10, 100, 1_000, 10_000)
        ),
        Series("tests per program", "tests", "test", build_tests_request, make_points(1, 10, 100, 1_000)),
        Series(
            "source size",
            "bytes of source",
            "byte",
            build_source_request,
            make_points(KB, 8 * KB, 64 * KB, 256 * KB, MB),
        ),
        Series(
            "output size",
            "bytes of output",
            "byte",
            build_output_request,
            make_points(0, 64 * KB, MB, 8 * MB, 32 * MB, 64 * MB),
        ),
    ]


def measure(series: Sequence[Series], url: str, rounds: int, say: Callable[[str], None]) -> None:
    """Measure the points. Raises WrongVerdict or MeasurementFailed."""
    for number in range(rounds):
        for one in series:
            for point in one.points:
                request = one.make(point.size, Sample.draw_start_index(), urlsplit(url).netloc)
                took = LoadRound(url, iter([request]), 1, 1.0).run(send_all=True).elapsed_s
                point.seconds.append(took)
                say(f"round {number + 1}/{rounds}  {one.name:<18} {point.size:>10,}  {took * 1000:10.1f} ms")


def show(series: Sequence[Series], console: Console) -> None:
    table = Table("what", "size", "ms per request", "us per item", title="cost by input size; medians (p10-p90)")
    for one in series:
        table.add_section()
        for point in one.points:
            spread = point.spread
            table.add_row(
                one.name,
                f"{point.size:,}",
                f"{spread.median * 1000:.1f} ({spread.p10 * 1000:.1f}-{spread.p90 * 1000:.1f})",
                f"{spread.median * 1e6 / max(1, point.size):.3f}",
            )
    console.print(table)
    for one in series:
        outcome = "[green]flat or linear[/]" if one.linear else "[red]grows faster than its input[/]"
        power = (
            "too small to measure its growth" if math.isnan(one.growth) else f"size to the power of {one.growth:.2f}"
        )
        console.print(f"{one.name}: {outcome}, {power}")


def to_json(series: Sequence[Series]) -> list[dict[str, Any]]:
    return [
        {
            "what": one.name,
            "unit": one.unit,
            "growth": None if math.isnan(one.growth) else one.growth,
            "linear": one.linear,
            "points": [{"size": point.size, "seconds": asdict(point.spread)} for point in one.points],
        }
        for one in series
    ]
