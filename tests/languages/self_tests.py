"""The self-test programs: one program per language and verdict, all for the same small problem.

Input: a count, and that many numbers on the next line. Output: their sum.
"""

from __future__ import annotations

from pathlib import Path

from sandbox import languages
from sandbox.runner.contract import Limits, Verdict

FOLDER = Path(__file__).parent / "programs"
STDIN = b"3\n10 20 12\n"
EXPECTED = b"42\n"
# Languages that use the programs of another language.
SHARED_PROGRAMS = {"pypy": "python", "cpp17": "cpp", "cpp20": "cpp"}
LIMITS = {
    Verdict.TIME_LIMIT_EXCEEDED: Limits(cpu_time_s=1.0, wall_time_s=30.0),
    Verdict.MEMORY_LIMIT_EXCEEDED: Limits(cpu_time_s=60.0, wall_time_s=120.0, memory_mb=256),
}


def list_verdicts(language: str) -> set[Verdict]:
    """Return the verdicts that a program of this language can get: without compilation there is no compile_error."""
    verdicts = {
        Verdict.ACCEPTED,
        Verdict.WRONG_ANSWER,
        Verdict.RUNTIME_ERROR,
        Verdict.TIME_LIMIT_EXCEEDED,
        Verdict.MEMORY_LIMIT_EXCEEDED,
    }
    return verdicts | {Verdict.COMPILE_ERROR} if languages.get_language(language).compile_command else verdicts


def find_folder(language: str) -> Path:
    return FOLDER / SHARED_PROGRAMS.get(language, language)


def read_source(language: str, verdict: Verdict) -> bytes:
    suffix = Path(languages.get_language(language).source).suffix
    return (find_folder(language) / f"{verdict}{suffix}").read_bytes()
