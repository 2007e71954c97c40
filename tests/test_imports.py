"""The rooms of the house and which door leads to which: who may import whom."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox

ROOT = Path(sandbox.__file__).parent
# What may be imported of ours, by room. A room that is not named here may import itself only.
SHARED = {"errors", "config", "schema", "languages", "error_codes", "caller", "origin", "ids"}
MAY_IMPORT = {
    "runner": set[str](),
    "verify": {"runner.contract", "runner.reports", "runner.values", "errors"},
    "box": {"runner", "errors", "config", "languages"},
    "jobs": {"runner", "verify", "box", "rewards.request", *SHARED},
    "metrics": {"api.door", "service", "box", "jobs", "runner", *SHARED},  # decorators around its consumers' Protocols
    "service": {"jobs", "verify", "runner.contract", *SHARED},
    "gpu": {"jobs.connection", "jobs.gpu_jobs", "client", "passing", "rewards", "runner.contract", *SHARED},
    "schema": {"runner.contract", "rewards.score", "rewards.extract", "verify", "errors", "languages"},
    "synth": {"client", "passing", "rewards.extract", "runner.contract", "schema", "errors"},
    "errors": set[str](),
    "memory": set[str](),
    "passing": set[str](),
    "caller": set[str](),
    "origin": set[str](),
    "ids": set[str](),
    "api_keys": {"errors", "caller"},
    "config": set[str](),
    "languages": {"errors", "runner.contract"},
    "error_codes": {"errors"},
}
# These alone wire, so they may import what they like.
MAY_IMPORT_ANYTHING = {"api", "cli", "__main__", "up", "tree", "doctor", "demo"}
TRAINERS = ["gpu/train_sft.py", "gpu/train_grpo.py", "gpu/reporting.py", "gpu/pretrained.py"]
# Foreign packages that one place translates for all others.
ONLY_IN = {
    "prometheus_client": ["metrics"],
    "docker": ["box/docker_engine.py", "box/docker_images.py"],
    "fastapi": ["api", "metrics"],
    "starlette": ["api", "metrics"],
    "rq": ["jobs", "gpu/worker.py"],
    # What fills gigabytes is imported by the programs that a GPU worker starts, and by nothing else.
    "torch": TRAINERS,
    "transformers": TRAINERS,
    "trl": TRAINERS,
    "accelerate": TRAINERS,
    "vllm": TRAINERS,
    "typer": ["cli", "cli.py"],
}

Import = tuple[str, int]


def _list_modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if "_images" not in path.parts)


def _find_imports(path: Path) -> Iterator[Import]:
    """Every module a file imports, wherever it does, with the line. Names imported from a package count as modules."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute here"
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def _get_room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def _is_within(name: str, allowed: str) -> bool:
    return name == allowed or name.startswith(allowed + ".")


def _format_location(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT.parent)}:{line}"


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_a_room_imports_only_what_the_design_lets_it(room: str) -> None:
    faults = [
        f"{_format_location(path, line)} imports {name}"
        for path in _list_modules()
        if _get_room(path) == room
        for name, line in _find_imports(path)
        if _is_within(name, "sandbox") and name not in {"sandbox", "sandbox.__version__"}
        for module in [name.removeprefix("sandbox.")]
        if not any(_is_within(module, allowed) for allowed in {room, *MAY_IMPORT[room]})
    ]
    assert not faults, "\n".join(faults)


# Imported by the interpreters that run pytest files, and by no other.
EXTRA_IMPORTS = {"pytest_file.py": {"pytest", "_pytest"}}


def test_the_runner_needs_the_standard_library_only() -> None:
    faults = [
        f"{_format_location(path, line)} imports {name}"
        for path in _list_modules()
        if _get_room(path) == "runner"
        for name, line in _find_imports(path)
        if name.partition(".")[0] not in sys.stdlib_module_names | EXTRA_IMPORTS.get(path.name, set())
        and not _is_within(name, "sandbox.runner")
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("package", sorted(ONLY_IN))
def test_a_foreign_package_is_imported_in_its_own_place_only(package: str) -> None:
    faults = [
        f"{_format_location(path, line)} imports {name}"
        for path in _list_modules()
        for name, line in _find_imports(path)
        if _is_within(name, package)
        if not any(path.is_relative_to(ROOT / place) for place in ONLY_IN[package])
    ]
    assert not faults, "\n".join(faults)


def _find_environment_reads(path: Path) -> Iterator[int]:
    """Lines that look a variable up; handing the whole environment on to a child is no reading."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(attr="getenv") | ast.Attribute(value=ast.Attribute(attr="environ"), attr="get"):
                yield node.lineno
            case ast.Subscript(value=ast.Attribute(attr="environ"), ctx=ast.Load()):
                yield node.lineno


def test_only_the_settings_read_the_environment() -> None:
    others = {"config.py", "box/docker_engine.py"}  # the latter: DOCKER_HOST, which is the Docker client's own
    faults = [
        _format_location(path, line)
        for path in _list_modules()
        if path.relative_to(ROOT).as_posix() not in others
        for line in _find_environment_reads(path)
    ]
    assert not faults, "\n".join(faults)


def test_no_module_is_called_utils_or_the_like() -> None:
    forbidden_names = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "tools"}
    assert not [path for path in _list_modules() if path.stem in forbidden_names]


def test_nothing_that_decides_a_verdict_is_in_an_image() -> None:
    """What is copied into the images is the runner; it can import neither checkers nor expected outputs."""
    from sandbox.box.docker.images import IMAGES, _read_context

    for image in IMAGES:
        included = {name for name in _read_context(image) if name.startswith("sandbox/")}
        assert all(name == "sandbox/__init__.py" or name.startswith("sandbox/runner/") for name in included)
