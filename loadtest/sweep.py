"""How the cost grows with the input: batch size, tests per program, source size, output size.

One request at a time, so what is seen is the cost of the way itself; sizes are interleaved in rounds.
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

from loadtest.load import Answer, Drive, Judged, Request, post
from loadtest.sample import Sample, WrongVerdict
from loadtest.sides import Ours, parsed
from loadtest.spread import Spread, growth
from loadtest.workloads import TINY, Task, Workload, right, tiny_case, tiny_py

KB = 1024
MB = 1024 * KB
MOST_GROWTH = 1.15  # above this a cost grows faster than its input
LINES = "# {number:06d} a line of a comment that makes a program long but does nothing to it at all\n"
PRINTS = """\
import sys

size = int(input())
line = "{index} " + "x" * 50 + "\\n"
text = line * (size // len(line) + 1)
sys.stdout.write(text[:size])
"""
# A size counts from this many times the cheapest request on: below, what every request costs hides how it grows.
SMALLEST_SHARE = 4

Make = Callable[[int, int, str], Request]


@dataclass(slots=True)
class Point:
    """Seconds a request of one size took, round by round."""

    size: int
    seconds: list[float] = field(default_factory=list)

    @property
    def spread(self) -> Spread:
        return Spread.of(self.seconds)


@dataclass(slots=True)
class Series:
    """One thing that is swept: `make(size, index, host)` is its request."""

    name: str
    unit: str
    item: str
    make: Make
    points: list[Point]

    @property
    def growth(self) -> float:
        """The exponent over the upper sizes, where the input weighs more than what every request costs."""
        upper = [point for point in self.points if point.size > 0 and self._weighs(point)]
        return growth([point.size for point in upper], [point.spread.median for point in upper])

    @property
    def linear(self) -> bool:
        """Flat or linear. With fewer than two sizes that weigh, nothing grows."""
        return not self.growth > MOST_GROWTH

    def _weighs(self, point: Point) -> bool:
        return point.spread.median > SMALLEST_SHARE * min(other.spread.median for other in self.points)


def batch_of(size: int, index: int, host: str) -> Request:
    return _ours([tiny_py(index + place) for place in range(size)], host, size)


def tests_of(size: int, index: int, host: str) -> Request:
    cases = (tiny_case(index, index + test) for test in range(size))
    return _ours([right(TINY.format(index=index), *cases)], host, 1)


def source_of(size: int, index: int, host: str) -> Request:
    task = tiny_py(index)
    lines = (LINES.format(number=number) for number in range(size // len(LINES.format(number=0)) + 1))
    code = task.code + "".join(lines)[: max(0, size - len(task.code))]
    return _ours([Task(code, task.cases, task.verdicts)], host, 1)


def output_of(size: int, index: int, host: str) -> Request:
    def check(answer: Answer) -> Judged:
        result = parsed(answer)
        if result["status"] != "ok" or len(result["stdout"]) != size:
            raise WrongVerdict(f"{result['status']} and {len(result['stdout'])} of {size} characters")
        return Judged(1)

    body = {
        "language": "python",
        "code": PRINTS.format(index=index),
        "stdin": f"{size}\n",
        "limits": {"output_kb": 96 * KB, "memory_mb": 1024},
    }
    return post(host, "/execute", [orjson.dumps(body)], check)


def _ours(tasks: Sequence[Task], host: str, batch: int) -> Request:
    workload = Workload("sweep", tiny_py, batch=batch)
    return next(Ours(host).requests(iter(tasks), workload))


def input_series() -> list[Series]:
    def points(*sizes: int) -> list[Point]:
        return [Point(size) for size in sizes]

    return [
        Series("batch size", "programs a batch", "program", batch_of, points(1, 10, 100, 1_000, 10_000)),
        Series("tests per program", "tests", "test", tests_of, points(1, 10, 100, 1_000)),
        Series("source size", "bytes of source", "byte", source_of, points(KB, 8 * KB, 64 * KB, 256 * KB, MB)),
        Series("output size", "bytes of output", "byte", output_of, points(0, 64 * KB, MB, 8 * MB, 32 * MB, 64 * MB)),
    ]


def measure(series: Sequence[Series], url: str, rounds: int, say: Callable[[str], None]) -> None:
    """Fill the points. Raises WrongVerdict or Unanswered."""
    for number in range(rounds):
        for one in series:
            for point in one.points:
                request = one.make(point.size, Sample.fresh_index(), urlsplit(url).netloc)
                took = Drive(url, iter([request]), 1, 1.0).run(whole=True).elapsed_s
                point.seconds.append(took)
                say(f"round {number + 1}/{rounds}  {one.name:<18} {point.size:>10,}  {took * 1000:10.1f} ms")


def show(series: Sequence[Series], console: Console) -> None:
    table = Table("what", "size", "ms a request", "us an item", title="cost against input; medians (p10-p90)")
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
            "too little of it to see it grow" if math.isnan(one.growth) else f"size to the power of {one.growth:.2f}"
        )
        console.print(f"{one.name}: {outcome}, {power}")


def as_json(series: Sequence[Series]) -> list[dict[str, Any]]:
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
