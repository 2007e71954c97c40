"""Make the tests that `generators/generators.yaml` describes and `data/` does not contain.

A test is inline text (`in`, `ans`), a copy of files below `generators/`, or the output of a command. Commands need a
service that runs programs, so they are run by a `ProgramRunner` that the caller passes. Without one, a test that has to
be generated is an error. Rules below `sample/` and `secret/` are tests; rules for invalid inputs and for examples of
outputs become those; the others are left out.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox.problems.kattis.generators import Generators, Rule
from sandbox.problems.kattis.test_data import INVALID_INPUTS, OUTPUT_EXAMPLES, TestData, build_test
from sandbox.problems.package_files import read_file
from sandbox.problems.problem import OutputExample, ProblemTest, Program
from sandbox.problems.unsupported import Unsupported

TEST_FOLDERS = ("sample", "secret")
SEED_RANGE = 2**31
_SEED = re.compile(r"\{seed(?::[0-9]+)?\}")


class ProgramRunner(Protocol):
    """Runs a program of a package in the sandbox and returns its stdout. Raises Unsupported if the program fails."""

    def run(self, program: Program, args: Sequence[str], stdin: bytes) -> bytes: ...


def add_generated_tests(
    package: Path,
    generators: Generators,
    solutions: Mapping[str, Program],
    data: TestData,
    runner: ProgramRunner | None,
    *,
    needs_answers: bool = True,
) -> None:
    """Add what the rules describe and `data/` does not contain. Raises Unsupported if a test needs a missing runner."""
    known = {test.name for test in (*data.tests, *data.invalid_inputs)} | {each.name for each in data.output_examples}
    maker = _Maker(package, generators, solutions, runner, needs_answers)
    for rule in generators.rules:
        if rule.name in known:
            continue
        if rule.folder in TEST_FOLDERS:
            data.add(maker.build_test(rule), rule.settings)
        elif reason := _find_reason_to_leave_out(rule, runner):
            data.ignored.append(f"{rule.where}: {reason}")
        elif rule.folder in INVALID_INPUTS:
            data.invalid_inputs.append(maker.build_invalid_input(rule))
        else:
            data.output_examples.append(maker.build_output_example(rule))
    data.tests.sort(key=lambda test: (not test.is_sample, test.name))


def _find_reason_to_leave_out(rule: Rule, runner: ProgramRunner | None) -> str:
    """Return why a rule that is not a test's is not used, or an empty string."""
    if rule.folder not in {*INVALID_INPUTS, *OUTPUT_EXAMPLES}:
        return "is in a folder that has no tests"
    if runner is None and rule.command:
        return "has to be generated, which needs a running service"
    return ""


@dataclass(frozen=True)
class _Maker:
    package: Path
    generators: Generators
    solutions: Mapping[str, Program]
    runner: ProgramRunner | None
    needs_answers: bool

    def build_test(self, rule: Rule) -> ProblemTest:
        files = self._take_files(rule)
        stdin = self._make_input(rule, files)
        answer = files.get("ans", None if self.needs_answers else b"")
        if answer is None:
            answer = self._solve(rule, stdin)
        return build_test(rule.name, stdin, answer, rule.settings, f"data/{rule.name}")

    def build_invalid_input(self, rule: Rule) -> ProblemTest:
        stdin = self._make_input(rule, self._take_files(rule))
        return build_test(rule.name, stdin, b"", rule.settings, f"data/{rule.name}")

    def build_output_example(self, rule: Rule) -> OutputExample:
        files = self._take_files(rule)
        for kind in ("ans", "out"):
            if kind not in files:
                raise Unsupported(f"{rule.where}: {kind}", "is missing")
        return OutputExample(
            name=rule.name,
            stdin=self._make_input(rule, files),
            answer=files["ans"],
            output=files["out"],
            is_valid=OUTPUT_EXAMPLES[rule.folder],
        )

    def _take_files(self, rule: Rule) -> dict[str, bytes]:
        """Return the input, answer and output that the rule gives directly, as text or as files to copy."""
        found: dict[str, bytes] = {}
        if "copy" in rule.keys:
            stem, folder = self.package / "generators" / str(rule.keys["copy"]), self.package / "generators"
            if not stem.resolve().is_relative_to(folder.resolve()):
                raise Unsupported(f"{rule.where}: copy", "leaves the folder generators/")
            for kind in ("in", "ans", "out"):
                path = stem.with_name(f"{stem.name}.{kind}")
                if path.is_file():
                    found[kind] = read_file(self.package, path)
            if "in" not in found:
                raise Unsupported(f"{rule.where}: copy", f"{stem.name}.in does not exist")
        for kind in ("in", "ans", "out"):
            if kind in rule.keys:
                text = str(rule.keys[kind])
                found[kind] = (text if text.endswith("\n") else text + "\n").encode()
        return found

    def _make_input(self, rule: Rule, files: Mapping[str, bytes]) -> bytes:
        if "in" in files:
            return files["in"]
        return self._require_runner(rule).run(*_parse_command(rule, self.generators), b"")

    def _solve(self, rule: Rule, stdin: bytes) -> bytes:
        name = rule.solution.lstrip("/")
        program = self.solutions.get(name) if name else next(iter(self.solutions.values()), None)
        if program is None:
            raise Unsupported(rule.where, f"needs the solution {rule.solution or 'of an accepted submission'}")
        return self._require_runner(rule).run(program, (), stdin)

    def _require_runner(self, rule: Rule) -> ProgramRunner:
        if self.runner is None:
            raise Unsupported(rule.where, "has to be generated, which needs a running service: use --generate")
        return self.runner


def _parse_command(rule: Rule, generators: Generators) -> tuple[Program, list[str]]:
    command = rule.command
    if len(_SEED.findall(command)) > 1:
        raise Unsupported(rule.where, "has more than one {seed}")
    digest = hashlib.sha512((rule.salt + command).encode()).hexdigest()
    name, *arguments = _SEED.sub(str(int(digest, 16) % SEED_RANGE), command).split()
    return generators.programs[name], arguments
