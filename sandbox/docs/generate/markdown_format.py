"""A Markdown table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def format_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(format_cell, line))} |" for line in lines)


def format_cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def format_code(text: object) -> str:
    """In code's type; empty stays empty."""
    return f"`{text}`" if str(text) else ""


def format_docstring(doc: str | None) -> str:
    """A docstring as Markdown: its indentation gone, a list of exit codes or an example left as it is."""
    import inspect

    return inspect.cleandoc(doc or "")
