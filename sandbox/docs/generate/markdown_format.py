"""Format Markdown tables, code and docstrings."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from itertools import groupby


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(format_cell, line))} |" for line in lines)


def format_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def format_code(text: object) -> str:
    """Format as code; an empty text stays empty."""
    return f"`{text}`" if str(text) else ""


def format_docstring(doc: str | None) -> str:
    """Return a docstring as Markdown, without its indentation. Lists and examples stay as they are."""
    import inspect

    return inspect.cleandoc(doc or "")


def format_examples(doc: str) -> str:
    """Return a docstring as Markdown, with its indented examples as Python code."""
    parts = []
    for is_example, lines in groupby(doc.splitlines(), lambda line: line.startswith("    ")):
        text = "\n".join(lines)
        parts.append(f"```python\n{textwrap.dedent(text)}\n```" if is_example else text)
    return "\n".join(parts)
