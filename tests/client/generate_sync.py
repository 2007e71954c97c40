"""Generates `sandbox/client/sync.py` from `sandbox/client/aio.py`: `python -m tests.client.generate_sync`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

COMMAND = "python -m tests.client.generate_sync"
CLIENT = Path(__file__).parents[2] / "sandbox" / "client"
SOURCE = CLIENT / "aio.py"
TARGET = CLIENT / "sync.py"

# Applied to the whole text, one after the other; each must match at least once.
REPLACEMENTS = [
    (r'"""The client for asyncio[^"]*"""', f'"""The blocking client, generated from `aio.py` by `{COMMAND}`."""'),
    (r"in any task of one event loop", "from any thread"),
    (r"return (pass_results\(.*\))", r"\1\n        return None"),
    (r"Coroutine\[Any, Any, None\]", "None"),
    (r"for (\w+) in (.+):\n +yield \1\n", r"yield from \2\n"),
    (r"\b(Iterable\[\w+\]) \| AsyncIterable\[\w+\]", r"\1"),
    (r"\basync (def|for|with) ", r"\1 "),
    (r"\bawait ", ""),
    (r"\bAsync([A-Z]\w+)", r"\1"),
    (r"\basync_batching\b", "batching"),
    (r"\basyncio\b", "time"),
    (r"\baclosing\b", "closing"),
    (r"\b__aenter__\b", "__enter__"),
    (r"\b__aexit__\b", "__exit__"),
    (r"\baclose\b", "close"),
    (r"\baread\b", "read"),
    (r"\baiter_bytes\b", "iter_bytes"),
]


def generate() -> str:
    text = SOURCE.read_text(encoding="utf-8")
    for pattern, replacement in REPLACEMENTS:
        text, count = re.subn(pattern, replacement, text)
        assert count, f"{pattern} matches nothing in {SOURCE.name}"
    # Fewer names are imported, and lines are shorter.
    return _run_ruff(_run_ruff(text, "check", "--fix-only", "--quiet", "--select=F401,I"), "format")


def _run_ruff(text: str, *arguments: str) -> str:
    command = [sys.executable, "-m", "ruff", *arguments, f"--stdin-filename={TARGET}", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    TARGET.write_text(generate(), encoding="utf-8")
