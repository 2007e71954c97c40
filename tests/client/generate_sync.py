"""Generates the blocking client from the one for asyncio: `python -m tests.client.generate_sync`."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

COMMAND = "python -m tests.client.generate_sync"
CLIENT = Path(__file__).parents[2] / "sandbox" / "client"
TARGETS = {CLIENT / "aio.py": CLIENT / "sync.py", CLIENT / "aio_session.py": CLIENT / "sync_session.py"}

# Applied to the whole text of each file, one after the other; each must match at least once in one of them.
REPLACEMENTS = [
    (r'"""The client for asyncio[^"]*"""', f'"""The blocking client, generated from `aio.py` by `{COMMAND}`."""'),
    (
        r'"""A session for asyncio: (a box that [^.]*\.)[^"]*"""',
        rf'"""A session: \1\n\nGenerated from `aio_session.py` by `{COMMAND}`.\n"""',
    ),
    (r"\baio_session\b(?!\.py)", "sync_session"),
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


def generate() -> dict[Path, str]:
    """Return the text of each generated file."""
    unmatched = {pattern for pattern, _ in REPLACEMENTS}
    generated = {}
    for source, target in TARGETS.items():
        text = source.read_text(encoding="utf-8")
        for pattern, replacement in REPLACEMENTS:
            text, count = re.subn(pattern, replacement, text)
            if count:
                unmatched.discard(pattern)
        # Fewer names are imported, and lines are shorter.
        text = _run_ruff(text, target, "check", "--fix-only", "--quiet", "--select=F401,I")
        generated[target] = _run_ruff(text, target, "format")
    assert not unmatched, f"these match nothing: {unmatched}"
    return generated


def _run_ruff(text: str, target: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "ruff", *arguments, f"--stdin-filename={target}", "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    for path, text in generate().items():
        path.write_text(text, encoding="utf-8")
