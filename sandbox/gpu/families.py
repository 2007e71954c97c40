"""Easy stdin/stdout tasks made by procedure: what a small model can learn to program, for proofs and tests of training.

A task reads integers, keeps some, changes each, and prints one thing about them. Its parts come from small tables, so
there are thousands of tasks, each with a statement, a reference solution and tests made by running the same rules here.
Tasks are told apart by their parts: the held-out ones combine parts in ways that no training task does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sandbox.schema import TestCase
from sandbox.schema.gpu import Message, RlTask, SftRow

TESTS = 5
HELD_OUT_SHARE = 0.2
_SPLIT_SEED = 20_26


@dataclass(frozen=True, slots=True)
class Part:
    """One piece of a task: what the statement says, what a program does, and the rule itself. `{k}` is a number."""

    words: str
    code: str
    rule: Callable[[Sequence[int], int], Sequence[int]]


# Names are one letter, as short programs have them: a holds the numbers.
READINGS = (
    (
        "The first line holds n, the second line holds n integers.",
        "n = int(input())\na = list(map(int, input().split()))",
        True,
    ),
    ("The only line holds integers.", "a = list(map(int, input().split()))", False),
)
FILTERS = (
    Part("", "", lambda a, k: a),
    Part("Keep only the even ones.", "a = [x for x in a if x % 2 == 0]", lambda a, k: [x for x in a if x % 2 == 0]),
    Part("Keep only the odd ones.", "a = [x for x in a if x % 2 != 0]", lambda a, k: [x for x in a if x % 2 != 0]),
    Part("Keep only those greater than {k}.", "a = [x for x in a if x > {k}]", lambda a, k: [x for x in a if x > k]),
    Part("Keep only those less than {k}.", "a = [x for x in a if x < {k}]", lambda a, k: [x for x in a if x < k]),
    Part("Keep only the positive ones.", "a = [x for x in a if x > 0]", lambda a, k: [x for x in a if x > 0]),
    Part("Drop the first one.", "a = a[1:]", lambda a, k: a[1:]),
    Part("Keep every second one, beginning with the first.", "a = a[::2]", lambda a, k: a[::2]),
)
CHANGES = (
    Part("", "", lambda a, k: a),
    Part("Square each.", "a = [x * x for x in a]", lambda a, k: [x * x for x in a]),
    Part("Add {k} to each.", "a = [x + {k} for x in a]", lambda a, k: [x + k for x in a]),
    Part("Multiply each by {k}.", "a = [x * {k} for x in a]", lambda a, k: [x * k for x in a]),
    Part("Subtract {k} from each.", "a = [x - {k} for x in a]", lambda a, k: [x - k for x in a]),
    Part("Take the absolute value of each.", "a = [abs(x) for x in a]", lambda a, k: [abs(x) for x in a]),
    Part("Negate each.", "a = [-x for x in a]", lambda a, k: [-x for x in a]),
    Part("Replace each by its remainder modulo {k}.", "a = [x % {k} for x in a]", lambda a, k: [x % k for x in a]),
)
ENDINGS = (
    Part("Print their sum.", "print(sum(a))", lambda a, k: [sum(a)]),
    Part("Print how many there are.", "print(len(a))", lambda a, k: [len(a)]),
    Part("Print the largest, or 0 if there is none.", "print(max(a, default=0))", lambda a, k: [max(a, default=0)]),
    Part("Print the smallest, or 0 if there is none.", "print(min(a, default=0))", lambda a, k: [min(a, default=0)]),
    Part("Print them in ascending order.", "print(*sorted(a))", lambda a, k: sorted(a)),
    Part("Print them in descending order.", "print(*sorted(a, reverse=True))", lambda a, k: sorted(a, reverse=True)),
    Part("Print them in reverse order.", "print(*a[::-1])", lambda a, k: a[::-1]),
    Part("Print the number of different ones.", "print(len(set(a)))", lambda a, k: [len(set(a))]),
)
ADVICE = "Write a Python program that reads standard input and prints the answer.\n"
PREAMBLE = "Read integers from standard input."


@dataclass(frozen=True, slots=True)
class FamilyTask:
    """One task: its name tells its parts, and tasks of the same parts differ in their number `k` and their tests."""

    name: str
    statement: str
    solution: str
    tests: tuple[TestCase, ...]

    def rl_task(self) -> RlTask:
        return RlTask(name=self.name, prompt=ADVICE + self.statement, tests=list(self.tests))

    def sft_row(self) -> SftRow:
        return SftRow(
            messages=[
                Message(role="user", content=ADVICE + self.statement),
                Message(role="assistant", content=f"```python\n{self.solution}\n```"),
            ]
        )


Parts = tuple[int, int, int, int]


def combinations(held_out: bool) -> list[Parts]:
    """The ways to combine parts of one split, always the same, in an order without meaning."""
    every = [
        (reading, keep, change, ending)
        for reading in range(len(READINGS))
        for keep in range(len(FILTERS))
        for change in range(len(CHANGES))
        for ending in range(len(ENDINGS))
    ]
    random.Random(_SPLIT_SEED).shuffle(every)
    cut = int(len(every) * HELD_OUT_SHARE)
    return every[:cut] if held_out else every[cut:]


def make(number: int, seed: int, held_out: bool = False, tests: int = TESTS) -> list[FamilyTask]:
    """`number` tasks of a split. The same arguments give the same tasks; no combination of parts is in both splits."""
    rng = random.Random(f"{seed}/{held_out}")
    ways = combinations(held_out)
    rng.shuffle(ways)
    return [_task(ways[index % len(ways)], rng, tests) for index in range(number)]


def mislabel(tasks: Sequence[FamilyTask], share: float, seed: int) -> list[FamilyTask]:
    """The same tasks with that share of their tests' labels deliberately wrong: each takes another test's answer."""
    rng = random.Random(seed)
    return [
        FamilyTask(
            task.name,
            task.statement,
            task.solution,
            tuple(_wrong(task, index, rng, share) for index in range(len(task.tests))),
        )
        for task in tasks
    ]


def _wrong(task: FamilyTask, index: int, rng: random.Random, share: float) -> TestCase:
    test = task.tests[index]
    if rng.random() >= share:
        return test
    others = [other.expected for other in task.tests if other.expected != test.expected]
    return test.model_copy(update={"expected": rng.choice(others) if others else test.expected + "0\n"})


def _task(parts: Parts, rng: random.Random, tests: int) -> FamilyTask:
    words, reading, counted = READINGS[parts[0]]
    keep, change, ending = FILTERS[parts[1]], CHANGES[parts[2]], ENDINGS[parts[3]]
    k = rng.randint(2, 9)
    said = [PREAMBLE, words, keep.words, change.words, ending.words]
    code = [reading, keep.code, change.code, ending.code]
    return FamilyTask(
        name="-".join(map(str, parts)),
        statement=" ".join(filter(None, said)).replace("{k}", str(k)),
        solution="\n".join(filter(None, code)).replace("{k}", str(k)),
        tests=tuple(_test(rng, counted, [keep, change, ending], k) for _ in range(tests)),
    )


def _test(rng: random.Random, counted: bool, parts: Sequence[Part], k: int) -> TestCase:
    given = [rng.randint(-20, 20) for _ in range(rng.randint(3, 9))]
    result: Sequence[int] = given
    for part in parts:
        result = part.rule(result, k)
    line = " ".join(map(str, given)) + "\n"
    return TestCase(
        stdin=f"{len(given)}\n{line}" if counted else line,
        expected=" ".join(map(str, result)) + "\n",
    )
