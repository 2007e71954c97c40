"""Create programs with a syntax error from correct ones, like a model's output in the first steps of training."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator, Sequence

PIECES: list[str] = [*"()[}':=,\\ \t\n\r\f\x1aé“", '"""', "==", "    "]
WORDS = ["if", "else", "return", "yield", "await", "break", "lambda", "def f(:", "f'{", "1 is 1", "0x", "1_", "*a"]


def generate_broken_programs(sources: Sequence[bytes], number: int, seed: int) -> Iterator[bytes]:
    """Generate `number` programs with a syntax error, each with one to three edits; the same ones for the same seed."""
    chance = random.Random(seed)
    while number:
        try:
            text = chance.choice(sources).decode()
        except UnicodeDecodeError:
            continue
        for _ in range(chance.randint(1, 3)):
            text = _edit(text, chance)
        if not _compiles(text):
            number -= 1
            yield text.encode()


def _edit(text: str, chance: random.Random) -> str:
    start = chance.randrange(len(text) + 1)
    end = min(len(text), start + chance.randint(1, 12))
    how = chance.randrange(5)
    if how == 0:
        return text[:start] + text[end:]
    if how == 1:
        return text[:start] + chance.choice(PIECES) + text[start:]
    if how == 2:
        return text[:start] + " " + chance.choice(WORDS) + " " + text[start:]
    if how == 3:
        return text[:start]
    lines = text.split("\n")
    line = chance.randrange(len(lines))
    return "\n".join([*lines[:line], " " * chance.randint(1, 5) + lines[line], *lines[line + 1 :]])


def _compiles(text: str) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compile(text.encode(), "main.py", "exec", dont_inherit=True)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return False
    return True
