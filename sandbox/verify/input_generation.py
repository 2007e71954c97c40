"""Plan the runs of input generators: argument lists, seeds, and sizes from small to the largest.

Theory of operation. A generator runs once for each combination of argument list, seed and size, in this order of
nesting: arguments, then sizes, then seeds. `{size}` and `{seed}` in an argument are replaced. A size or a seed that no
argument mentions is appended, first the size, then the seed, so a plain generator reads them as its last arguments.

A sweep of sizes is geometric, because programs of different growth differ by factors and not by differences. It always
contains both ends. Tests of only small inputs cannot tell a slow program from a fast one (HardTests, arXiv 2505.24098).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

SIZE_FIELD, SEED_FIELD = "{size}", "{seed}"


@dataclass(frozen=True, slots=True)
class GeneratorRun:
    """One run of a generator, which is the provenance of the input that it prints. `arguments` are complete."""

    generator: int
    arguments: tuple[str, ...]
    seed: int | None = None
    size: int | None = None


def sweep_sizes(smallest: int, largest: int, count: int) -> list[int]:
    """Return at most `count` distinct sizes, rising by about the same factor from `smallest` to `largest`.

    `smallest` is at least 0, and `count` at least 2. A sweep that starts at 0 continues from 1.
    """
    start = max(smallest, 1)
    steps = count - 1 - (smallest < 1)
    ratio = max(largest, 1) / start
    inner = [round(start * ratio ** (step / steps)) for step in range(steps)]
    return sorted({min(size, largest) for size in (smallest, *inner, largest)})


def plan_runs(
    generator: int, argument_lists: Sequence[Sequence[str]], seeds: Sequence[int], sizes: Sequence[int]
) -> list[GeneratorRun]:
    """Return all runs of one generator. No argument lists, seeds or sizes mean one run without them."""
    all_sizes: Sequence[int | None] = sizes or (None,)
    all_seeds: Sequence[int | None] = seeds or (None,)
    return [
        GeneratorRun(generator, _fill(arguments, size, seed), seed, size)
        for arguments, size, seed in product(argument_lists or [()], all_sizes, all_seeds)
    ]


def _fill(arguments: Sequence[str], size: int | None, seed: int | None) -> tuple[str, ...]:
    filled = list(arguments)
    for field, value in ((SIZE_FIELD, size), (SEED_FIELD, seed)):
        if value is None:
            continue
        if any(field in argument for argument in arguments):
            filled = [argument.replace(field, str(value)) for argument in filled]
        else:
            filled.append(str(value))
    return tuple(filled)
