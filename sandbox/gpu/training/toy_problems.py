"""Toy tasks as problems with programs, to measure votes on them.

A toy task has only its reference. Here it gets what a problem package has: other right programs; programs that misread
one sentence of the statement, or have a classic bug; a slow program that finds each number by walking from the start;
an input validator; and small, large and invalid inputs. All answers follow from the rules of the task's parts.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from sandbox.gpu.training.toy_tasks import (
    FILTERS,
    INPUT_FORMATS,
    OUTPUTS,
    PREAMBLE,
    TRANSFORMS,
    PartIndices,
    list_combinations,
)
from sandbox.problems.problem import FAILURES, OUTCOMES, InputValidator, Problem, ProblemTest, Protocol, Submission
from sandbox.runner.contract import Verdict
from sandbox.schema import TestCase
from sandbox.schema.wire import LimitsRequest
from sandbox.verify.input_generation import sweep_sizes

MAX_NUMBERS, MAX_VALUE = 20_000, 20
CPU_TIME_S = 1.0
SMALL_SIZES = (1, 2, 3, 4, 5, 6)
SWEEP = sweep_sizes(8, MAX_NUMBERS, 6)
# The code of each part, by its sentence, as someone writes it who misreads the sentence or makes a classic mistake.
MISREADINGS = {
    "Keep only those greater than {k}.": "a = [x for x in a if x >= {k}]",
    "Keep only those less than {k}.": "a = [x for x in a if x <= {k}]",
    "Keep only the even ones.": "a = a[1::2]",
    "Keep only the odd ones.": "a = [x for x in a if x > 0 and x % 2]",
    "Keep only the positive ones.": "a = [x for x in a if x >= 0]",
    "Drop the first one.": "a = a[:-1]",
    "Keep every second one, beginning with the first.": "a = a[1::2]",
    "Square each.": "a = [x * 2 for x in a]",
    "Add {k} to each.": "a = a + [{k}]",
    "Replace each by its remainder modulo {k}.": "a = [abs(x) % {k} if x > 0 else -(abs(x) % {k}) for x in a]",
    "Print their sum.": "print(sum(x for x in a if x > 0))",
    "Print the largest, or 0 if there is none.": "print(max([0, *a]))",
    "Print the smallest, or 0 if there is none.": "print(min([0, *a]))",
    "Print them in ascending order.": "print(*sorted(a, key=str))",
    "Print them in descending order.": "print(*sorted(set(a), reverse=True))",
    "Print the number of different ones.": "print(len({abs(x) for x in a}))",
}
_RIGHT, _SLOW = frozenset({Verdict.ACCEPTED}), frozenset({Verdict.TIME_LIMIT_EXCEEDED})
_FIXED_ARRAY = "a = a[:1000]"
_WALK = """\
def walk(a, place):
    for at, x in enumerate(a):
        if at == place:
            return x
