"""Make mutants of a Python program: apply one mutation operator at one place. The same seed gives the same mutants.

The operators take turns, so even a few mutants have changes of many kinds. The order of an operator's places depends
only on the program and the seed.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from sandbox.verify.mutants.arithmetic import replace_arithmetic
from sandbox.verify.mutants.boolean import change_boolean
from sandbox.verify.mutants.boundary import move_boundary
from sandbox.verify.mutants.change import Operator
from sandbox.verify.mutants.comparison import replace_comparison
from sandbox.verify.mutants.constants import change_constant
from sandbox.verify.mutants.early_exit import exit_early
from sandbox.verify.mutants.initial_values import change_initial_value
from sandbox.verify.mutants.negation import negate_condition
from sandbox.verify.mutants.range_bounds import shift_range
from sandbox.verify.mutants.removed_statements import remove_statement
from sandbox.verify.mutants.swapped_arguments import swap_arguments

# The parser takes about a hundred times the size of a hostile source in memory.
MAX_MUTATED_CHARS = 1 << 16
MAX_SHOWN_CHARS = 80

OPERATORS: dict[str, Operator] = {
    "arithmetic": replace_arithmetic,
    "boolean": change_boolean,
    "boundary": move_boundary,
    "comparison": replace_comparison,
    "constant": change_constant,
    "early_exit": exit_early,
    "initial_value": change_initial_value,
    "negated_condition": negate_condition,
    "range": shift_range,
    "removed_statement": remove_statement,
    "swapped_arguments": swap_arguments,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """A program with one change at `line` of the original. `before` and `after` show the changed part."""

    operator: str
    line: int
    before: str
    after: str
    code: str


@dataclass(frozen=True, slots=True)
class _Place:
    """A node and its location: a field of its parent, and a position if the field is a list."""

    parent: ast.AST
    field: str
    position: int | None
    node: ast.AST
    line: int

    def put(self, node: ast.AST) -> None:
        if self.position is None:
            setattr(self.parent, self.field, node)
        else:
            getattr(self.parent, self.field)[self.position] = node


def make_mutants(code: str, count: int, seed: int = 0, operators: Sequence[str] = ()) -> list[Mutant]:
    """Return up to `count` mutants of a Python program, all different; `operators` limits them to some, by name.

    Raises ValueError if the program is too long or cannot be parsed.
    """
    tree = _parse(code)
    names = [name for name in OPERATORS if not operators or name in operators]
    try:
        seen = {ast.unparse(tree)}
        places = list(_find_places(tree, 1))
        changes = [_list_changes(name, places, seed) for name in names]
        found: list[Mutant] = []
        for name, place, changed in _take_turns(names, changes):
            if len(found) == count:
                break
            mutated = _unparse_with(tree, place, changed)
            if mutated not in seen:
                seen.add(mutated)
                found.append(Mutant(name, place.line, *_show_change(place.node, changed), mutated))
    except RecursionError:
        raise ValueError("is nested too deeply to make mutants of it") from None
    return found


def _parse(code: str) -> ast.Module:
    if len(code) > MAX_MUTATED_CHARS:
        raise ValueError(f"has more than {MAX_MUTATED_CHARS} characters, too many to make mutants of it")
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"is not valid Python, so it has no mutants: {error}") from None
    except (RecursionError, MemoryError):  # the parser reports too much nesting as either
        raise ValueError("is nested too deeply to make mutants of it") from None


def _find_places(parent: ast.AST, line: int) -> Iterator[_Place]:
    for field, value in ast.iter_fields(parent):
        children = enumerate(value) if isinstance(value, list) else [(None, value)]
        for position, node in children:
            if isinstance(node, ast.JoinedStr) or not isinstance(node, ast.AST):
                continue  # the parts of an f-string are not ordinary expressions
            own_line = getattr(node, "lineno", line)
            yield _Place(parent, field, position, node, own_line)
            yield from _find_places(node, own_line)


def _list_changes(name: str, places: Sequence[_Place], seed: int) -> list[tuple[_Place, ast.AST]]:
    changes = [(place, changed) for place in places for changed in OPERATORS[name](place.node)]
    random.Random(f"{seed}/{name}").shuffle(changes)
    return changes


def _take_turns(
    names: Sequence[str], changes: Sequence[Sequence[tuple[_Place, ast.AST]]]
) -> Iterator[tuple[str, _Place, ast.AST]]:
    for turn in zip_longest(*changes):
        for name, change in zip(names, turn, strict=True):
            if change is not None:
                yield name, *change


def _unparse_with(tree: ast.Module, place: _Place, changed: ast.AST) -> str:
    place.put(changed)
    try:
        return ast.unparse(ast.fix_missing_locations(tree)) + "\n"
    finally:
        place.put(place.node)


def _show_change(node: ast.AST, changed: ast.AST) -> tuple[str, str]:
    """Return both nodes as one line each. Long lines are cut around the part where they differ."""
    before, after = (" ".join(ast.unparse(each).split()) for each in (node, changed))
    if max(len(before), len(after)) <= MAX_SHOWN_CHARS:
        return before, after
    pairs = enumerate(zip(before, after, strict=False))
    differs_at = next((place for place, (old, new) in pairs if old != new), min(len(before), len(after)))
    start = max(0, differs_at - MAX_SHOWN_CHARS // 2)
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int) -> str:
    rest = text[start : start + MAX_SHOWN_CHARS]
    return "..." * (start > 0) + rest + "..." * (start + MAX_SHOWN_CHARS < len(text))
