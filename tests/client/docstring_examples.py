"""The examples in the docstrings of the clients, as source that can be run or type-checked."""

from __future__ import annotations

import ast
import inspect
import textwrap
from itertools import groupby
from typing import Any

from sandbox.client import AsyncClient, Client

WITHOUT_EXAMPLE = {"close"}


def read_docstring_examples(kind: type[Client | AsyncClient]) -> dict[str, str]:
    """Return the example of the class, under its name, and of each method."""
    documented = {kind.__name__: kind, **dict(inspect.getmembers(kind, inspect.isfunction))}
    return {
        name: _extract_example(inspect.getdoc(value) or "")
        for name, value in documented.items()
        if not name.startswith("_") and name not in WITHOUT_EXAMPLE
    }


def _extract_example(doc: str) -> str:
    """Return the lines that are indented by four spaces or more."""
    groups = groupby(doc.splitlines(), lambda line: line.startswith("    ") or not line)
    return "\n".join(
        textwrap.dedent("\n".join(lines)).strip() for is_example, lines in ((key, list(each)) for key, each in groups)
        if is_example and any(lines)
    )  # fmt: skip


def add_checks(example: str) -> str:
    """Replace each `expression  # value` with a call of `check`."""
    lines = []
    for line in example.splitlines():
        code, mark, comment = line.partition("  # ")
        indent = code[: len(code) - len(code.lstrip())]
        lines.append(f"{indent}check({code.strip()}, {comment!r})" if mark else line)
    return "\n".join(lines)


def check(value: Any, comment: str) -> None:
    """Compare a value with the comment that follows it, which may end with an explanation after a colon."""
    try:
        expected = ast.literal_eval(comment)
    except SyntaxError:
        expected = ast.literal_eval(comment.partition(": ")[0])
    assert value == expected


def build_typed_module() -> str:
    """Return a module with a function for each example, for a type checker."""
    parts = ["from sandbox import AsyncClient, Client", "from sandbox.schema import Job"]
    for kind, word in ((Client, "def"), (AsyncClient, "async def")):
        for name, example in read_docstring_examples(kind).items():
            arguments = f"client: {kind.__name__}, job: Job, session_id: str"
            body = textwrap.indent(example, "    ")
            parts.append(f"{word} {kind.__name__.lower()}_{name}({arguments}) -> None:\n{body}")
    return "\n\n".join(parts) + "\n"
