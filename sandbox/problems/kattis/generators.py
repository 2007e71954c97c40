"""Read `generators/generators.yaml` as BAPCtools does, and generate the tests that are not in `data/`.

https://github.com/RagnarGrootKoerkamp/BAPCtools/blob/master/doc/generators.md

A test is inline text (`in`, `ans`), a copy of files below `generators/`, or the output of a command. Commands need a
service that runs programs, so they are run by a `ProgramRunner` that the caller passes. Without one, a test that has to
be generated is an error.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from sandbox.problems.kattis.metadata import Metadata, load_mapping
from sandbox.problems.kattis.programs import SourceText
from sandbox.problems.kattis.test_data import GROUP_FILES, Settings, TestData, build_test, read_group
from sandbox.problems.problem import ProblemTest, Program
from sandbox.problems.unsupported import Unsupported, name_the_place

FILE = "generators/generators.yaml"
_SEED = re.compile(r"\{seed(?::[0-9]+)?\}")
_SHOWN_KEYS = frozenset({"hint", "desc", "visualizer", "interaction", "in.statement", "ans.statement", "out"})
_TEST_KEYS = frozenset({"in", "ans", "copy", "generate", "solution", "random_salt", "yaml"}) | _SHOWN_KEYS
SEED_RANGE = 2**31


class ProgramRunner(Protocol):
    """Runs a program of a package in the sandbox and returns its stdout. Raises Unsupported if it fails."""

    def run(self, program: Program, args: Sequence[str], stdin: bytes) -> bytes: ...


@dataclass(frozen=True)
class _Rule:
    """The rule for one test: its name below data/, its keys, and the settings it inherits from its groups."""

    name: str
    keys: Mapping[str, Any]
    solution: str
    salt: str
    settings: Settings

    @property
    def where(self) -> str:
        return f"{FILE}: {self.name}"


@dataclass
class Generators:
    """The programs below `generators/`, and the rules for tests."""

    programs: dict[str, Program] = field(default_factory=dict)
    rules: list[_Rule] = field(default_factory=list)


def read_generators(package: Path, metadata: Metadata) -> Generators:
    """Read the rules, in the order of the file. Raises Unsupported."""
    path = package / FILE
    found = Generators()
    if not path.is_file():
        return found
    data = load_mapping(path, FILE)
    declared = data.get("generators") or {}
    if not isinstance(declared, Mapping):
        raise Unsupported(f"{FILE}: generators", "must be a mapping")
    root = Settings(output_args=metadata.validator_flags)
    start = _Group("", str(data.get("solution") or ""), str(data.get("random_salt") or ""), root)
    found.rules = list(_Walker(package, metadata).walk(data, start))
    for rule in found.rules:
        if "generate" in rule.keys:
            name = str(rule.keys["generate"]).split()[0]
            if name not in found.programs:
                found.programs[name] = _load_generator(package, name, declared.get(name), metadata)
    return found


def _load_generator(package: Path, name: str, files: Any, metadata: Metadata) -> Program:
    folder, where = package / "generators", f"{FILE}: {name}"
    if files is not None:
        if not isinstance(files, list) or not files:
            raise Unsupported(where, "must be a list of files")
        path = folder / str(files[0])
        if len(files) > 1 and path.suffix == ".py":
            raise Unsupported(where, "a Python generator must be one file")
    else:
        path = folder / name
        if not path.exists() and not path.suffix:
            path = next(iter(sorted(folder.glob(f"{name}.*"))), path)
    if not path.resolve().is_relative_to(folder.resolve()) or not path.exists():
        raise Unsupported(where, f"generators/{path.name} does not exist")
    source = SourceText(package, path, metadata)
    with name_the_place(source.name):
        return Program(name=source.name, language=source.language, code=source.code)


@dataclass(frozen=True)
class _Group:
    """The settings that the tests of a group inherit. `prefix` is empty, or ends with a slash."""

    prefix: str
    solution: str
    salt: str
    settings: Settings


@dataclass(frozen=True)
class _Walker:
    package: Path
    metadata: Metadata

    def walk(self, data: Mapping[str, Any], parent: _Group) -> Iterator[_Rule]:
        """Yield the rules of a group and of the groups in it. Group files in `data/` count as well."""
        where = f"{FILE}: {parent.prefix.rstrip('/') or 'data'}"
        if "include" in data:
            raise Unsupported(f"{where}: include", "cannot be expressed")
        settings = read_group(self.package, self.package / "data" / parent.prefix, parent.settings, self.metadata)
        for name in GROUP_FILES:
            if data.get(name):
                settings = settings.update(dict(data[name]), f"{where}: {name}")
        solution, salt = str(data.get("solution") or parent.solution), str(data.get("random_salt") or parent.salt)
        for name, value in _number(data.get("data") or {}, where):
            yield from self._walk_entry(value, _Group(f"{parent.prefix}{name}", solution, salt, settings))

    def _walk_entry(self, value: Any, entry: _Group) -> Iterator[_Rule]:
        place = f"{FILE}: {entry.prefix}"
        if isinstance(value, str):
            value = {"generate": value}
        if not isinstance(value, Mapping):
            raise Unsupported(place, "must be a command or a mapping")
        if _is_group(value):
            yield from self.walk(value, replace(entry, prefix=f"{entry.prefix}/"))
            return
        if unknown := sorted(set(value) - _TEST_KEYS):
            raise Unsupported(f"{place}: {unknown[0]}", "cannot be expressed")
        settings = entry.settings.update(dict(value.get("yaml") or {}), place)
        solution, salt = str(value.get("solution") or entry.solution), str(value.get("random_salt") or entry.salt)
        yield _Rule(entry.prefix, value, solution, salt, settings)


def _is_group(value: Mapping[str, Any]) -> bool:
    return "data" in value or not {"in", "copy", "generate"} & value.keys()


def _number(data: Any, where: str) -> Iterator[tuple[str, Any]]:
    """Yield names and values. Names of a list's entries begin with their number, such as `1-name`."""
    if isinstance(data, Mapping):
        yield from ((str(name), value) for name, value in data.items())
        return
    if not isinstance(data, list) or not all(isinstance(entry, Mapping) and len(entry) == 1 for entry in data):
        raise Unsupported(where, "data must be a mapping, or a list of mappings with one entry")
    entries = [next(iter(entry.items())) for entry in data]
    numbers = {True: 0, False: 0}
    counts = {kind: sum(_is_numbered_group(value) is kind for _, value in entries) for kind in (True, False)}
    for name, value in entries:
        kind = _is_numbered_group(value)
        numbers[kind] += 1
        number = str(numbers[kind]).zfill(len(str(counts[kind])))
        yield "-".join(filter(None, [f"g{number}" if kind else number, str(name)])), value


