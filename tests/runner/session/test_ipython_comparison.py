"""Programs of several cells have the same values, displays, errors and output as in IPython.

`programs/*.txt` holds them: `====` separates programs, and `%%` the cells of one. Documented differences: IPython runs
the statements before one that does not compile, and a session does not. An exit with code 0 is no error in a session.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import skip_or_fail
from tests.runner.session.session_box import Answer, SessionBox

FOLDER = Path(__file__).parent
FILES = sorted((FOLDER / "programs").glob("*.txt"))
MIN_PROGRAMS = 200


def read_programs(path: Path) -> list[list[str]]:
    return [program.strip("\n").split("\n%%\n") for program in path.read_text(encoding="utf-8").split("\n====\n")]


def describe(answer: Answer) -> dict[str, Any]:
    error = answer.header["error"]
    return {
        "result": answer.header["result"],
        "displays": list(answer.displays),
        "error": None if error is None else [error["type"], error["line"]],
        "stdout": answer.stdout,
    }


def normalize(outcome: dict[str, Any]) -> dict[str, Any]:
    """Leave out addresses, which differ in every process."""
    normal: dict[str, Any] = json.loads(re.sub(r"0x[0-9a-f]+", "0x", json.dumps(outcome)))
    return normal


def run_in_ipython(programs: list[list[str]]) -> list[list[dict[str, Any]]]:
    if find_spec("IPython") is None:
        skip_or_fail("IPython is not installed")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(FOLDER / "ipython_reference.py")],
        input=json.dumps(programs),
        capture_output=True,
        text=True,
        check=True,
    )
    outcomes: list[list[dict[str, Any]]] = json.loads(done.stdout)
    return outcomes


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_session_does_what_ipython_does(shared_box: SessionBox, path: Path) -> None:
    programs = read_programs(path)
    faults = []
    for number, (program, expected) in enumerate(zip(programs, run_in_ipython(programs), strict=True), 1):
        branch = 1_000 * FILES.index(path) + number
        shared_box.open(branch)
        for cell, outcome in zip(program, expected, strict=True):
            answer = shared_box.execute(cell, branch)
            found = normalize(describe(answer))
            if answer.header["exit_code"] == 0 and (outcome["error"] or [""])[0] == "SystemExit":
                outcome["error"] = None
            if found != normalize(outcome):
                faults.append(f"program {number}, cell {cell!r}:\n  IPython {normalize(outcome)}\n  session {found}")
        shared_box.ask("close", branch)
    assert not faults, "\n".join(faults)


def test_there_are_enough_programs() -> None:
    assert sum(len(read_programs(path)) for path in FILES) >= MIN_PROGRAMS
