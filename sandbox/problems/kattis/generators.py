"""Read the rules for tests in `generators/generators.yaml` as BAPCtools does.

https://github.com/RagnarGrootKoerkamp/BAPCtools/blob/master/doc/generators.md
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sandbox.problems.kattis.metadata import Metadata, load_mapping
from sandbox.problems.kattis.programs import SourceText
from sandbox.problems.kattis.test_data import GROUP_FILES, Settings, read_group
from sandbox.problems.problem import Program
from sandbox.problems.unsupported import Unsupported, name_the_place

FILE = "generators/generators.yaml"
_SHOWN_KEYS = frozenset({"hint", "desc", "visualizer", "interaction", "in.statement", "ans.statement", "out"})
_TEST_KEYS = frozenset({"in", "ans", "copy", "generate", "solution", "random_salt", "yaml"}) | _SHOWN_KEYS


@dataclass(frozen=True)
class Rule:
    """The rule for one test: its name below data/, its keys, and the settings it inherits from its groups."""

    name: str
    keys: Mapping[str, Any]
    solution: str
    salt: str
    settings: Settings

    @property
    def where(self) -> str:
        return f"{FILE}: {self.name}"

    @property
    def folder(self) -> str:
        """The folder below data/, such as `secret`."""
        return self.name.partition("/")[0]

    @property
    def command(self) -> str:
        """The command that generates the test, or an empty string."""
        return " ".join(str(self.keys.get("generate") or "").split())


@dataclass
class Generators:
    """The programs below `generators/`, and the rules for tests."""

    programs: dict[str, Program] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)


def read_generators(package: Path, metadata: Metadata) -> Generators:
    """Read the rules, in the order of the file. Raises Unsupported."""
    found = Generators()
    if not (package / FILE).is_file():
        return found
    data = load_mapping(package, FILE)
    declared = data.get("generators") or {}
    if not isinstance(declared, Mapping):
        raise Unsupported(f"{FILE}: generators", "must be a mapping")
    root = Settings(output_args=metadata.validator_flags)
    start = _Group("", str(data.get("solution") or ""), str(data.get("random_salt") or ""), root)
    found.rules = list(_Walker(package, metadata).walk(data, start))
    for rule in found.rules:
        if "generate" in rule.keys:
            if not rule.command:
                raise Unsupported(f"{rule.where}: generate", "is empty")
            name = rule.command.split()[0]
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

    def walk(self, data: Mapping[str, Any], parent: _Group) -> Iterator[Rule]:
        """Yield the rules of a group and of the groups in it. Group files in `data/` count as well."""
        where = f"{FILE}: {parent.prefix.rstrip('/') or 'data'}"
        if "include" in data:
            raise Unsupported(f"{where}: include", "cannot be expressed")
        settings = read_group(self.package, self.package / "data" / parent.prefix, parent.settings, self.metadata)
        for name in GROUP_FILES:
            if data.get(name):
                settings = settings.update(_read_settings(data[name], f"{where}: {name}"), f"{where}: {name}")
        solution, salt = str(data.get("solution") or parent.solution), str(data.get("random_salt") or parent.salt)
        for name, value in _number(data.get("data") or {}, where):
            yield from self._walk_entry(value, _Group(f"{parent.prefix}{name}", solution, salt, settings))

    def _walk_entry(self, value: Any, entry: _Group) -> Iterator[Rule]:
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
        settings = entry.settings.update(_read_settings(value.get("yaml") or {}, f"{place}: yaml"), place)
        solution, salt = str(value.get("solution") or entry.solution), str(value.get("random_salt") or entry.salt)
        yield Rule(entry.prefix, value, solution, salt, settings)


def _read_settings(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise Unsupported(where, "must be a mapping")
    return {str(name): each for name, each in value.items()}


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
