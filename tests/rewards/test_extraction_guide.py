"""Every row of the guide's table "How a completion is read" is true."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from sandbox.rewards.extraction import extract

GUIDE = files("sandbox").joinpath("docs/rewards.md").read_text(encoding="utf-8")
TABLE = GUIDE.split("### How a completion is read")[1].split("\n\n")[2]
ROWS = [re.split(r"(?<!\\)\|", line)[1:-1] for line in TABLE.splitlines()[2:]]


def read_cell(cell: str) -> str:
    """Return the text of a cell's code span."""
    span = re.fullmatch(r"(`+)(.*)\1", cell.strip())
    assert span is not None, cell
    text = span[2].replace("\\|", "|")
    if text[:1] == text[-1:] == " " and text.strip():
        text = text[1:-1]
    return text.replace("⏎", "\n")


@pytest.mark.parametrize(("completion", "code", "why"), ROWS, ids=[row[2].strip() for row in ROWS])
def test_a_completion_is_read_as_the_guide_says(completion: str, code: str, why: str) -> None:
    answer = extract(read_cell(completion), "python")
    assert (None if answer is None else answer.code) == (None if code.strip() == "none" else read_cell(code)), why


def test_the_table_is_there() -> None:
    assert len(ROWS) > 30
