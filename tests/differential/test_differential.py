"""The warm interpreter's fork behaves exactly like `python3 main.py`, program by program.

A program that could notice a difference is started as `python3 main.py` anyway (`languages.INTROSPECTION`). It is
compared as soon as that changes.
"""

from __future__ import annotations

import dataclasses
import functools
import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from sandbox import languages
from sandbox.box.box import Box
from sandbox.runner.contract import Mode, Outcome, Run
from tests.differential.syntax_errors import generate_broken_programs

PROGRAMS = Path(__file__).parent / "programs"
MAX_ATTEMPTS = 3
BROKEN_PROGRAMS = 300  # programs with a syntax error
# Programs that do differ, and why that is acceptable. If one no longer differs, the test below fails; remove it from
# here.
# They are written here because tools that parse them as files (linters, editors) may hit the same limit as the
# compiler.
KNOWN_DIFFERENT = {
    "syntax_deep_binary": (
        "the compiler's own recursion limit counts from a stack that is a little deeper in a fork",
        b"x = " + b"+".join([b"1"] * 3_000) + b"\nprint(x)\n",
    ),
}
# Programs whose first line cannot be a comment that says what they probe, and why.
FIRST_LINE_MATTERS = {
    "exit_code/empty_program": "an empty file",
    "syntax/bad_cookie": "an unknown encoding on the first line",
    "syntax/bom": "a byte order mark right before the code",
    "syntax/bom_cookie_conflict": "a byte order mark and another encoding on the first line",
    "syntax/bom_utf16": "a file in UTF-16",
    "syntax/cookie_not_text": "an encoding on the first line that does not decode to text",
    "syntax/cp1252_error_line": "a syntax error below an encoding on the first line",
    "syntax/error_first_line_only": "a syntax error on the first line",
    "syntax/latin1_cookie": "a valid encoding on the first line",
    "syntax/latin1_cookie_second_line": "an encoding on the second line, below a path to the interpreter",
    "syntax/null_byte_first": "a null byte as the very first one",
}
PURPOSE = re.compile(rb"# \S+( \S+){2,}\.(\r\n|\r|\n)")
Observed = tuple[bytes, bytes, int | None, int | None]


def _list_programs() -> list[Path]:
    return sorted(PROGRAMS.glob("*/*.py"))


def _get_name(path: Path) -> str:
    return f"{path.parent.name}/{path.stem}"


@functools.cache
def _group_programs() -> dict[str, list[Path]]:
    """The programs that are started as forks, by area, which is the name of their directory."""
    areas: dict[str, list[Path]] = defaultdict(list)
    for path in _list_programs():
        if languages.get_language("python").build_program(path.read_bytes()).mode is not Mode.EXEC:
            areas[path.parent.name].append(path)
    return dict(areas)


def _build_run(path: Path) -> Run:
    stdin, args = path.with_suffix(".stdin"), path.with_suffix(".args")
    return Run(
        stdin=stdin.read_bytes() if stdin.exists() else b"",
        args=tuple(json.loads(args.read_text())) if args.exists() else (),
    )


def _observe(outcome: Outcome) -> Observed:
    return outcome.stdout, outcome.stderr, outcome.exit_code, outcome.signal


def _run_both(box: Box, source: bytes, run: Run) -> tuple[Observed, Observed]:
    """Return the observations of a program started the usual way and as `python3 main.py`, in the same box."""
    program = languages.get_language("python").build_program(source)
    box.load(program)
    usual = _observe(box.run(run))
    box.load(dataclasses.replace(program, mode=Mode.EXEC))
    return usual, _observe(box.run(run))


def _find_lasting_difference(box: Box, path: Path) -> str:
    """Describe the difference between both ways of starting a program, or return an empty string.

    A program that sleeps is tried several times, because a busy machine may change the order of its output.
    """
    for _ in range(MAX_ATTEMPTS if b"sleep(" in path.read_bytes() else 1):
        usual, real = _run_both(box, path.read_bytes(), _build_run(path))
        if usual == real:
            return ""
    return _format_difference(_get_name(path), usual, real)


def _format_difference(name: str, usual: Observed, real: Observed) -> str:
    lines = [
        f"    {what}: {one!r:.400}\n    not {' ' * len(what)} {other!r:.400}"
        for what, one, other in zip(("stdout", "stderr", "exit code", "signal"), usual, real, strict=True)
        if one != other
    ]
    return "\n".join([f"{name}:", *lines])


def test_at_least_200_programs_are_compared() -> None:
    assert sum(map(len, _group_programs().values())) >= 200


def test_most_programs_are_started_as_forks() -> None:
    assert sum(map(len, _group_programs().values())) > len(_list_programs()) / 2


def test_the_first_line_of_every_program_says_what_it_probes() -> None:
    silent = {_get_name(path) for path in _list_programs() if not PURPOSE.match(path.read_bytes())}
    assert silent == set(FIRST_LINE_MATTERS)


@pytest.mark.parametrize("area", sorted(_group_programs()))
def test_the_programs_of_an_area_behave_in_a_fork_like_in_python3(area: str, box: Box) -> None:
    differences = [
        difference for path in _group_programs()[area] if (difference := _find_lasting_difference(box, path))
    ]
    assert not differences, "\n".join(differences)


def test_a_syntax_error_is_reported_as_python3_reports_it(box: Box) -> None:
    sources = [path.read_bytes() for path in _list_programs()]
    compared, differences = 0, []
    for source in generate_broken_programs(sources, BROKEN_PROGRAMS, seed=1):
        if languages.get_language("python").build_program(source).mode is not Mode.EXEC:
            usual, real = _run_both(box, source, Run())
            compared += 1
            if usual != real:
                differences.append(_format_difference(repr(source), usual, real))
    assert not differences, "\n".join(differences)
    assert compared > BROKEN_PROGRAMS / 2


def test_a_syntax_error_starts_no_new_interpreter(box: Box) -> None:
    program = languages.get_language("python").build_program("if x = 2:\n    pass\n")
    box.load(program)
    fork = min(box.run(Run()).usage.cpu_time_s for _ in range(5))
    box.load(dataclasses.replace(program, mode=Mode.EXEC))
    assert fork < min(box.run(Run()).usage.cpu_time_s for _ in range(5)) / 2


@pytest.mark.parametrize("name", sorted(KNOWN_DIFFERENT))
def test_known_differences_still_exist(name: str, box: Box) -> None:
    why, source = KNOWN_DIFFERENT[name]
    usual, real = _run_both(box, source, Run())
    assert usual != real, f"{name} differs no more ({why}); strike it out"
