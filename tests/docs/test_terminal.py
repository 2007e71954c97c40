"""The recorded terminal session: its picture is drawn from it, and it shows an interrupted run that continues."""

from __future__ import annotations

import json
import re

import pyte

from tests.docs import record_terminal
from tests.docs.conftest import ROOT
from tests.docs.terminal_svg import render_svg


def _read_screens() -> tuple[list[str], list[str]]:
    """Return the lines of the last screen, and the recording's markers."""
    header, *events = map(json.loads, record_terminal.CAST.read_text(encoding="utf-8").splitlines())
    screen = pyte.Screen(header["width"], header["height"])
    stream = pyte.Stream(screen)
    stream.feed("".join(text for _, kind, text in events if kind == "o"))
    return [line.rstrip() for line in screen.display], [text for _, kind, text in events if kind == "m"]


def test_the_picture_is_drawn_from_the_recording() -> None:
    picture = render_svg(record_terminal.CAST.read_text(encoding="utf-8"))
    assert record_terminal.SVG.read_text(encoding="utf-8") == picture, f"run {record_terminal.COMMAND}"
    assert len(picture) < 150_000


def test_the_session_is_interrupted_and_continues_where_it_stopped() -> None:
    lines, markers = _read_screens()
    text = "\n".join(lines)
    assert markers == ["Ctrl-C"]
    commands = [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    judge = "sandbox verify programs.jsonl --out results.jsonl"
    assert commands == ["sandbox up --detach", "wc -l programs.jsonl", judge, judge, "sandbox down"]
    total = record_terminal.PROGRAM_COUNT
    [done] = re.findall(rf"interrupted after (\d+) of {total} results", text)
    assert f"results.jsonl has {done} of {total} results; continuing after them" in text
    assert 0 < int(done) < total
    assert sum(map(int, re.findall(r"│ (\d+) +│", text))) == total


def test_the_recording_names_no_user_machine_or_checkout() -> None:
    recording = record_terminal.CAST.read_text(encoding="utf-8")
    assert record_terminal.find_private_words(recording) == set()
    assert not re.search(r"/(home|root|tmp|Users)\b", recording)


def test_the_tutorial_and_the_readme_show_it() -> None:
    name = record_terminal.SVG.name
    assert f"]({name})" in re.sub(r"\s+", "", (ROOT / "sandbox/docs/tutorial.md").read_text(encoding="utf-8"))
    assert f"](sandbox/docs/{name})" in re.sub(r"\s+", "", (ROOT / "README.md").read_text(encoding="utf-8"))
