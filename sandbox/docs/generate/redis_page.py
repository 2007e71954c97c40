"""The page of all keys of `sandbox.queue.redis_keys`."""

from __future__ import annotations

from sandbox.docs.generate.markdown_format import format_code, format_table
from sandbox.queue import redis_keys

INTRODUCTION = """
# Redis keys

Redis holds all state of the service. RQ has its own keys (`rq:...`), so RQ's tools can list its jobs. The column
"expires" has the setting with the lifetime of a key, or describes when the key is removed.
"""


def parse_rows() -> list[tuple[str, ...]]:
    """Return the cells of the table in the docstring of `redis_keys`."""
    lines = [
        line.strip("|").split("|") for line in (redis_keys.__doc__ or "").splitlines() if line.startswith("| sandbox:")
    ]
    return [tuple(cell.strip() for cell in line) for line in lines]


def build_page() -> str:
    return (
        INTRODUCTION
        + "\n"
        + format_table(
            ("key", "type", "content", "expires"), [(format_code(key), *rest) for key, *rest in parse_rows()]
        )
    )
