"""Generate easy stdin/stdout tasks that a small model can learn, to demonstrate and test training.

A task reads integers, filters them, transforms each, and prints one result. Its parts come from small tables, which
gives thousands of tasks, each with a statement, a reference solution and tests computed by the same rules. The held-out
tasks combine parts in ways that no training task does.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sandbox.schema import TestCase
from sandbox.schema.gpu import Message, RlTask, SftRow

TESTS_PER_TASK = 5
HELD_OUT_SHARE = 0.2
_SPLIT_SEED = 20_26


@dataclass(frozen=True, slots=True)
class TaskPart:
    """One part of a task: a sentence of the statement, code, and the rule itself. `{k}` stands for a number."""

    statement: str
    code: str
    rule: Callable[[Sequence[int], int], Sequence[int]]


# Variable names are one letter, as in short programs: a holds the numbers.
INPUT_FORMATS = (
    (
        "The first line holds n, the second line holds n integers.",
        "n = int(input())\na = list(map(int, input().split()))",
        True,
    ),
    ("The only line holds integers.", "a = list(map(int, input().split()))", False),
)
FILTERS = (
    TaskPart("", "", lambda a, k: a),
    TaskPart("Keep only the even ones.", "a = [x for x in a if x % 2 == 0]", lambda a, k: [x for x in a if x % 2 == 0]),
    TaskPart("Keep only the odd ones.", "a = [x for x in a if x % 2 != 0]", lambda a, k: [x for x in a if x % 2 != 0]),
    TaskPart(
        "Keep only those greater than {k}.", "a = [x for x in a if x > {k}]", lambda a, k: [x for x in a if x > k]
    ),
    TaskPart("Keep only those less than {k}.", "a = [x for x in a if x < {k}]", lambda a, k: [x for x in a if x < k]),
    TaskPart("Keep only the positive ones.", "a = [x for x in a if x > 0]", lambda a, k: [x for x in a if x > 0]),
    TaskPart("Drop the first one.", "a = a[1:]", lambda a, k: a[1:]),
    TaskPart("Keep every second one, beginning with the first.", "a = a[::2]", lambda a, k: a[::2]),
)
TRANSFORMS = (
    TaskPart("", "", lambda a, k: a),
    TaskPart("Square each.", "a = [x * x for x in a]", lambda a, k: [x * x for x in a]),
    TaskPart("Add {k} to each.", "a = [x + {k} for x in a]", lambda a, k: [x + k for x in a]),
    TaskPart("Multiply each by {k}.", "a = [x * {k} for x in a]", lambda a, k: [x * k for x in a]),
    TaskPart("Subtract {k} from each.", "a = [x - {k} for x in a]", lambda a, k: [x - k for x in a]),
    TaskPart("Take the absolute value of each.", "a = [abs(x) for x in a]", lambda a, k: [abs(x) for x in a]),
    TaskPart("Negate each.", "a = [-x for x in a]", lambda a, k: [-x for x in a]),
    TaskPart("Replace each by its remainder modulo {k}.", "a = [x % {k} for x in a]", lambda a, k: [x % k for x in a]),
)
OUTPUTS = (
    TaskPart("Print their sum.", "print(sum(a))", lambda a, k: [sum(a)]),
    TaskPart("Print how many there are.", "print(len(a))", lambda a, k: [len(a)]),
    TaskPart("Print the largest, or 0 if there is none.", "print(max(a, default=0))", lambda a, k: [max(a, default=0)]),
    TaskPart(
        "Print the smallest, or 0 if there is none.", "print(min(a, default=0))", lambda a, k: [min(a, default=0)]
    ),
    TaskPart("Print them in ascending order.", "print(*sorted(a))", lambda a, k: sorted(a)),
    TaskPart(
        "Print them in descending order.", "print(*sorted(a, reverse=True))", lambda a, k: sorted(a, reverse=True)
    ),
    TaskPart("Print them in reverse order.", "print(*a[::-1])", lambda a, k: a[::-1]),
    TaskPart("Print the number of different ones.", "print(len(set(a)))", lambda a, k: [len(set(a))]),
)
INSTRUCTION = "Write a Python program that reads standard input and prints the answer.\n"
PREAMBLE = "Read integers from standard input."


@dataclass(frozen=True, slots=True)
class ToyTask:
    """One task. Its name lists its parts; tasks with the same parts differ in `k` and in their tests."""

    name: str
    statement: str
    solution: str
    tests: tuple[TestCase, ...]

    def to_rl_task(self) -> RlTask:
        return RlTask(name=self.name, prompt=INSTRUCTION + self.statement, tests=list(self.tests))

    def to_sft_row(self) -> SftRow:
        return SftRow(
            messages=[
                Message(role="user", content=INSTRUCTION + self.statement),
                Message(role="assistant", content=f"```python\n{self.solution}\n```"),
            ]
        )


PartIndices = tuple[int, int, int, int]


def list_combinations(held_out: bool) -> list[PartIndices]:
    """Return the combinations of parts in a split, in a fixed pseudo-random order."""
    combinations = [
        (reading, keep, change, ending)
        for reading in range(len(INPUT_FORMATS))
        for keep in range(len(FILTERS))
        for change in range(len(TRANSFORMS))
        for ending in range(len(OUTPUTS))
    ]
    random.Random(_SPLIT_SEED).shuffle(combinations)
    cut = int(len(combinations) * HELD_OUT_SHARE)
    return combinations[:cut] if held_out else combinations[cut:]


def generate_tasks(count: int, seed: int, held_out: bool = False, tests: int = TESTS_PER_TASK) -> list[ToyTask]:
    """Return `count` tasks of a split. The same arguments give the same tasks; the splits share no combination."""
    rng = random.Random(f"{seed}/{held_out}")
    ways = list_combinations(held_out)
    rng.shuffle(ways)
    return [_build_task(ways[index % len(ways)], rng, tests) for index in range(count)]


def mislabel(tasks: Sequence[ToyTask], share: float, seed: int) -> list[ToyTask]:
    """Return the tasks with a share of their labels deliberately wrong: each is the answer to another test."""
    rng = random.Random(seed)
    return [
        ToyTask(
            task.name,
            task.statement,
            task.solution,
            tuple(_mislabel_test(task, index, rng, share) for index in range(len(task.tests))),
        )
        for task in tasks
    ]


def _mislabel_test(task: ToyTask, index: int, rng: random.Random, share: float) -> TestCase:
    test = task.tests[index]
    if rng.random() >= share:
        return test
    others = [other.expected for other in task.tests if other.expected != test.expected]
    return test.model_copy(update={"expected": rng.choice(others) if others else test.expected + "0\n"})


def _build_task(parts: PartIndices, rng: random.Random, tests: int) -> ToyTask:
    words, reading, counted = INPUT_FORMATS[parts[0]]
    keep, change, ending = FILTERS[parts[1]], TRANSFORMS[parts[2]], OUTPUTS[parts[3]]
    k = rng.randint(2, 9)
    sentences = [PREAMBLE, words, keep.statement, change.statement, ending.statement]
    code = [reading, keep.code, change.code, ending.code]
    return ToyTask(
        name="-".join(map(str, parts)),
        statement=" ".join(filter(None, sentences)).replace("{k}", str(k)),
        solution="\n".join(filter(None, code)).replace("{k}", str(k)),
        tests=tuple(_build_test(rng, counted, [keep, change, ending], k) for _ in range(tests)),
    )


def _build_test(rng: random.Random, counted: bool, parts: Sequence[TaskPart], k: int) -> TestCase:
    given = [rng.randint(-20, 20) for _ in range(rng.randint(3, 9))]
    result: Sequence[int] = given
    for part in parts:
        result = part.rule(result, k)
    line = " ".join(map(str, given)) + "\n"
    return TestCase(
        stdin=f"{len(given)}\n{line}" if counted else line,
        expected=" ".join(map(str, result)) + "\n",
    )
