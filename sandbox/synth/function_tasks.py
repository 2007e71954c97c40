"""Generate tasks that ask for a Python function, to mix into a training on programs that read standard input.

A model that is trained on one family of tasks only forgets others. These tasks keep the form that most general
benchmarks have: the head of a function with a docstring, and assertions on its result. They are made of small tables of
operations and of no benchmark's problems.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.schema import AssertTest
from sandbox.schema.gpu import Message, RlTask, SftRow

TESTS_PER_TASK = 5
INSTRUCTION = "Answer with the complete program in one ```python code block.\n\nComplete this function:\n\n"
WORDS = ("amber", "birch", "cedar", "delta", "ember", "flint", "grove", "heron", "iris", "juniper", "kelp", "lark")


@dataclass(frozen=True, slots=True)
class Operation:
    """A step on a list. `{k}` stands for a number in its sentence and its code, in which `a` is the list."""

    sentence: str
    code: str
    rule: Callable[[Any, int], Any]


# Every result is a list again, so that steps can follow each other.
NUMBER_STEPS = (
    Operation("multiply each number by {k}", "a = [x * {k} for x in a]", lambda a, k: [x * k for x in a]),
    Operation(
        "replace each number by its distance to {k}",
        "a = [abs(x - {k}) for x in a]",
        lambda a, k: [abs(x - k) for x in a],
    ),
    Operation("move the first {k} numbers to the end", "a = a[{k}:] + a[:{k}]", lambda a, k: a[k:] + a[:k]),
    Operation("limit each number to at most {k}", "a = [min(x, {k}) for x in a]", lambda a, k: [min(x, k) for x in a]),
    Operation(
        "add to each number its position, which begins with {k}",
        "a = [x + i for i, x in enumerate(a, {k})]",
        lambda a, k: [x + i for i, x in enumerate(a, k)],
    ),
    Operation(
        "keep the numbers that {k} does not divide",
        "a = [x for x in a if x % {k}]",
        lambda a, k: [x for x in a if x % k],
    ),
)
NUMBER_ENDS = (
    Operation("the sum of the products of neighbors", "sum(x * y for x, y in zip(a, a[1:]))",
              lambda a, k: sum(x * y for x, y in itertools.pairwise(a))),
    Operation("how many numbers are greater than {k}", "sum(x > {k} for x in a)", lambda a, k: sum(x > k for x in a)),
    Operation("the sum of the first {k} numbers less that of the others", "sum(a[:{k}]) - sum(a[{k}:])",
              lambda a, k: sum(a[:k]) - sum(a[k:])),
    Operation("the numbers in groups of {k}", "[a[i : i + {k}] for i in range(0, len(a), {k})]",
              lambda a, k: [a[i : i + k] for i in range(0, len(a), k)]),
)  # fmt: skip
WORD_STEPS = (
    Operation("drop the words shorter than {k} letters", "a = [w for w in a if len(w) >= {k}]",
              lambda a, k: [w for w in a if len(w) >= k]),
    Operation("cut each word after {k} letters", "a = [w[:{k}] for w in a]", lambda a, k: [w[:k] for w in a]),
    Operation("append its length to each word", "a = [w + str(len(w)) for w in a]",
              lambda a, k: [w + str(len(w)) for w in a]),
    Operation("write every {k}th word in capitals, beginning with the first",
              "a = [w.upper() if i % {k} == 0 else w for i, w in enumerate(a)]",
              lambda a, k: [w.upper() if i % k == 0 else w for i, w in enumerate(a)]),
)  # fmt: skip
WORD_ENDS = (
    Operation("the words in one string, joined by {k} dots", '("." * {k}).join(a)', lambda a, k: ("." * k).join(a)),
    Operation("a dictionary from each word to its position", "{{w: i for i, w in enumerate(a)}}",
              lambda a, k: {w: i for i, w in enumerate(a)}),
    Operation("the number of words with more than {k} letters", "sum(len(w) > {k} for w in a)",
              lambda a, k: sum(len(w) > k for w in a)),
)  # fmt: skip
VERBS = ("compute", "build", "derive", "evaluate", "obtain", "produce")
NOUNS = ("result", "value", "answer", "outcome", "output", "figure")


@dataclass(frozen=True, slots=True)
class FunctionTask:
    """One task: the head of a function, its body, and the assertions that a correct function passes."""

    name: str
    head: str
    body: str
    tests: tuple[AssertTest, ...]

    @property
    def prompt(self) -> str:
        return f"{INSTRUCTION}```python\n{self.head}```"

    def to_rl_task(self) -> RlTask:
        return RlTask(name=self.name, prompt=self.prompt, tests=list(self.tests))

    def to_sft_row(self) -> SftRow:
        answer = f"```python\n{self.head}{self.body}```"
        return SftRow(messages=[Message(role="user", content=self.prompt), Message(role="assistant", content=answer)])


def generate_function_tasks(count: int, seed: int) -> list[FunctionTask]:
    """Return `count` tasks. The same arguments give the same tasks."""
    rng = random.Random(f"{seed}/functions")
    return [_build_task(index, rng) for index in range(count)]


def _build_task(index: int, rng: random.Random) -> FunctionTask:
    on_words = rng.random() < 0.4
    steps, ends = (WORD_STEPS, WORD_ENDS) if on_words else (NUMBER_STEPS, NUMBER_ENDS)
    chosen, end = rng.sample(steps, rng.choice((1, 2))), rng.choice(ends)
    numbers = [rng.randint(2, 6) for _ in range(len(chosen) + 1)]
    inputs = [_draw_input(rng, on_words) for _ in range(TESTS_PER_TASK)]
    results = [_apply(chosen, end, numbers, given) for given in inputs]
    name = f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}"
    sentences = [step.sentence.format(k=k) for step, k in zip(chosen, numbers, strict=False)]
    doc = f"{', then '.join(sentences).capitalize()}. Return {end.sentence.format(k=numbers[-1])}."
    example = f">>> {name}({inputs[0]!r})\n    {results[0]!r}"
    kind = "str" if on_words else "int"
    body = [step.code.format(k=k) for step, k in zip(chosen, numbers, strict=False)]
    return FunctionTask(
        name=f"function-{index}",
        head=f'def {name}(a: list[{kind}]):\n    """{doc}\n\n    {example}\n    """\n',
        body="".join(f"    {line}\n" for line in [*body, f"return {end.code.format(k=numbers[-1])}"]),
        tests=tuple(
            AssertTest(assertion=f"assert {name}({given!r}) == {result!r}")
            for given, result in zip(inputs, results, strict=True)
        ),
    )


def _draw_input(rng: random.Random, on_words: bool) -> list[Any]:
    size = rng.randint(3, 7)
    return rng.sample(WORDS, size) if on_words else [rng.randint(-9, 20) for _ in range(size)]


def _apply(steps: list[Operation], end: Operation, numbers: list[int], given: list[Any]) -> Any:
    value = given
    for step, k in zip(steps, numbers, strict=False):
        value = step.rule(value, k)
    return end.rule(value, numbers[-1])
