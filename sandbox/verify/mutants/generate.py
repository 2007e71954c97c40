"""Make mutants of a Python program: apply one mutation operator at one place. The same seed gives the same mutants.

The operators take turns, so even a few mutants cover many kinds of changes. The order of an operator's changes depends
only on the program and the seed.

The work is bounded, because the program may be hostile. A change is kept as its place and its number there, and is made
only when it is its turn: a change of a node copies the node's list of operands, so all changes of a call with thousands
of arguments would take memory quadratic in their number.
"""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, zip_longest

from sandbox.verify.checkers.block_reader import count_common_prefix
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
MAX_OPERANDS = 64
# Changes may repeat each other's program, so more programs are written than mutants are found. Python writes about 3 MB
# of them per second of CPU time.
MAX_WRITTEN_PER_MUTANT, MAX_WRITTEN_BEYOND = 4, 100
MAX_WRITTEN_CHARS = 4 << 20

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
        return _find_mutants(tree, count, seed, names)
    except RecursionError:
        raise ValueError("is nested too deeply to make mutants of it") from None


def _find_mutants(tree: ast.Module, count: int, seed: int, names: Sequence[str]) -> list[Mutant]:
    seen = {_write(tree)}
    places = list(_find_places(tree, 1))
    changes = [_list_changes(name, places, seed) for name in names]
    found: list[Mutant] = []
    written_chars = 0
    for name, place, number in islice(_take_turns(names, changes), MAX_WRITTEN_PER_MUTANT * count + MAX_WRITTEN_BEYOND):
        if len(found) == count or written_chars > MAX_WRITTEN_CHARS:
            break
        changed = next(islice(OPERATORS[name](place.node), number, None))
        mutated = _write_with(tree, place, changed)
        written_chars += len(mutated)
        if mutated not in seen:
            seen.add(mutated)
            shown = show_change(ast.unparse(place.node), ast.unparse(changed))
            found.append(Mutant(name, place.line, *shown, mutated))
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
            if isinstance(node, ast.JoinedStr):
                yield from _find_places_in_f_string(node)
            elif isinstance(node, ast.AST):
                own_line = getattr(node, "lineno", line)
                yield _Place(parent, field, position, node, own_line)
                yield from _find_places(node, own_line)


def _find_places_in_f_string(node: ast.JoinedStr) -> Iterator[_Place]:
    """Yield the places in an f-string's expressions. Its text and its formats are not expressions."""
    for part in node.values:
        if isinstance(part, ast.FormattedValue):
            value = part.value
            if isinstance(value, ast.JoinedStr):
                yield from _find_places_in_f_string(value)
            else:
                yield _Place(part, "value", None, value, value.lineno)
                yield from _find_places(value, value.lineno)


def _list_changes(name: str, places: Sequence[_Place], seed: int) -> list[tuple[_Place, int]]:
    """Return the changes by one operator in random order, each as its place and its number there."""
    changes = [
        (place, number)
        for place in places
        if _count_operands(place.node) <= MAX_OPERANDS
        for number, _ in enumerate(OPERATORS[name](place.node))
    ]
    random.Random(f"{seed}/{name}").shuffle(changes)
    return changes


def _count_operands(node: ast.AST) -> int:
    match node:
        case ast.Call(args=operands) | ast.BoolOp(values=operands) | ast.Compare(ops=operands):
            return len(operands)
        case ast.comprehension(ifs=operands):
            return len(operands)
    return 0


def _take_turns(
    names: Sequence[str], changes: Sequence[Sequence[tuple[_Place, int]]]
) -> Iterator[tuple[str, _Place, int]]:
    for turn in zip_longest(*changes):
        for name, change in zip(names, turn, strict=True):
            if change is not None:
                yield name, *change


def _write_with(tree: ast.Module, place: _Place, changed: ast.AST) -> str:
    place.put(changed)
    try:
        return _write(tree)
    finally:
        place.put(place.node)


def _write(tree: ast.Module) -> str:
    try:
        return ast.unparse(tree) + "\n"
    except ValueError as error:  # such as an int of more digits than Python prints
        raise ValueError(f"cannot be written by Python, so it has no mutants: {error}") from None


def show_change(before: str, after: str) -> tuple[str, str]:
    """Return both texts as one line each. Long lines are cut around the part where they differ."""
    before, after = " ".join(before.split()), " ".join(after.split())
    if max(len(before), len(after)) <= MAX_SHOWN_CHARS:
        return before, after
    start = max(0, count_common_prefix(before, after) - MAX_SHOWN_CHARS // 2)
    return _cut(before, start), _cut(after, start)


def _cut(text: str, start: int) -> str:
    rest = text[start : start + MAX_SHOWN_CHARS]
    return "..." * (start > 0) + rest + "..." * (start + MAX_SHOWN_CHARS < len(text))
