"""Read the tests under `data/`, with the settings of their groups (`testdata.yaml` or `test_group.yaml`)."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.problems.kattis.metadata import Metadata, load_mapping
from sandbox.problems.package_files import read_file
from sandbox.problems.problem import OutputExample, ProblemTest
from sandbox.problems.unsupported import Unsupported, name_invalid_values, name_the_place
from sandbox.schema import TestCase

GROUP_FILES = ("testdata.yaml", "test_group.yaml")
INVALID_INPUTS = ("invalid_input", "invalid_inputs")
OUTPUT_EXAMPLES = {
    **dict.fromkeys(("invalid_output", "invalid_outputs"), False),
    **dict.fromkeys(("valid_output", "valid_outputs"), True),
}
# Statements, illustrations and downloads, which have no influence on judging.
_SHOWN_SUFFIXES = frozenset(
    {
        ".ans",
        ".yaml",
        ".hint",
        ".desc",
        ".png",
        ".jpg",
        ".jpeg",
        ".svg",
        ".interaction",
        ".out",
        ".statement",
        ".download",
    }
)
# Settings without influence on whether a submission is accepted in a pass-fail problem.
_HARMLESS_KEYS = frozenset(
    {
        *("on_reject", "accept_score", "reject_score", "range", "full_feedback", "hint", "description", "name"),
        *("input_visualizer_args", "output_visualizer_args", "require_pass", "max_score", "score_aggregation"),
    }
)
_HARMLESS_GRADER_FLAGS = frozenset({"first_error", "worst_error", "min", "max", "sum", "avg"})


@dataclass(frozen=True)
class Settings:
    """The settings of a group or test. `output_args_from` is the file that set `output_args`."""

    args: tuple[str, ...] = ()
    input_args: tuple[str, ...] = ()
    output_args: tuple[str, ...] = ()
    output_args_from: str = "problem.yaml"

    def update(self, data: dict[str, Any], where: str) -> Settings:
        """Return the settings with the keys of a YAML file applied. Raises Unsupported, naming the key."""
        args, input_args, output_args, source = self.args, self.input_args, self.output_args, self.output_args_from
        for key, value in data.items():
            place = f"{where}: {key}"
            if key == "args":
                args = read_arguments(value, place)
            elif key in {"input_validator_args", "input_validator_flags"}:
                input_args = read_arguments(value, place)
            elif key in {"output_validator_args", "output_validator_flags"}:
                output_args, source = read_arguments(value, place), where
            elif key in {"grading", "grader_flags"}:
                _check_grading(key, value, place)
            elif key not in _HARMLESS_KEYS:
                raise Unsupported(place, "cannot be expressed")
        return Settings(args, input_args, output_args, source)


@dataclass
class TestData:
    """The tests of a package, and the other content of `data/`."""

    __test__ = False  # not a test class of pytest, despite its name

    tests: list[ProblemTest] = field(default_factory=list)
    invalid_inputs: list[ProblemTest] = field(default_factory=list)
    output_examples: list[OutputExample] = field(default_factory=list)
    output_args: tuple[str, ...] = ()
    output_args_from: str = ""
    ignored: list[str] = field(default_factory=list)

    def add(self, test: ProblemTest, settings: Settings) -> None:
        """Add a test. Raises Unsupported if its output validator arguments differ from those of the first."""
        if self.tests and settings.output_args != self.output_args:
            raise Unsupported(
                settings.output_args_from,
                f"{test.name} needs the output validator's arguments {' '.join(settings.output_args)!r}, but other "
                f"tests need {' '.join(self.output_args)!r}; a task has one checker for all its tests",
            )
        self.output_args, self.output_args_from = settings.output_args, settings.output_args_from
        self.tests.append(test)


def read_arguments(value: Any, where: str) -> tuple[str, ...]:
    """Return arguments given as text, or as a list of text. Raises Unsupported."""
    if isinstance(value, str):
        with name_invalid_values(where):
            return tuple(shlex.split(value))
    if isinstance(value, list) and all(isinstance(each, str | int | float) for each in value):
        return tuple(map(str, value))
    raise Unsupported(where, "must be text or a list of text, the same for all validators")


def _check_grading(key: str, value: Any, where: str) -> None:
    if key == "grading" and value != "default":
        raise Unsupported(where, f"{value!r} cannot be expressed")
    for flag in str(value).split() if key == "grader_flags" else ():
        if flag not in _HARMLESS_GRADER_FLAGS:
            raise Unsupported(where, f"{flag!r} cannot be expressed")


def read_test_data(package: Path, metadata: Metadata) -> TestData:
    """Read all tests, the samples first, in the order of their names. Raises Unsupported."""
    data, root = TestData(), Settings(output_args=metadata.validator_flags)
    folder = package / "data"
    settings = read_group(package, folder, root, metadata)
    for name in ("sample", "secret"):
        if (folder / name).is_dir():
            _read_tests(package, folder / name, settings, metadata, data)
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        _read_extras(package, path, settings, metadata, data)
    return data


def _read_extras(package: Path, path: Path, settings: Settings, metadata: Metadata, data: TestData) -> None:
    """Read a folder of inputs or outputs that test the validators."""
    name = path.relative_to(package).as_posix()
    if path.name in INVALID_INPUTS:
        data.invalid_inputs += [
            _read_test(package, given, b"", chosen) for given, chosen in _list_inputs(package, path, settings, metadata)
        ]
    elif path.name in OUTPUT_EXAMPLES:
        for given, _ in _list_inputs(package, path, settings, metadata):
            answer, output = given.with_suffix(".ans"), given.with_suffix(".out")
            example = OutputExample(
                name=_name_test(package, given),
                **{"stdin": read_file(package, given), "answer": read_file(package, answer)},
                output=read_file(package, output),
                is_valid=OUTPUT_EXAMPLES[path.name],
            )
            data.output_examples.append(example)
    elif path.name not in {"sample", "secret", *GROUP_FILES}:
        data.ignored.append(f"{name}: not a folder of tests")


def read_group(package: Path, folder: Path, settings: Settings, metadata: Metadata) -> Settings:
    """Return the settings with the group file of a folder applied, if there is one. Raises Unsupported."""
    for name in GROUP_FILES:
        path = folder / name
        if path.is_file():
            where = path.relative_to(package).as_posix()
            settings = settings.update(_fill_constants(load_mapping(package, where), metadata), where)
    return settings


def _fill_constants(value: Any, metadata: Metadata) -> Any:
    if isinstance(value, str):
        return metadata.replace_constants(value)
    if isinstance(value, list):
        return [_fill_constants(each, metadata) for each in value]
    return {key: _fill_constants(each, metadata) for key, each in value.items()} if isinstance(value, dict) else value


def _list_files(package: Path, folder: Path, settings: Settings, metadata: Metadata) -> Iterator[tuple[Path, Settings]]:
    """Yield the files of a group and of the groups in it. An input has its test's settings, other files the group's."""
    settings = read_group(package, folder, settings, metadata)
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.suffix != ".files":
            yield from _list_files(package, path, settings, metadata)
        elif path.suffix == ".in" and path.with_suffix(".yaml").is_file():
            place = path.with_suffix(".yaml").relative_to(package).as_posix()
            yield path, settings.update(_fill_constants(load_mapping(package, place), metadata), place)
        else:
            yield path, settings


def _list_inputs(
    package: Path, folder: Path, settings: Settings, metadata: Metadata
) -> Iterator[tuple[Path, Settings]]:
    return (found for found in _list_files(package, folder, settings, metadata) if found[0].suffix == ".in")


def _read_tests(package: Path, folder: Path, settings: Settings, metadata: Metadata, data: TestData) -> None:
    for path, chosen in _list_files(package, folder, settings, metadata):
        where = path.relative_to(package).as_posix()
        if path.suffix == ".in":
            answer = path.with_suffix(".ans")
            if not answer.is_file():
                raise Unsupported(where, "has no answer file (.ans)")
            data.add(_read_test(package, path, read_file(package, answer), chosen), chosen)
        elif path.name not in GROUP_FILES and not _belongs_to_test(path):
            data.ignored.append(f"{where}: not a part of a test")


def _belongs_to_test(path: Path) -> bool:
    return path.suffix in _SHOWN_SUFFIXES or path.suffix == ".files"


def _name_test(package: Path, given: Path) -> str:
    return given.relative_to(package / "data").as_posix().removesuffix(".in")


def _read_test(package: Path, given: Path, answer: bytes, settings: Settings) -> ProblemTest:
    """Return the test whose input is the file `given`. Raises Unsupported."""
    folder, where = given.with_suffix(".files"), given.relative_to(package).as_posix()
    files = {
        path.relative_to(folder).as_posix(): read_file(package, path)
        for path in sorted(folder.rglob("*"))
        if not path.is_dir()
    }
    return build_test(_name_test(package, given), read_file(package, given), answer, settings, where, files)


def build_test(
    name: str, stdin: bytes, answer: bytes, settings: Settings, where: str, files: dict[str, bytes] | None = None
) -> ProblemTest:
    """Return a test. Bytes that are not UTF-8 stay bytes. Raises Unsupported."""
    fields: dict[str, Any] = {**_encode("stdin", stdin), **_encode("expected", answer)}
    if files:
        fields["files"] = files
    if settings.args:
        fields["args"] = list(settings.args)
    with name_the_place(where):
        case = TestCase(**fields)
    return ProblemTest(
        name=name,
        is_sample=where.startswith("data/sample/"),
        test=case,
        validator_args=(*settings.input_args, *settings.args),
    )


def _encode(name: str, data: bytes) -> dict[str, Any]:
    try:
        return {name: data.decode()}
    except UnicodeDecodeError:
        return {f"{name}_base64": data}
