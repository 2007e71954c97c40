"""The packages that each package may import. They are read from the disk, so that a new one cannot escape."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sandbox
from sandbox.cli.server_extra import SERVER_MODULES

ROOT = Path(sandbox.__file__).parent
# Imports point from a later level to an earlier one. Packages of one level do not import each other.
LEVELS = (
    {"errors", "runner"},
    {"config", "languages", "request_context", "verify"},
    {"schema", "box"},
    {"queue", "rewards", "client", "llm"},
    {"worker", "session_host", "webhooks", "trainers", "synth", "problems", "mcp"},
    {"service", "gpu"},
    {"telemetry"},
    {"api"},
    {"processes"},
    {"cli"},
    {"__main__", "docs"},
)
LEVEL_OF = {room: number for number, rooms in enumerate(LEVELS) for room in rooms}
ROOT_MODULES = {"errors", "languages", "request_context", "service"}
# The old names of adapters, which still work for one more version.
MOVED_ADAPTERS = {
    f"rewards/{name}.py"
    for name in (
        "areal_reward",
        "function",
        "open_r1_reward",
        "openrlhf_reward",
        "outage",
        "slime_reward",
        "trl_reward",
        "verifiers_rubric",
        "verl_reward",
    )
}
TRAINING = "gpu/training"
# Third-party packages that only one place may import.
ONLY_IN = {
    "prometheus_client": ["telemetry"],
    "docker": ["box/docker"],
    "fastapi": ["api", "telemetry"],
    "starlette": ["api", "telemetry"],
    "rq": ["queue", "worker", "gpu/worker.py"],
    # Packages of several gigabytes: only programs that a GPU worker starts import them.
    "torch": [TRAINING],
    "transformers": [TRAINING],
    "trl": [TRAINING],
    "accelerate": [TRAINING],
    "safetensors": [TRAINING],
    "vllm": [TRAINING],
    "typer": ["cli", "docs/generate"],
    "openai": ["llm"],
    "datasketch": ["synth"],
    "mcp": ["mcp"],
}

Import = tuple[str, int]


def _list_modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if "_images" not in path.parts)


def _find_imports(path: Path) -> Iterator[Import]:
    """Yield every imported module with its line, wherever it is. Names imported from a package count as modules."""
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


def _find_rooms() -> set[str]:
    return {_get_room(path) for path in _list_modules()} - {"__init__"}


def test_every_room_has_its_level() -> None:
    assert _find_rooms() == set(LEVEL_OF)


def test_the_package_root_has_five_modules() -> None:
    assert {path.stem for path in ROOT.glob("*.py")} - {"__init__", "__main__"} == ROOT_MODULES


@pytest.mark.parametrize("room", sorted(_find_rooms()))
def test_a_room_imports_only_rooms_of_earlier_levels(room: str) -> None:
    faults = [
        f"{_format_location(path, line)} imports {name}"
        for path in _list_modules()
        if _get_room(path) == room and path.relative_to(ROOT).as_posix() not in MOVED_ADAPTERS
        for name, line in _find_imports(path)
        for other in [name.split(".")[1] if name.startswith("sandbox.") else room]
        if other != room and other in LEVEL_OF and LEVEL_OF[other] >= LEVEL_OF[room]
    ]
    assert not faults, "\n".join(faults)


def _find_imported_modules(path: Path) -> set[Path]:
    """Return the files of `sandbox` that a file imports, wherever the import is: under TYPE_CHECKING, in a function."""
    found = set()
    for name, _ in _find_imports(path):
        place = ROOT.parent.joinpath(*name.split("."))
        # The last part of a name is a module, a package, or an attribute of one.
        candidates = [file for one in (place, place.parent) for file in (one.with_suffix(".py"), one / "__init__.py")]
        found.update([file for file in candidates if file.is_file() and file.is_relative_to(ROOT)][:1])
    return found - {path}


def _find_cycles(imports: dict[Path, set[Path]]) -> list[list[Path]]:
    """Return groups of modules that import each other, directly or through others."""
    reachable: dict[Path, set[Path]] = {}
    for module in imports:
        seen: set[Path] = set()
        waiting = [module]
        while waiting:
            new = imports.get(waiting.pop(), set()) - seen
            seen |= new
            waiting += new
        reachable[module] = seen
    groups = {
        frozenset({module, *(other for other in seen if module in reachable[other])})
        for module, seen in reachable.items()
        if module in seen
    }
    return sorted(sorted(group) for group in groups)


def test_no_modules_import_each_other() -> None:
    cycles = _find_cycles({path: _find_imported_modules(path) for path in _list_modules()})
    assert not cycles, "\n".join(", ".join(path.relative_to(ROOT).as_posix() for path in cycle) for cycle in cycles)


def test_a_cycle_of_imports_is_found(tmp_path: Path) -> None:
    first, second, third, apart = (tmp_path / name for name in ("first.py", "second.py", "third.py", "apart.py"))
    imports = {first: {second}, second: {third}, third: {first}, apart: {first}}
    assert _find_cycles(imports) == [[first, second, third]]
    assert _find_cycles({first: {second}, second: {third}, third: set(), apart: {first}}) == []


# Imported only by the interpreters that run pytest files.
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
    """Return the lines that read a variable. Passing the whole environment to a child does not count."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.Attribute(attr="getenv") | ast.Attribute(value=ast.Attribute(attr="environ"), attr="get"):
                yield node.lineno
            case ast.Subscript(value=ast.Attribute(attr="environ"), ctx=ast.Load()):
                yield node.lineno


