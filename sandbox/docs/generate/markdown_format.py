"""Format Markdown tables, code and docstrings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


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
