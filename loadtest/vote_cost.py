"""The CPU time of a vote that generates and validates its inputs, compared with a plain vote of the same matrix.

Both votes run the same 16 candidates on the same 64 inputs. The plain vote gets the inputs with its request; the other
one runs a generator for each input, and a validator on each and on probes. The candidates do little, so that the extra
runs weigh as much as they can. Rounds alternate, and the order within a round, too. What is compared is the CPU time of
all processes of the service and of the boxes, because elapsed time depends on what else the machine does.

`python -m loadtest.vote_cost` prints a table and writes `results/vote_cost.json`. The exit code is 1 if the ratio of
the medians is above the goal.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from loadtest.load_generator import MeasurementFailed
from loadtest.temporary_service import CpuMeter, TemporaryService
from sandbox.client import Client
from sandbox.schema.vote import Candidate, VoteRequest, VoteResult
from sandbox.schema.vote_inputs import SizeSweep, ValidatorProbe, VoteGenerator, VoteInput, VoteValidator
from sandbox.schema.vote_policy import VotePolicy

CANDIDATES, SIZES, SEEDS = 16, 8, 8
INPUTS = SIZES * SEEDS
GOAL = 1.3
SETTLE_S = 0.5  # boxes are cleaned after the answer
GENERATOR = """\
import random, sys
size, seed = map(int, sys.argv[1:])
rng = random.Random(size * 1000 + seed)
print(size)
print(*(rng.randint(-10**9, 10**9) for _ in range(size)))
"""
VALIDATOR = """\
import sys
first, second, end = sys.stdin.read().split("\\n")
numbers = list(map(int, second.split()))
assert int(first) == len(numbers) and end == ""
assert 1 <= len(numbers) <= 1000 and all(abs(number) <= 10**9 for number in numbers)
"""
RIGHT = "input()\nprint(sum(map(int, input().split())))  # {}"
WRONG = "input()\nprint(sum(abs(int(word)) for word in input().split()))  # {}"


@dataclass(frozen=True, slots=True)
class Round:
    """The CPU seconds of one vote of each kind, by kind of process."""

    plain: dict[str, float]
    generated: dict[str, float]

    @property
    def ratio(self) -> float:
        return sum(self.generated.values()) / sum(self.plain.values())


@dataclass(slots=True)
class VoteCost:
    """All rounds of a run."""

    rounds: list[Round] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """The median of the generated vote's CPU time over that of the plain vote."""
        return total(self.rounds, "generated") / total(self.rounds, "plain")

    @property
    def missed(self) -> bool:
        return self.ratio > GOAL

    def to_json(self) -> dict[str, Any]:
        return {
            "candidates": CANDIDATES,
            "inputs": INPUTS,
            "unit": "CPU seconds",
            "ratio_of_medians": round(self.ratio, 3),
            "goal": GOAL,
            "rounds": [asdict(each) | {"ratio": round(each.ratio, 3)} for each in self.rounds],
        }


def total(rounds: Sequence[Round], kind: str) -> float:
    """Return the median of the CPU seconds of one kind of vote, all processes together."""
    return float(statistics.median(sum(getattr(each, kind).values()) for each in rounds))


def measure(rounds: int, report: Callable[[str], None]) -> VoteCost:
    """Vote in turns on a service with one slot. Raises MeasurementFailed if a vote fails or gives other labels."""
    cost = VoteCost()
    with TemporaryService(1) as service, Client(service.url) as client:
        generated = build_generated_vote()
        first = vote(client, generated.model_copy(update={"return_inputs": True}))
        plain = build_plain_vote([each.stdin or "" for each in first.inputs])
        check_same(first, vote(client, plain))
        for number in range(rounds):
            kinds = {"plain": plain, "generated": generated}
            order = sorted(kinds, reverse=number % 2 == 1)
            used = {kind: measure_cpu_s(service.meter, client, kinds[kind]) for kind in order}
            cost.rounds.append(Round(**used))
            report(f"round {number + 1} of {rounds}: {cost.rounds[-1].ratio:.3f}")
    return cost


def build_generated_vote() -> VoteRequest:
    return VoteRequest(
        candidates=list_candidates(),
        generators=[
            VoteGenerator(
                language="python",
                code=GENERATOR,
                seeds=list(range(SEEDS)),
                sizes=SizeSweep(smallest=4, largest=512, count=SIZES),
            )
        ],
        validators=[VoteValidator(language="python", code=VALIDATOR)],
        probes=[
            ValidatorProbe(input=VoteInput(stdin="1\n5\n"), valid=True),
            ValidatorProbe(input=VoteInput(stdin="2\n5\n"), valid=False),
        ],
        policy=VotePolicy(golden_tie="first"),
    )


def build_plain_vote(stdins: Sequence[str]) -> VoteRequest:
    return VoteRequest(
        candidates=list_candidates(),
        inputs=[VoteInput(stdin=stdin) for stdin in stdins],
        policy=VotePolicy(golden_tie="first"),
    )


def list_candidates() -> list[Candidate]:
    codes = [(WRONG if number % 4 == 3 else RIGHT).format(number) for number in range(CANDIDATES)]
    return [Candidate(language="python", code=code) for code in codes]


def vote(client: Client, request: VoteRequest) -> VoteResult:
    result = client.vote(request)
    if result.internal_errors or len(result.labels) != INPUTS:
        raise MeasurementFailed(f"a vote has {len(result.labels)} labels and {result.internal_errors} errors")
    return result


def check_same(one: VoteResult, other: VoteResult) -> None:
    if [label.expected for label in one.labels] != [label.expected for label in other.labels]:
        raise MeasurementFailed("the two votes have different labels")


def measure_cpu_s(meter: CpuMeter, client: Client, request: VoteRequest) -> dict[str, float]:
    """Vote, and return the CPU seconds by kind of process."""
    before = meter.read()
    vote(client, request)
    time.sleep(SETTLE_S)
    after = meter.read()
    return {kind: round(after[kind] - before[kind], 3) for kind in after}


def show(cost: VoteCost, console: Console) -> None:
    table = Table(title=f"CPU of a vote of {CANDIDATES} candidates x {INPUTS} inputs, median of {len(cost.rounds)}")
    for name in ("vote", "all", *cost.rounds[0].plain):
        table.add_column(name, justify="right")
    for kind in ("plain", "generated"):
        rows = [getattr(each, kind) for each in cost.rounds]
        parts = [statistics.median(row[name] for row in rows) for name in rows[0]]
        table.add_row(kind, f"{total(cost.rounds, kind):.2f} s", *(f"{part:.2f} s" for part in parts))
    console.print(table)
    ratios = sorted(each.ratio for each in cost.rounds)
    console.print(f"ratio of medians {cost.ratio:.3f} (rounds {ratios[0]:.3f} to {ratios[-1]:.3f}); goal {GOAL}")


def main() -> int:
    """Measure, and return 1 if the goal is missed."""
    parser = argparse.ArgumentParser(prog="python -m loadtest.vote_cost", description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", metavar="DIR")
    options = parser.parse_args()
    console = Console(width=120, highlight=False)
    cost = measure(options.rounds, console.print)
    show(cost, console)
    (options.out / "vote_cost.json").write_text(json.dumps(cost.to_json(), indent=1) + "\n", encoding="utf-8")
    return int(cost.missed)


if __name__ == "__main__":
    sys.exit(main())