a = [walk(a, place) for place in range(len(a))]"""
_VALIDATOR = """\
import sys
lines = sys.stdin.read().split("\\n")
assert len(lines) == {lines} and lines[-1] == "", "wrong number of lines"
words = lines[-2].split(" ")
numbers = [int(word) for word in words]
assert [str(number) for number in numbers] == words, "a number has another form"
assert 1 <= len(numbers) <= {most} and all(abs(number) <= {limit} for number in numbers), "out of range"
assert {lines} == 2 or lines[0] == str(len(numbers)), "n is not the count of the numbers"
sys.exit(42)
"""


def generate_problems(count: int, seed: int) -> list[Problem]:
    """Return `count` problems with different parts. The same arguments give the same problems."""
    rng = random.Random(f"{seed}/problems")
    ways = list_combinations(held_out=False)
    rng.shuffle(ways)
    return [_Writer(parts, rng.randint(2, 9), random.Random(f"{seed}/{parts}")).write() for parts in ways[:count]]


class _Writer:
    """Writes the problem of one combination of parts."""

    def __init__(self, parts: PartIndices, k: int, rng: random.Random) -> None:
        self._name = "toy-" + "-".join(map(str, parts))
        self._words, self._reading, self._counted = INPUT_FORMATS[parts[0]]
        self._parts = (FILTERS[parts[1]], TRANSFORMS[parts[2]], OUTPUTS[parts[3]])
        self._k = k
        self._rng = rng

    def write(self) -> Problem:
        sentences = [PREAMBLE, self._words, *(part.statement for part in self._parts)]
        tests = [self._build_test(self._draw(size)) for size in (*SMALL_SIZES, *SWEEP)]
        tests.insert(1, self._build_test([-MAX_VALUE, 0, MAX_VALUE, -1]))
        tests.insert(2, self._build_test([7, 7, -3, -3, 7]))
        return Problem(
            name=self._name,
            format="toy",
            statement=" ".join(filter(None, sentences)).replace("{k}", str(self._k)),
            tests=_name_tests(tests),
            limits=LimitsRequest(cpu_time_s=CPU_TIME_S),
            submissions=tuple(self._list_submissions()),
            input_validators=(self._build_validator(),),
            invalid_inputs=_name_tests([TestCase(stdin=stdin, expected="") for stdin in self._list_invalid()]),
        )

    def _list_submissions(self) -> Iterator[Submission]:
        codes = [part.code for part in self._parts]
        at_once = "import sys\na = list(map(int, sys.stdin.read().split()))" + "\na = a[1:]" * self._counted
        yield self._submit("reference", _RIGHT, self._reading, codes, is_reference=True)
        yield self._submit("reads all at once", _RIGHT, at_once, codes)
        yield self._submit("copies the numbers", _RIGHT, f"{self._reading}\na = [x for x in a]", codes)
        yield self._submit("walks", _SLOW, f"{self._reading}\n{_WALK}", codes)
        yield self._submit("fixed array", FAILURES, f"{self._reading}\n{_FIXED_ARRAY}", codes)
        for place, part in enumerate(self._parts):
            changes = {"misreads": MISREADINGS.get(part.statement), "forgets": "" if part.code and place < 2 else None}
            for name, code in changes.items():
                if code is not None:
                    other = [*codes[:place], code, *codes[place + 1 :]]
                    yield self._submit(f"{name} part {place}", FAILURES, self._reading, other)

    def _submit(
        self, name: str, required: frozenset[Verdict], reading: str, codes: Sequence[str], *, is_reference: bool = False
    ) -> Submission:
        return Submission(
            name=name,
            language="python",
            code="\n".join(filter(None, [reading, *codes])).replace("{k}", str(self._k)) + "\n",
            permitted=_RIGHT if required == _RIGHT else OUTCOMES,
            required=required,
            is_reference=is_reference,
        )

    def _build_validator(self) -> InputValidator:
        values = {"{lines}": 2 + self._counted, "{most}": MAX_NUMBERS, "{limit}": MAX_VALUE}
        code = _VALIDATOR
        for field, value in values.items():
            code = code.replace(field, str(value))
        return InputValidator(name="validator", language="python", code=code, protocol=Protocol.KATTIS)

    def _draw(self, size: int) -> list[int]:
        return [self._rng.randint(-MAX_VALUE, MAX_VALUE) for _ in range(size)]

    def _build_test(self, given: Sequence[int]) -> TestCase:
        result: Sequence[int] = given
        for part in self._parts:
            result = part.rule(result, self._k)
        return TestCase(stdin=self._print(len(given), given), expected=" ".join(map(str, result)) + "\n")

    def _list_invalid(self) -> list[str]:
        small = self._draw(5)
        wrong_count = [self._print(len(small) + 1, small)] if self._counted else []
        return [self._print(5, [*small[:4], MAX_VALUE + 1]), self._print(0, []), *wrong_count]

    def _print(self, count: int, given: Sequence[int]) -> str:
        line = " ".join(map(str, given)) + "\n"
        return f"{count}\n{line}" if self._counted else line


def _name_tests(tests: Sequence[TestCase]) -> tuple[ProblemTest, ...]:
    return tuple(ProblemTest(name=f"{number:02}", test=test) for number, test in enumerate(tests, start=1))
