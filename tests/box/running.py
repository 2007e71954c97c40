"""Helpers that run a program in a box."""

from __future__ import annotations

from dataclasses import replace
from textwrap import dedent
from typing import Any

from sandbox import languages
from sandbox.box.box import Box
from sandbox.box.slot import Slot
from sandbox.runner.contract import Limits, Outcome, Run

# Generous time limits, because the machine may be slow and busy; little memory, so reaching the limit is quick.
LIMITS = Limits(cpu_time_s=10.0, wall_time_s=30.0, memory_mb=128)


def run_in(box: Box, code: str | bytes, *, language: str = "python", stdin: bytes = b"", **options: Any) -> Outcome:
    """Load and run a program; `options` are fields of Limits or of Run. If compiling fails, return its outcome."""
    limits = {name: options.pop(name) for name in Limits.__slots__ if name in options}
    source = dedent(code) if isinstance(code, str) else code
    compiled = box.load(languages.get_language(language).build_program(source))
    if compiled is not None and not compiled.ended_well:
        return compiled
    return box.run(Run(stdin=stdin, limits=replace(LIMITS, **limits), **options))


def run_once(slot: Slot, code: str, *, language: str, **options: Any) -> Outcome:
    """Load and run a program in a warm box of the language's image."""
    with slot.lend(languages.get_language(language).image) as box:
        return run_in(box, code, language=language, **options)
