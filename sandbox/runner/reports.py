"""Write and read test reports: lines of JSON in which a test states its result. Each line contains the test's nonce.

A test passes only if it reaches its end and reports this. The exit code proves nothing, because `os._exit(0)` and
`sys.exit()` end a process just like a passing test. The worker draws a nonce for each test and ignores every line
without it.

All values are strings. The functions that write a line are saved when this module is imported, because a program that
shares the test's process may replace those of `os` and `json`.
"""

from __future__ import annotations

import json
from _json import encode_basestring_ascii as quote
from os import O_WRONLY, close, devnull, dup2, getpid, write
from os import open as open_file

# How a test ended: the values of `end`.
PASSED = "passed"
FAILED = "failed"
PROGRAM_FAILED = "error"  # the program raised, ended, or lacks something the test uses
BROKEN = "broken"  # the test fails no matter what the program does, or tests nothing

# The outcomes of one test function of a pytest file: the values of `outcome`.
SKIPPED = "skipped"

ENDED_EARLY = "the program ended before the test did"
MAX_REPORT_BYTES = 65_536
MAX_REPORTS = 100_000


class Reporter:
    """Writes the reports of one test, but only in the process `pid`, which defaults to the current process.

    A child that the test forks cannot report on its behalf.
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


def discard_stdout() -> None:
    """Discard everything that the test prints from now on, because the worker reads only its reports."""
    nowhere = open_file(devnull, O_WRONLY)
    dup2(nowhere, 1)
    close(nowhere)


def read_reports(content: bytes, nonce: str) -> list[dict[str, str]]:
    """Return the reports with this nonce from a test's output, in order."""
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
    """Replace lone surrogates in a text. JSON allows them, but UTF-8 cannot encode them."""
    return str(value).encode(errors="replace").decode()
