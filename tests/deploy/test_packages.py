"""What brings packages: uv where it is there, with what pip was told, and pip where uv is missing or fails."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "deploy" / "packages.py"


@pytest.fixture(scope="module")
def packages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("packages", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_uv_is_told_what_pip_was_told_and_keeps_what_it_was_told_itself(packages: ModuleType) -> None:
    listed = (
        "global.extra-index-url='\\nhttps://one.example/simple\\nhttps://two.example/simple'\n"
        "global.find-links='/old'\n:env:.find-links='/wheels'\nglobal.timeout='5'\n"
    )
    environment = packages.build_uv_environment(
        packages.parse_pip_settings(listed), {"UV_HTTP_TIMEOUT": "9", "HOME": "/root"}
    )
    assert environment == {
        "UV_INDEX_STRATEGY": "unsafe-best-match",
        "UV_EXTRA_INDEX_URL": "https://one.example/simple https://two.example/simple",
        "UV_FIND_LINKS": "/wheels",
        "UV_HTTP_TIMEOUT": "9",
        "HOME": "/root",
    }


def test_pip_comes_after_uv_and_alone_where_there_is_none(packages: ModuleType, tmp_path: Path) -> None:
    uv = tmp_path / "uv"
    assert [command[0] for command in packages.build_commands(uv, "python", ["x"])] == [sys.executable]
    uv.touch()
    assert [command[0] for command in packages.build_commands(uv, "python", ["x"])] == [str(uv), sys.executable]


def test_a_package_gets_into_the_environment_also_when_uv_fails(tmp_path: Path) -> None:
    """A wheel of nothing, from a folder: no index is asked."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "other")], check=True)
    source = tmp_path / "nothing"
    source.mkdir()
    (source / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n'
        '[project]\nname = "nothing"\nversion = "1"\n'
    )
    (source / "nothing.py").write_text("")
    built = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(built, cwd=source, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    python = tmp_path / "other" / "bin" / "python"
    command = [sys.executable, str(SCRIPT), "--into", str(python), "--no-deps", "--no-index", str(wheel)]
    broken = {"PATH": "/usr/bin:/bin", "UV_INDEX_STRATEGY": "none there is"}
    done = subprocess.run(command, env=broken, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    subprocess.run([python, "-c", "import nothing"], check=True)
