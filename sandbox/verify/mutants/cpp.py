"""Make mutants of a C or C++ program: each replaces one part of its text. The same seed gives the same mutants.

The program is parsed by tree-sitter, which also reads programs with macros and errors. Parts with errors stay as they
are. A mutant may not compile; it then counts in no rate of the quality report.

The work is bounded, because the program may be hostile. Operators that copy a part of the program leave long parts as
they are: the parts of a deeply nested program would take memory quadratic in its length.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING, NamedTuple

from sandbox.verify.mutants.generate import MAX_MUTATED_CHARS, Mutant, show_change

if TYPE_CHECKING:
    from tree_sitter import Node

MAX_INTEGER_DIGITS = 18
MAX_COPIED_BYTES = 500
_ARITHMETIC = {"+": "-", "-": "+", "*": "+", "/": "*", "%": "/", "+=": "-=", "-=": "+=", "*=": "+=", "/=": "*="}
_BOUNDARIES = {"<": "<=", "<=": "<", ">": ">=", ">=": ">"}
_COMPARISONS = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "!=", "!=": "=="}
_BOOLEANS = {"&&": "||", "||": "&&"}
_STEPS = {"++": "--", "--": "++"}
_FUNCTIONS = {"min": "max", "max": "min", "lower_bound": "upper_bound", "upper_bound": "lower_bound"}
_SYMMETRIC = {"min", "max", "swap", "gcd", "__gcd", "lcm", "hypot"}
_ARGUMENTS = {"call_expression": "arguments", "new_expression": "arguments", "init_declarator": "value"}
_LOOPS = {"for_statement", "while_statement", "do_statement", "for_range_loop"}
_INTEGER = re.compile(r"\d+")
_WIDE_TYPE = re.compile(r"(unsigned )?long long( int)?|(u?)int64_t")


class Edit(NamedTuple):
    """Replace the bytes from `start` to `end` by `text`."""

    start: int
    end: int
    text: str


def _replace(node: Node, text: str) -> Edit:
    return Edit(node.start_byte, node.end_byte, text)


def _swap_operator(table: dict[str, str], *kinds: str) -> Callable[[Node], Iterator[Edit]]:
    def propose(node: Node) -> Iterator[Edit]:
        operator = node.child_by_field_name("operator") if node.type in kinds else None
        if operator is not None and (other := table.get(_read(operator))):
            yield _replace(operator, other)

    return propose


def _change_constant(node: Node) -> Iterator[Edit]:
    if node.type == "number_literal":
        text = _read(node)
        if _INTEGER.fullmatch(text) and len(text) <= MAX_INTEGER_DIGITS and not (len(text) > 1 and text[0] == "0"):
            yield _replace(node, str(int(text) + 1))
            yield _replace(node, str(int(text) - 1) if text != "0" else "(-1)")


def _change_initial_value(node: Node) -> Iterator[Edit]:
    if node.type == "init_declarator":
        value = node.child_by_field_name("value")
        if value is not None and value.type == "number_literal" and _read(value) in {"0", "1"}:
            yield _replace(value, "1" if _read(value) == "0" else "0")


def _negate_condition(node: Node) -> Iterator[Edit]:
    if node.type in {"if_statement", "while_statement"}:
        condition = node.child_by_field_name("condition")
        value = None if condition is None else condition.child_by_field_name("value")
        if value is not None and _is_short(value) and not value.type.endswith("declaration"):
            yield _replace(value, f"!({_read(value)})")


def _remove_statement(node: Node) -> Iterator[Edit]:
    if node.type in {"expression_statement", "continue_statement"} and node.end_byte - node.start_byte > 1:
        yield _replace(node, ";")


def _exit_early(node: Node) -> Iterator[Edit]:
    if node.type in _LOOPS:
        body = node.child_by_field_name("body")
        if body is not None and body.type == "compound_statement" and body.end_byte - body.start_byte > 2:
            yield Edit(body.end_byte - 1, body.end_byte - 1, "break; ")


def _shift_range(node: Node) -> Iterator[Edit]:
    """Let a `for` loop begin one later, or end one earlier."""
    if node.type == "for_statement":
        condition = node.child_by_field_name("condition")
        if condition is not None and condition.type == "binary_expression":
            right = condition.child_by_field_name("right")
            if right is not None and _is_short(right):
                yield _replace(right, f"({_read(right)}) - 1")
        start = node.child_by_field_name("initializer")
        declarator = None if start is None else start.child_by_field_name("declarator")
        value = None if declarator is None else declarator.child_by_field_name("value")
        if value is not None and _is_short(value):
            yield _replace(value, f"({_read(value)}) + 1")


def _swap_arguments(node: Node) -> Iterator[Edit]:
    field = _ARGUMENTS.get(node.type)
    arguments = None if field is None else node.child_by_field_name(field)
    if arguments is None or arguments.type != "argument_list" or not _is_short(arguments):
        return
    if arguments.named_child_count == 2 and not _is_symmetric(node):
        first, second = arguments.named_children
        if _read(first) != _read(second):
            yield Edit(first.start_byte, second.end_byte, f"{_read(second)}, {_read(first)}")


def _is_symmetric(call: Node) -> bool:
    callee = _find_callee(call)
    return callee is not None and _read(callee) in _SYMMETRIC


def _replace_function(node: Node) -> Iterator[Edit]:
    callee = _find_callee(node)
    if callee is not None and (other := _FUNCTIONS.get(_read(callee))):
        yield _replace(callee, other)


def _find_callee(node: Node) -> Node | None:
    """Return the name of the function that a call calls, without its namespaces and template arguments."""
    callee = node.child_by_field_name("function") if node.type == "call_expression" else None
    while callee is not None and callee.type in {"qualified_identifier", "template_function"}:
        callee = callee.child_by_field_name("name")
    return callee if callee is not None and callee.type == "identifier" else None


def _narrow_type(node: Node) -> Iterator[Edit]:
    """Replace a 64-bit type by `int`, so that large values overflow."""
    if node.type in {"sized_type_specifier", "type_identifier", "primitive_type"} and _WIDE_TYPE.fullmatch(
        " ".join(_read(node).split())
    ):
        yield _replace(node, "int")


OPERATORS: dict[str, Callable[[Node], Iterator[Edit]]] = {
    "arithmetic": _swap_operator(_ARITHMETIC, "binary_expression", "assignment_expression"),
    "boolean": _swap_operator(_BOOLEANS, "binary_expression"),
    "boundary": _swap_operator(_BOUNDARIES, "binary_expression"),
    "comparison": _swap_operator(_COMPARISONS, "binary_expression"),
    "constant": _change_constant,
    "early_exit": _exit_early,
    "function": _replace_function,
    "initial_value": _change_initial_value,
    "integer_type": _narrow_type,
    "negated_condition": _negate_condition,
    "range": _shift_range,
    "removed_statement": _remove_statement,
    "step": _swap_operator(_STEPS, "update_expression"),
    "swapped_arguments": _swap_arguments,
}


def make_cpp_mutants(code: str, count: int, seed: int = 0, operators: Sequence[str] = ()) -> list[Mutant]:
    """Return up to `count` mutants of a C or C++ program, all different; `operators` limits them to some, by name.

    Raises ValueError if the program is too long.
    """
    if len(code) > MAX_MUTATED_CHARS:
        raise ValueError(f"has more than {MAX_MUTATED_CHARS} characters, too many to make mutants of it")
    source = code.encode()
    names = [name for name in OPERATORS if not operators or name in operators]
    found: list[Mutant] = []
    seen = {source}
    for name, edit in _take_turns(source, names, seed):
        if len(found) == count:
            break
        mutated = source[: edit.start] + edit.text.encode() + source[edit.end :]
        if mutated not in seen:
            seen.add(mutated)
            line = source.count(b"\n", 0, edit.start) + 1
            found.append(Mutant(name, line, *_show(source, edit), mutated.decode()))
    return found


def _take_turns(source: bytes, names: list[str], seed: int) -> Iterator[tuple[str, Edit]]:
    """Yield the edits of all operators in turn, each operator's in random order."""
    edits: dict[str, list[Edit]] = {name: [] for name in names}
    for node in _walk(source):
        for name in names:
            edits[name] += OPERATORS[name](node)
    for name, its_edits in edits.items():
        random.Random(f"{seed}/{name}").shuffle(its_edits)
    for turn in zip_longest(*edits.values()):
        for name, edit in zip(names, turn, strict=True):
            if edit is not None:
                yield name, edit


def _walk(source: bytes) -> Iterator[Node]:
    """Yield all nodes in the order of the text, without recursion: a hostile program may be nested deeply."""
    import tree_sitter_cpp
    from tree_sitter import Language, Parser

    cursor = Parser(Language(tree_sitter_cpp.language())).parse(source).walk()
    while True:
        node = cursor.node
        skipped = node is None or node.is_error or node.is_missing or node.type.startswith("preproc_")
        if node is not None and not skipped:
            yield node
        if not skipped and cursor.goto_first_child():
            continue
        while not cursor.goto_next_sibling():
            if not cursor.goto_parent():
                return


def _is_short(node: Node) -> bool:
    return node.end_byte - node.start_byte <= MAX_COPIED_BYTES


def _read(node: Node) -> str:
    return (node.text or b"").decode()


def _show(source: bytes, edit: Edit) -> tuple[str, str]:
    """Return the edit's line before and after it."""
    start = source.rfind(b"\n", 0, edit.start) + 1
    end = source.find(b"\n", edit.end)
    end = len(source) if end < 0 else end
    after = source[start : edit.start] + edit.text.encode() + source[edit.end : end]
    return show_change(source[start:end].decode(errors="replace"), after.decode(errors="replace"))
