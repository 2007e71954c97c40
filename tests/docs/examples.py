"""The examples in Markdown pages: a block of sh or Python, followed by its expected output."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt

# Values that differ in every run.
VOLATILE_KEYS = {"id", "cpu_time_s", "wall_time_s", "memory_mb", "queue_time_s", "run_time_s", "image_time_s"}
RUN_LANGUAGES = {"sh", "python"}
OUTPUT_LANGUAGES = {"text", "json"}


@dataclass(frozen=True, slots=True)
class Example:
    language: str
    source: str
    output: str
    line: int


def read_examples(page: Path) -> list[Example]:
    """Return the examples in order. A block without an output after it is not run."""
    tokens = MarkdownIt("commonmark").parse(page.read_text(encoding="utf-8"))
    return [
        Example(code.info, code.content, output.content, code.map[0] + 1 if code.map else 0)
        for code, output in pairwise(tokens)
        if code.type == output.type == "fence" and code.info in RUN_LANGUAGES and output.info in OUTPUT_LANGUAGES
    ]


def normalize_output(output: str) -> Any:
    """Parse output as JSON or JSON lines and remove volatile fields; return any other text unchanged."""
    for documents in ([output], output.splitlines()):
        try:
            return [_mask_volatile(json.loads(document)) for document in documents]
        except ValueError:
            continue
    return output


def _mask_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: "..." if key in VOLATILE_KEYS else _mask_volatile(each) for key, each in value.items()}
    return [_mask_volatile(each) for each in value] if isinstance(value, list) else value
