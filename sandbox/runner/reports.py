"""Reports: how a test says what came of it, one line of JSON at a time, each with the test's nonce.

A test passes only by reaching its end and saying so here. An exit code says nothing: `os._exit(0)` and `sys.exit()` end
a process as well as a test that passed. The worker draws a nonce for each test and ignores every line without it.

All values are strings. The functions that write a line are the interpreter's own, taken when this module is imported:
a program that shares the test's process may replace those of `os` and `json`.
"""

from __future__ import annotations

import json
from _json import encode_basestring_ascii as quote
from os import getpid, write

# How a test ended: the value of `end`.
PASSED = "passed"
FAILED = "failed"
PROGRAM_FAILED = "error"  # the program raised, or ended, or lacks what the test uses
BROKEN = "broken"  # the test fails whatever the program does, or tests nothing

# The outcomes of one test function of a pytest file: the value of `outcome`.
SKIPPED = "skipped"

ENDED_EARLY = "the program ended before the test did"
MAX_REPORT_BYTES = 65_536
MAX_REPORTS = 100_000


class Reporter:
    """Writes the reports of one test, in the process with the id `process` alone; by default that is this one. A child
    that the test forked does not speak for it.
    """

    def __init__(self, descriptor: int, nonce: str, pid: int = 0) -> None:
        self._descriptor = descriptor
        self._pid = pid or getpid()
        self._start = f'{{"nonce":{quote(nonce)}'

    def emit(self, **fields: str) -> None:
        if getpid() != self._pid:
            return
        text = self._start
        for name in fields:
            text += f',"{name}":{quote(fields[name])}'
        line = f"{text}}}\n".encode()
        while line:
            line = line[write(self._descriptor, line) :]


def read_reports(content: bytes, nonce: str) -> list[dict[str, str]]:
    """Return the reports with this nonce in what a test has written, in their order."""
    start = b'{"nonce":"%b"' % nonce.encode()
    reports: list[dict[str, str]] = []
    place = content.find(start)
    while place >= 0 and len(reports) < MAX_REPORTS:
        line, _, _ = content[place : place + MAX_REPORT_BYTES].partition(b"\n")
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):  # cut short by the end of the test
            fields = {}
        if isinstance(fields, dict):
            reports.append({str(name): replace_surrogates(value) for name, value in fields.items()})
        place = content.find(start, place + len(start))
    return reports


def replace_surrogates(value: object) -> str:
    """Return a text that can be encoded: half a surrogate pair is text in JSON, and nowhere else."""
    return str(value).encode(errors="replace").decode()