def _is_numbered_group(value: Any) -> bool:
    return isinstance(value, Mapping) and _is_group(value)


def add_generated_tests(
    package: Path,
    generators: Generators,
    solutions: Mapping[str, Program],
    data: TestData,
    runner: ProgramRunner | None,
    *,
    needs_answers: bool = True,
) -> None:
    """Add the tests of the rules that have no file in `data/`. Raises Unsupported if one needs a missing runner."""
    known = {test.name for test in data.tests}
    for rule in generators.rules:
        if rule.name not in known:
            data.add(_build(package, rule, generators, solutions, runner, needs_answers), rule.settings)
    data.tests.sort(key=lambda test: (not test.is_sample, test.name))


def _build(
    package: Path,
    rule: _Rule,
    generators: Generators,
    solutions: Mapping[str, Program],
    runner: ProgramRunner | None,
    needs_answers: bool,
) -> ProblemTest:
    stdin, answer = _take_files(package, rule)
    if stdin is None:
        stdin = _require(runner, rule).run(*_parse_command(rule, generators), b"")
    if answer is None and not needs_answers:
        answer = b""
    if answer is None:
        program = solutions.get(rule.solution.lstrip("/")) if rule.solution else next(iter(solutions.values()), None)
        if program is None:
            raise Unsupported(rule.where, f"needs the solution {rule.solution or 'of an accepted submission'}")
        answer = _require(runner, rule).run(program, (), stdin)
    return build_test(rule.name, stdin, answer, rule.settings, f"data/{rule.name}")


def _take_files(package: Path, rule: _Rule) -> tuple[bytes | None, bytes | None]:
    """Return the input and the answer that the rule gives directly, as text or as files to copy."""
    found: dict[str, bytes] = {}
    if "copy" in rule.keys:
        stem = package / "generators" / str(rule.keys["copy"])
        if not stem.resolve().is_relative_to((package / "generators").resolve()):
            raise Unsupported(f"{rule.where}: copy", "leaves the folder generators/")
        for kind in ("in", "ans"):
            path = stem.with_name(f"{stem.name}.{kind}")
            if path.is_file():
                found[kind] = path.read_bytes()
        if "in" not in found:
            raise Unsupported(f"{rule.where}: copy", f"{stem.name}.in does not exist")
    for kind in ("in", "ans"):
        if kind in rule.keys:
            text = str(rule.keys[kind])
            found[kind] = (text if text.endswith("\n") else text + "\n").encode()
    return found.get("in"), found.get("ans")


def _require(runner: ProgramRunner | None, rule: _Rule) -> ProgramRunner:
    if runner is None:
        raise Unsupported(rule.where, "has to be generated, which needs a running service: use --generate")
    return runner


def _parse_command(rule: _Rule, generators: Generators) -> tuple[Program, list[str]]:
    command = " ".join(str(rule.keys["generate"]).split())
    if len(_SEED.findall(command)) > 1:
        raise Unsupported(rule.where, "has more than one {seed}")
    digest = hashlib.sha512((rule.salt + command).encode()).hexdigest()
    name, *arguments = _SEED.sub(str(int(digest, 16) % SEED_RANGE), command).split()
    return generators.programs[name], arguments