PARSED_BY_THE_SERVICE = "verify/mutants/cpp.py"  # imports its parser in the function that only the service calls
# Modules of the packages that a plain installation brings, and of the extras besides `server`.
CORE_MODULES = {"httpx", "pydantic", "pydantic_core", "pydantic_settings", "rich", "typer"}
EXTRA_MODULES = {
    "accelerate",
    "datasets",
    "datasketch",
    "matplotlib",
    "mcp",
    "mcp_types",
    "openai",
    "opentelemetry",
    "safetensors",
    "torch",
    "transformers",
    "trl",
    "vllm",
}
# Modules that the service needs, and that a package of the core brings anyway.
BROUGHT_BY_CORE = {"httpcore", "markdown_it"}


def test_every_foreign_module_belongs_to_the_core_or_to_an_extra() -> None:
    foreign = {
        name.partition(".")[0]
        for path in _list_modules()
        if _get_room(path) != "runner"
        for name, _ in _find_imports(path)
    } - {*sys.stdlib_module_names, "sandbox"}
    assert foreign - CORE_MODULES - EXTRA_MODULES - BROUGHT_BY_CORE <= SERVER_MODULES


def test_the_rooms_of_the_client_need_the_core_only() -> None:
    faults = [
        f"{_format_location(path, line)} imports {name}"
        for path in _list_modules()
        if _get_room(path) in {"client", "trainers", "schema", "rewards", "verify", "llm", "config", "errors"}
        for name, line in _find_imports(path)
        if name.partition(".")[0] in SERVER_MODULES and not path.match(PARSED_BY_THE_SERVICE)
    ]
    assert not faults, "\n".join(faults)


def test_the_client_loads_no_part_of_the_service() -> None:
    """The client runs in trainer processes, so it must load no Redis client, no queue and no web framework."""
    code = (
        "import sys; from sandbox.client import AsyncClient, Client; from sandbox.trainers import trl_reward; "
        "from sandbox.client import protocol; protocol.build_readiness_call(); "
        "print([name for name in ('redis', 'rq', 'fastapi', 'docker', 'sandbox.service') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_only_the_settings_read_the_environment() -> None:
    others = {"box/docker/engine.py"}  # DOCKER_HOST, which belongs to the Docker client
    faults = [
        _format_location(path, line)
        for path in _list_modules()
        if _get_room(path) != "config" and path.relative_to(ROOT).as_posix() not in others
        for line in _find_environment_reads(path)
    ]
    assert not faults, "\n".join(faults)


def test_no_module_is_called_utils_or_the_like() -> None:
    forbidden_names = {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "tools"}
    assert not [path for path in _list_modules() if path.stem in forbidden_names]


def test_nothing_that_decides_a_verdict_is_in_an_image() -> None:
    """Images contain only the runner, which can import neither checkers nor expected outputs."""
    from sandbox.box.docker.images import IMAGES, _read_context

    for image in IMAGES:
        included = {name for name in _read_context(image) if name.startswith("sandbox/")}
        assert all(name == "sandbox/__init__.py" or name.startswith("sandbox/runner/") for name in included)
