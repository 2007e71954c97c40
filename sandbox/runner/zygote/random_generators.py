"""Reseed the random number generators of a warm interpreter in each program forked from it.

`random` and libraries such as numpy and sympy seed a generator when they are imported. With `python3 main.py`, each run
imports them again, so two runs draw different numbers. Programs forked from one interpreter would all draw the same
numbers. The hooks of `os.fork` reseed only `random`, and the zygote does not call them because they take 0.85 ms.
"""

from __future__ import annotations

import _random
import gc
import random
import sys
from collections.abc import Callable
from typing import Any


def build_reseeder() -> Callable[[], object]:
    """Return a function that reseeds every existing generator from system entropy. Call it in a child."""
    seeds = [seed for item in gc.get_objects() if (seed := _build_seeder(item)) is not None]
    if len(seeds) == 1:
        return seeds[0]

    def reseed() -> None:
        for seed in seeds:
            seed()

    return reseed


def _build_seeder(item: Any) -> Callable[[], object] | None:
    kind = type(item)
    if issubclass(kind, random.Random) and not issubclass(kind, random.SystemRandom):
        # Generators start without a stored Gaussian value, so calling the C method is enough. A Python function that
        # passes it a seed would read less entropy, but run longer in a child, which copies the pages of its objects.
        return _random.Random.seed.__get__(item)  # type: ignore[no-any-return]
    numpy = sys.modules.get("numpy.random")
    if numpy is None:
        return None
    if issubclass(kind, numpy.RandomState):
        return item.seed  # type: ignore[no-any-return]
    if issubclass(kind, numpy.Generator):
        return lambda: setattr(item.bit_generator, "state", type(item.bit_generator)().state)
    return None
