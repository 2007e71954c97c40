"""Read a whole package into a `Problem`.

Everything that decides a verdict is read or is an error: types of problems, groups and their settings, validators,
included files. Parts that only a contest judge or a reader needs are listed in `Problem.left_out`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from sandbox.problems.kattis.generated_tests import ProgramRunner, add_generated_tests
from sandbox.problems.kattis.generators import read_generators
from sandbox.problems.kattis.metadata import Metadata, read_metadata
from sandbox.problems.kattis.output_validator import build_custom_checker, build_default_checker
from sandbox.problems.kattis.programs import SourceText, is_header, list_programs
from sandbox.problems.kattis.submissions import read_submissions
from sandbox.problems.kattis.test_data import TestData, read_test_data
from sandbox.problems.package_files import read_file
from sandbox.problems.problem import InputValidator, Problem
from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.schema import TestCase
from sandbox.schema.checkers import Checker

_GRAMMARS = frozenset({".ctd", ".viva"})
_VALIDATOR_FOLDERS = ("output_validator", "output_validators")
_INPUT_VALIDATOR_FOLDERS = ("input_validators", "input_format_validators")
_STATEMENT_FOLDERS = ("statement", "problem_statement")
_STATEMENTS = ("problem.en.md", "problem.md", "problem.en.tex", "problem.tex")  # the first that exists is imported


def read_package(package: Path, runner: ProgramRunner | None = None) -> Problem:
    """Read the package in a folder. `runner` generates tests that are not in `data/`. Raises Unsupported."""
    metadata = read_metadata(package)
    _reject_parts(package, metadata)
    submissions = read_submissions(package, metadata)
    generators = read_generators(package, metadata)
    data = read_test_data(package, metadata)
    solutions = {each.name: each for each in submissions.programs if each.is_reference}
    add_generated_tests(package, generators, solutions, data, runner, needs_answers=not metadata.is_interactive)
    if not data.tests:
        raise Unsupported("data/", "has no tests")
    if all(test.is_sample for test in data.tests):
        raise Unsupported("data/secret", "has no tests, and the samples alone accept wrong programs")
    validators, left_out = _read_input_validators(package, metadata)
    statement, other_statements = _read_statement(package, metadata)
    if not metadata.limits.cpu_time_s:
        left_out.append("problem.yaml: limits.time_limit: is not given, so the service's default applies")
    with name_the_place("package"):
        return Problem(
            name=package.resolve().name,
            title=metadata.title,
            format="kattis-legacy" if metadata.is_legacy else "kattis",
            statement=statement,
            tests=tuple(data.tests),
            language=metadata.language or None,
            checker=_build_checker(package, metadata, data),
            limits=metadata.limits,
            submissions=tuple(submissions.programs),
            input_validators=tuple(validators),
            invalid_inputs=tuple(data.invalid_inputs),
            output_examples=tuple(data.output_examples),
            left_out=(*left_out, *other_statements, *data.ignored, *submissions.left_out),
        )


def _reject_parts(package: Path, metadata: Metadata) -> None:
    for name, reason in (
        ("include", "files that are compiled with submissions cannot be expressed"),
        ("static_validator", "a static validator cannot be expressed"),
        ("graders", "a custom grader cannot be expressed"),
    ):
        if any(list_programs(package / name)):
            raise Unsupported(f"{name}/", reason)
    if not metadata.is_legacy and not metadata.is_custom and any(list_programs(package / "output_validators")):
        raise Unsupported("output_validators/", "is the legacy name; rename it to output_validator/")


def _build_checker(package: Path, metadata: Metadata, data: TestData) -> Checker:
    if not metadata.is_custom and not metadata.is_interactive:
        answers = (test.test.expected_bytes for test in data.tests if isinstance(test.test, TestCase))
        return build_default_checker(data.output_args, answers, data.output_args_from)
    programs = [path for folder in _VALIDATOR_FOLDERS for path in _list_validators(package / folder)]
    if len(programs) != 1:
        raise Unsupported("output_validators/", f"must have one program, but has {len(programs)}")
    return build_custom_checker(SourceText(package, programs[0], metadata), data.output_args, metadata)


def _list_validators(folder: Path) -> Sequence[Path]:
    """Return the programs of a folder. In `output_validator/`, the files together are one program."""
    programs = [path for path in list_programs(folder) if not is_header(path)]
    return [folder] if folder.name == "output_validator" and len(programs) > 1 else programs


def _read_input_validators(package: Path, metadata: Metadata) -> tuple[list[InputValidator], list[str]]:
    found, left_out = list[InputValidator](), list[str]()
    for folder in _INPUT_VALIDATOR_FOLDERS:
        for path in list_programs(package / folder):
            name = path.relative_to(package).as_posix()
            if path.suffix in _GRAMMARS:
                left_out.append(f"{name}: grammars of this kind are not run")
            elif not is_header(path):
                source = SourceText(package, path, metadata)
                with name_the_place(name):
                    found.append(InputValidator(name=name, language=source.language, code=source.code))
    return found, left_out


def _read_statement(package: Path, metadata: Metadata) -> tuple[str, list[str]]:
    """Return the English statement, or the first in another language, and lines about the files that are left out."""
    files = [path for folder in _STATEMENT_FOLDERS for path in list_programs(package / folder)]
    texts = [path for path in files if path.name.startswith("problem.") and path.suffix in {".md", ".tex"}]
    texts.sort(key=lambda path: _STATEMENTS.index(path.name) if path.name in _STATEMENTS else len(_STATEMENTS))
    left_out = [
        f"{path.relative_to(package).as_posix()}: only the text of one statement is imported"
        for path in files
        if path not in texts[:1]
    ]
    if not texts:
        return "", left_out
    return metadata.replace_constants(read_file(package, texts[0]).decode(errors="replace")), left_out
