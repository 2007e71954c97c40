"""Test reports are recognized by their nonce, whatever else a process has written."""

from __future__ import annotations

import os

import pytest

from sandbox.runner import reports
from sandbox.runner.reports import Reporter

NONCE = "0f" * 16


def write_reports(*fields: dict[str, str], process: int = 0) -> bytes:
    """Return the bytes of these reports."""
    reading, writing = os.pipe()
    report = Reporter(writing, NONCE, process)
    for each in fields:
        report.emit(**each)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        return pipe.read()


def test_reports_are_read_as_they_were_written() -> None:
    written = [{"found": "test_a"}, {"name": 'test_"\n\u2028', "outcome": "passed", "message": ""}, {"end": "passed"}]
    assert [{**report, "nonce": NONCE} for report in written] == reports.read_reports(write_reports(*written), NONCE)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b'{"nonce":"","end":"passed"}\n',
        b'{"end":"passed","nonce":"0f"}\n',
        b'{"nonce":"%b","end":"passed"}\n' % (b"0e" * 16),
        b"\n" * 100_000,
        b"[" * 100_000,
        b"\xff\x00passed",
    ],
)
def test_a_line_without_the_nonce_is_not_a_report(content: bytes) -> None:
    assert reports.read_reports(content, NONCE) == []


def test_reports_are_found_among_other_output_and_an_incomplete_one_is_empty() -> None:
    whole = write_reports({"end": "failed"})
    content = b"noise" + whole[:-3] + b"\n" + b"\xff" + whole + b"[1]\n" + whole[: len(whole) // 2]
    assert [report.get("end") for report in reports.read_reports(content, NONCE)] == [None, "failed"]


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    (report,) = reports.read_reports(write_reports({"message": "\ud800!"}), NONCE)
    assert report["message"] == "?!"


def test_another_process_cannot_report() -> None:
    assert write_reports({"end": "passed"}, process=os.getpid() + 1) == b""
