"""Every key of `sandbox.queue.redis_keys`."""

from __future__ import annotations

from sandbox.docs.generate.markdown_format import format_code, format_table
from sandbox.queue import redis_keys

INTRODUCTION = """
# Redis keys

All state is in Redis. RQ's own keys (`rq:...`) are RQ's business: its tools see our jobs. A life is a setting of the
same name, or words.
"""


def parse_rows() -> list[tuple[str, ...]]:
    """The table in the docstring of `keys`, cell by cell."""
    lines = [
        line.strip("|").split("|") for line in (redis_keys.__doc__ or "").splitlines() if line.startswith("| sandbox:")
    ]
    return [tuple(cell.strip() for cell in line) for line in lines]


def build_page() -> str:
    return (
        INTRODUCTION
        + "\n"
        + format_table(("key", "type", "what", "life"), [(format_code(key), *rest) for key, *rest in parse_rows()])
    )
