"""The assert tests of `asserts/*.txt`, and the programs that they test.

A file is a list of cases. A case begins with `=== name` and its program. `--- wrong: old => new` is that program with
one text replaced, where ⏎ represents a line end; without a rule, a whole program follows. `--- test` begins a test, and
may name the entry point.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "asserts"


class Case(NamedTuple):
    """A program, wrong versions of it, and tests: the entry point of each, or an empty string, and its source."""

    name: str
    program: str
    wrong: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]


def load_cases() -> list[Case]:
    return [
        _parse_case(f"{path.stem}: {name.strip()}", body)
        for path in sorted(FOLDER.glob("*.txt"))
        for name, _, body in (text.partition("\n") for text in _split(path.read_text(), "=== ")[1:])
    ]


def _split(text: str, mark: str) -> list[str]:
    """Return the parts of a text between lines that begin with a mark, each without the mark."""
    return f"\n{text}".split(f"\n{mark}")


def _parse_case(name: str, body: str) -> Case:
    program, *parts = _split(body, "--- ")
    program = program.removeprefix("\n") + "\n"
    wrong, tests = [], []
    for part in parts:
        head, _, text = part.partition("\n")
        if head.startswith("wrong"):
            wrong.append(_apply_rule(program, head.removeprefix("wrong").lstrip(":").strip(), text + "\n"))
        else:
            tests.append((head.removeprefix("test").strip(), text + "\n"))
    return Case(name, program, tuple(wrong), tuple(tests))


def _apply_rule(program: str, rule: str, text: str) -> str:
    if not rule:
        return text
    old, new = rule.replace("⏎", "\n").split(" => ")
    assert old in program, f"nothing to replace: {rule}"
    return program.replace(old, new)
