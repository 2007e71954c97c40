"""Read `problem.yaml`, in the legacy format and in the format of 2025-09.

https://www.kattis.com/problem-package-format/spec/legacy, https://www.kattis.com/problem-package-format/spec/2025-09
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field

from sandbox.problems.limits import build_limits
from sandbox.problems.package_files import read_file, read_text
from sandbox.problems.problem import StrictModel
from sandbox.problems.unsupported import Unsupported
from sandbox.schema.wire import LimitsRequest

MAX_YAML_BYTES = 4 << 20
LEGACY_VERSIONS = frozenset({"legacy", "legacy-icpc"})
CURRENT_VERSIONS = frozenset({"2023-07-draft", "2025-09-draft", "2025-09", "draft"})
# Keys that describe a problem but do not change how it is judged.
_DESCRIPTIVE = {
    "problem_format_version",
    "name",
    "uuid",
    "license",
    "rights_owner",
    "keywords",
    "source",
    "limits",
    "type",
}
_LEGACY_KEYS = _DESCRIPTIVE | {"author", "source_url", "validation", "validator_flags", "grading", "libraries"}
_CURRENT_KEYS = _DESCRIPTIVE | {"version", "credits", "embargo_until", "languages", "allow_file_writing", "constants"}
_LIMIT_KEYS = {
    *("time_limit", "memory", "output", "validation_time", "validation_memory"),
    # Bounds for package authors and contest judges.
    *("time_multiplier", "time_safety_margin", "time_multipliers", "time_resolution", "code", "compilation_time"),
    *("compilation_memory", "validation_output"),
}
_TIME_IN_INI = re.compile(r"^\s*timelimit\s*=\s*['\"]?([\d.]+)['\"]?\s*$", re.MULTILINE)
_CONSTANT = re.compile(r"\{\{\s*([A-Za-z_]\w*)\s*\}\}")


class Metadata(StrictModel):
    """The parts of `problem.yaml` that decide how a submission is judged."""

    is_legacy: bool
    title: str = ""
    is_custom: bool = False
    is_interactive: bool = False
    language: str = ""
    validator_flags: tuple[str, ...] = ()
    limits: LimitsRequest = LimitsRequest()
    checker_limits: LimitsRequest = LimitsRequest()
    constants: dict[str, str] = Field(default_factory=dict)

    def replace_constants(self, text: str) -> str:
        """Replace `{{name}}` with the value of the constant; names that are not defined stay."""
        return _CONSTANT.sub(lambda match: self.constants.get(match[1], match[0]), text) if self.constants else text


def load_yaml(package: Path, name: str) -> Any:
    """Load the YAML file `name` of the package. Raises Unsupported."""
    import yaml

    data = read_file(package, name)
    try:
        if len(data) > MAX_YAML_BYTES:
            raise Unsupported(name, f"is larger than {MAX_YAML_BYTES >> 20} MiB")
        return yaml.safe_load(data)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise Unsupported(name, f"is not YAML: {' '.join(str(error).split())}") from None


def load_mapping(package: Path, name: str) -> dict[str, Any]:
    """Load a YAML file that holds a mapping, or nothing. Raises Unsupported."""
    value = load_yaml(package, name)
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise Unsupported(name, "must be a mapping with text as keys")
    return value


def read_metadata(folder: Path) -> Metadata:
    """Read `problem.yaml` and the files next to it that set a time limit. Raises Unsupported."""
    data = load_mapping(folder, "problem.yaml")
    version = str(data.get("problem_format_version", "legacy"))
    if version not in LEGACY_VERSIONS | CURRENT_VERSIONS:
        known = ", ".join(sorted(LEGACY_VERSIONS | CURRENT_VERSIONS))
        raise Unsupported("problem.yaml: problem_format_version", f"{version!r} is not one of {known}")
    is_legacy = version in LEGACY_VERSIONS
    for key in data:
        if key not in (_LEGACY_KEYS if is_legacy else _CURRENT_KEYS):
            raise Unsupported(f"problem.yaml: {key}", f"unknown key in format {version}")
    limits = data.get("limits") or {}
    if not isinstance(limits, Mapping):
        raise Unsupported("problem.yaml: limits", "must be a mapping")
    for key in limits:
        if key not in _LIMIT_KEYS:
            raise Unsupported(f"problem.yaml: limits.{key}", "unknown key")
    kinds = _read_types(data)
    constants = data.get("constants") or {}
    if not isinstance(constants, Mapping):
        raise Unsupported("problem.yaml: constants", "must be a mapping")
    words = str(data.get("validation", "default")).split() if is_legacy else []
    _check_validation(words)
    return Metadata(
        is_legacy=is_legacy,
        title=_read_title(data.get("name")),
        is_custom="custom" in words or (not is_legacy and (folder / "output_validator").is_dir()),
        is_interactive="interactive" in words or "interactive" in kinds,
        language=_read_language(data.get("languages")),
        validator_flags=tuple(str(data.get("validator_flags") or "").split()),
        limits=build_limits(
            _read_number(limits, "time_limit") or _read_time_limit_file(folder),
            _read_number(limits, "memory"),
            _read_number(limits, "output"),
            where="problem.yaml: limits",
        ),
        checker_limits=build_limits(
            _read_number(limits, "validation_time"),
            _read_number(limits, "validation_memory"),
            where="problem.yaml: limits.validation",
        ),
        constants={str(name): str(value) for name, value in constants.items()},
    )


def _read_types(data: Mapping[str, Any]) -> set[str]:
    value = data.get("type", "pass-fail")
    kinds = {str(kind) for kind in (value if isinstance(value, list) else [value])}
    for kind in sorted(kinds - {"pass-fail", "interactive"}):
        raise Unsupported("problem.yaml: type", f"{kind} problems cannot be expressed; use pass-fail or interactive")
    return kinds


def _check_validation(words: list[str]) -> None:
    for word in words:
        if word not in {"default", "custom", "interactive"}:
            raise Unsupported("problem.yaml: validation", f"{word!r} cannot be expressed")


def _read_title(value: Any) -> str:
    if isinstance(value, Mapping):
        return str(value.get("en") or next(iter(value.values()), ""))
    return str(value or "")


def _read_language(value: Any) -> str:
    """Return the only language that submissions may use; empty for all."""
    names = value if isinstance(value, list) else str(value or "all").split()
    if names == ["all"]:
        return ""
    if len(names) > 1:
        raise Unsupported("problem.yaml: languages", "a task allows one language or all, but not a list of several")
    return {"python3": "python", "python2": "python2"}.get(str(names[0]), str(names[0]))


def _read_number(limits: Mapping[str, Any], key: str) -> float | None:
    value = limits.get(key)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise Unsupported(f"problem.yaml: limits.{key}", f"{value!r} is not a number")
    return value


def _read_time_limit_file(folder: Path) -> float | None:
    """Return the time limit in seconds of a legacy package, from `.timelimit` or `domjudge-problem.ini`."""
    plain, ini = folder / ".timelimit", folder / "domjudge-problem.ini"
    try:
        if plain.is_file():
            return float(read_text(folder, plain.name))
        match = _TIME_IN_INI.search(read_text(folder, ini.name)) if ini.is_file() else None
        return float(match[1]) if match else None
    except ValueError as error:
        raise Unsupported(plain.name if plain.is_file() else ini.name, f"has no time limit: {error}") from None
