"""The user's checker of a submission: the judge's settings for it, and the program that runs it in a box."""

from __future__ import annotations

from dataclasses import replace

from sandbox.languages import Language
from sandbox.runner.contract import Program
from sandbox.schema import Checker, InteractiveChecker, ProgramChecker
from sandbox.verify.checkers.program_checker import OUTPUT_FILE, wrap_with_guard
from sandbox.verify.judge import CheckerChoice

GUARDED_LANGUAGES = frozenset({"python", "pypy"})  # checkers in these languages run under `python_guard`


def build_checker_program(language: Language, checker: ProgramChecker | InteractiveChecker) -> Program:
    """Build the user's checker as a program. Python checkers run in a guard: their exit code alone is ambiguous."""
    program = language.build_program(checker.code, checker.limits.resolve_compile(language.compile_limits))
    if language.name not in GUARDED_LANGUAGES:
        return program
    output = OUTPUT_FILE if isinstance(checker, ProgramChecker) else ""
    return replace(program, source=wrap_with_guard(checker.code, output))


def build_checker_choice(checker: Checker) -> CheckerChoice:
    return CheckerChoice(checker.type, checker.model_dump(exclude={"type", "language", "code", "limits"}))
