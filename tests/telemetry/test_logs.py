"""Log lines are JSON, one object per line, with the ids of the request in progress."""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

import pytest

from sandbox.request_context import CURRENT_CALLER, LOG_FIELDS, Caller
from sandbox.telemetry.logs import JsonFormatter


def format_line(message: str, *args: object, error: bool = False, **extra: object) -> dict[str, Any]:
    record = logging.LogRecord("sandbox.here", logging.INFO, __file__, 1, message, args, None)
    vars(record).update(extra)
    if error:
        record.exc_info = sys.exc_info()
    text = JsonFormatter().format(record)
    assert "\n" not in text
    line: dict[str, Any] = json.loads(text)
    return line


def test_a_line_says_when_who_and_what() -> None:
    line = format_line("%d boxes", 3, image="python")
    assert line.items() >= {"level": "info", "logger": "sandbox.here", "message": "3 boxes", "image": "python"}.items()
    assert line["time"].endswith("Z")


def test_a_line_break_forges_no_line() -> None:
    assert format_line('a\n{"level":"error"}', code="b\r\nc")["code"] == "b\r\nc"


def test_the_ids_of_what_is_served_are_in_every_line() -> None:
    logged, caller = LOG_FIELDS.set({"request": "r-1", "submission": "s-1"}), CURRENT_CALLER.set(Caller("trainer"))
    try:
        line = format_line("anything")
    finally:
        LOG_FIELDS.reset(logged)
        CURRENT_CALLER.reset(caller)
    assert (line["request"], line["submission"], line["key"]) == ("r-1", "s-1", "trainer")
    assert "request" not in format_line("anything")


@pytest.mark.parametrize("value", ["\ud800", 2**80, {1, 2}, object, b"bytes"], ids=repr)
def test_what_json_has_no_form_for_is_told_in_words(value: object) -> None:
    assert "value" in format_line("odd", value=value)


def test_a_traceback_is_part_of_its_line() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        assert "ValueError: broken" in format_line("failed", error=True)["traceback"]
