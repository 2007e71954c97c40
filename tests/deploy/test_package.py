"""`pip install` gets a locked set of packages, and a wheel that works without the repository."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from pathlib import Path

import pytest

from sandbox.box.docker.images import IMAGES, compute_image_tag
from tests.processes.sandbox_command import find_free_port

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-test.lock", "requirements-uv.lock")


def read_lock(name: str) -> dict[str, str]:
    """Return package -> version from a lock file."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE))


def parse_package_names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[<>=~! ]", requirement, maxsplit=1)[0].lower() for requirement in requirements}


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    parsed: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return parsed


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_place_to_download_from(name: str) -> None:
    assert not re.search(r"://|--(extra-)?index|find-links|file:", (ROOT / name).read_text())


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_its_hashes(name: str) -> None:
    entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []


def test_the_tests_run_against_the_packages_that_the_service_runs_on() -> None:
    service, tests = read_lock("requirements.lock"), read_lock("requirements-test.lock")
    assert service.items() <= tests.items()


def test_every_dependency_is_locked(project: dict[str, object]) -> None:
    dependencies, extras = project["dependencies"], project["optional-dependencies"]
    assert isinstance(dependencies, list)
    assert isinstance(extras, dict)
    assert parse_package_names(dependencies) <= set(read_lock("requirements.lock"))
    assert parse_package_names(extras["test"]) <= set(read_lock("requirements-test.lock"))


def test_the_wheel_carries_what_the_service_needs(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in ("sandbox/languages.toml", *(f"sandbox/_images/{image}/Dockerfile" for image in IMAGES)):
        assert needed in names
    assert any(name.endswith("licenses/LICENSE") for name in names)


def test_the_wheel_carries_no_tests_and_no_deployment(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.startswith("verdict_sandbox-")} == {"sandbox"}


def test_the_wheel_carries_the_pages_of_the_guide_without_their_generator(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert "sandbox/docs/reference/rest.md" in names
    assert not [name for name in names if name.startswith("sandbox/docs/") and name.endswith(".py")]


def test_the_wheel_makes_the_same_images_as_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "import sandbox.box.docker.images as i; print(i.__file__, *map(i.compute_image_tag, i.IMAGES))"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}"]
    printed = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout.split()
    assert Path(printed[0]).is_relative_to(tmp_path)
    assert printed[1:] == [compute_image_tag(name) for name in IMAGES]


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.usefixtures("images")
def test_an_installed_wheel_serves_without_the_repository(wheel: Path, tmp_path: Path) -> None:
    """Start from `pip install`, in a new environment that borrows this one's dependencies."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    (packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    with tempfile.TemporaryDirectory(prefix="wheel-") as home:
        environment = {"PATH": os.environ["PATH"], "SANDBOX_HOME": home, "SANDBOX_PORT": str(find_free_port())}

        def sandbox(*words: str) -> str:
            command = [str(python), "-m", "sandbox", *words]
            done = subprocess.run(command, env=environment, cwd=home, capture_output=True, text=True, timeout=120)
            assert done.returncode == 0, done.stderr
            return done.stdout

        where = subprocess.run([python, "-c", "import sandbox; print(sandbox.__file__)"], capture_output=True, cwd=home)
        assert where.stdout.decode().startswith(str(packages))
        try:
            sandbox("up", "--slots", "1", "--detach")
            Path(home, "main.py").write_text("print(6 * 7)")
            assert sandbox("run", str(Path(home, "main.py"))) == "42\n"
        finally:
            sandbox("down")
