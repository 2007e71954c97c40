"""Records the terminal session that the tutorial shows: `python -m tests.docs.record_terminal`.

It starts the service with its default settings, judges a file, interrupts that with Ctrl-C, continues, and stops the
service. No other service may run on this machine's default home and port.
"""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import sys
import tempfile
from pathlib import Path

from tests.docs.conftest import ROOT, SANDBOX_SCRIPT
from tests.docs.terminal import PROMPT, Terminal, open_terminal
from tests.docs.terminal_svg import render_svg

COMMAND = "python -m tests.docs.record_terminal"
CAST = ROOT / "sandbox/docs/terminal.cast"
SVG = CAST.with_suffix(".svg")
TITLE = "sandbox up, verify, Ctrl-C, and the same command again, which continues"
PROGRAM_COUNT = 300
INTERRUPT_AT = 120
RIGHT = "a, b = map(int, input().split())\nprint(a + b)"
PROGRAMS = (RIGHT, RIGHT, RIGHT, "a, b = map(int, input().split())\nprint(a - b)", RIGHT, RIGHT, "print(1 // 0)")


def record() -> str:
    """Run the session and return its recording."""
    with tempfile.TemporaryDirectory(prefix="sandbox-recording-") as name:
        folder = Path(name)
        (folder / "bin").mkdir()
        (folder / "bin/sandbox").write_text(SANDBOX_SCRIPT)
        (folder / "bin/sandbox").chmod(0o755)
        (folder / "inputrc").write_text("set enable-bracketed-paste off\n")
        (folder / "work").mkdir()
        (folder / "work/programs.jsonl").write_text("".join(map(_format_submission, range(PROGRAM_COUNT))))
        with open_terminal(folder / "work", _build_environment(folder)) as terminal:
            _type_session(terminal)
            return terminal.format_cast(TITLE)


def _build_environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": f"{folder / 'bin'}:{os.environ['PATH']}",
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "PS1": PROMPT,
        "INPUTRC": str(folder / "inputrc"),
        "TERM": "xterm-256color",
        "LANG": "C.UTF-8",
    }


def _format_submission(number: int) -> str:
    tests = [{"stdin": f"{number} {shift}\n", "expected": f"{number + shift}\n"} for shift in (1, 2)]
    return json.dumps({"language": "python", "code": PROGRAMS[number % len(PROGRAMS)], "tests": tests}) + "\n"


def _type_session(terminal: Terminal) -> None:
    terminal.run("sandbox up --detach")
    terminal.run("wc -l programs.jsonl")
    terminal.start("sandbox verify programs.jsonl --out results.jsonl")
    terminal.wait(lambda: _read_progress(terminal.text) >= INTERRUPT_AT, 120.0)
    terminal.interrupt()
    terminal.wait(lambda: terminal.has_prompt, 20.0)
    terminal.wait(lambda: False, 1.5)
    terminal.run("sandbox verify programs.jsonl --out results.jsonl")
    terminal.wait(lambda: False, 1.5)
    terminal.run("sandbox down")


def _read_progress(text: str) -> int:
    counts = re.findall(rf"judging .* (\d+)/{PROGRAM_COUNT}", text)
    return int(counts[-1]) if counts else 0


def find_private_words(cast: str) -> set[str]:
    """Return names of this machine, its user and its folders that are in a recording."""
    words = {socket.gethostname(), getpass.getuser(), str(ROOT), str(Path.home()), tempfile.gettempdir()}
    return {word for word in words if word in cast}


if __name__ == "__main__":
    recorded = record()
    if found := find_private_words(recorded):
        sys.exit(f"not saved: the recording contains {', '.join(sorted(found))}")
    CAST.write_text(recorded, encoding="utf-8")
    SVG.write_text(render_svg(recorded), encoding="utf-8")
