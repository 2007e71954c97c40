"""The attack programs under `attacks/`, one file each. The first lines declare what it tries and the required result.

The lines are comments of the form `name: value`. Required are `attack` and `contained`, both prose, and `expect`, the
allowed statuses. Optional are `stdout` (a regular expression), `limits` and `compile_limits` (JSON objects that
override the defaults here), `stdin`, `fetch` (names of files, JSON), `runs` (how often it is run), `victim` (a program
reads a secret from its stdin first), `expected`, `checker` and `verdict` (the required verdict of the judge), `breaks`
(why the box may be lost), `uses` (what it needs that is not tested here), `engines` (those it is meant for) and
`isolations` (where an attack on assert tests is contained: `separate` by default).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from sandbox import languages
from sandbox.runner.contract import Limits, Program, Run, Status

FOLDER = Path(__file__).parent / "attacks"
GROUPS = ("reaching_out", "reading", "staying", "starving", "escalating", "forging", "cheating")
LIMITS = Limits(cpu_time_s=1.0, wall_time_s=2.0, memory_mb=64, processes=32, output_kb=64, file_mb=16)
COMPILE_LIMITS = Limits(cpu_time_s=10.0, wall_time_s=20.0, memory_mb=1_024, processes=32, output_kb=64, file_mb=64)
_LINE = re.compile(r"(?://|#) (\w+): ?(.*)")


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack program and its declaration."""

    path: Path
    header: dict[str, str]

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def image(self) -> str:
        return languages.get_language_by_suffix(self.path.suffix).image

    @property
    def statuses(self) -> set[Status]:
        return {Status(word.strip()) for word in self.header["expect"].split(",")}

    @property
    def needs(self) -> str:
        """The features it needs beyond those of a program on stdin and stdout."""
        return self.header.get("uses", "")

    @property
    def runs(self) -> int:
        return int(self.header.get("runs", "1"))

    def is_contained_in(self, isolation: str) -> bool:
        """Return whether an attack on assert tests is expected to be contained under this `isolation` of a request."""
        return isolation in self.header.get("isolations", "separate").split(", ")

    def is_meant_for(self, engine: str) -> bool:
        return not self.needs and engine in self.header.get("engines", "docker, local")

    def build_program(self) -> Program:
        program = languages.get_language_by_suffix(self.path.suffix).build_program(self.path.read_text())
        return replace(program, compile_limits=replace(COMPILE_LIMITS, **self._read_json("compile_limits", {})))

    def build_run(self) -> Run:
        return Run(
            stdin=self.header.get("stdin", "").encode(),
            fetch_files=tuple(self._read_json("fetch", [])),
            limits=replace(LIMITS, **self._read_json("limits", {})),
        )

    def _read_json(self, name: str, default: Any) -> Any:
        return json.loads(self.header[name]) if name in self.header else default


@cache
def load_attacks(group: str) -> tuple[Attack, ...]:
    return tuple(Attack(path, _parse_header(path)) for path in sorted((FOLDER / group).iterdir()) if path.is_file())


def _parse_header(path: Path) -> dict[str, str]:
    header = {}
    for line in path.read_text().splitlines():
        match = _LINE.fullmatch(line)
        if match is None:
            break
        header[match[1]] = match[2]
    return header
