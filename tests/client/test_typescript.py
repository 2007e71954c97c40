"""The TypeScript client: its types are those of the API, and it works on Node with a real service."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.client import generate_typescript
from tests.conftest import skip_or_fail

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(300)]

MISSPELLED = """
import { Client } from "./client.js";
export const result = new Client().execute({ language: "python", cod: "print(1)" });
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the client's folder, with its packages and its build."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not installed: apt-get install npm")
    folder = tmp_path_factory.mktemp("typescript") / "client"
    left_out = shutil.ignore_patterns("node_modules", "dist")
    shutil.copytree(generate_typescript.FOLDER, folder, ignore=left_out)
    installed = _run(folder, "npm", "ci", "--no-audit", "--no-fund", "--prefer-offline")
    if installed.returncode:
        skip_or_fail(f"npm cannot install the packages of the client: {installed.stderr[-800:]}")
    built = _run(folder, "npm", "run", "build")
    assert built.returncode == 0, built.stdout
    return folder


@pytest.fixture(scope="module")
def url(live_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_in_thread(create_app(ApiSettings(home=tmp_path_factory.mktemp("api")), live_service)) as address:
        yield address


def _run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def test_the_types_are_those_of_the_api(folder: Path) -> None:
    generate_typescript.write_types(folder)
    path = Path("src") / "schema.d.ts"
    committed = (generate_typescript.FOLDER / path).read_text(encoding="utf-8")
    assert (folder / path).read_text(encoding="utf-8") == committed, f"run {generate_typescript.COMMAND}"


def test_the_client_works_on_node(folder: Path, url: str) -> None:
    done = _run(folder, "npm", "test", SANDBOX_URL=url)
    assert done.returncode == 0, done.stdout
    assert "pass 6" in done.stdout


def test_a_misspelled_field_does_not_compile(folder: Path) -> None:
    (folder / "src" / "misspelled.ts").write_text(MISSPELLED)
    try:
        done = _run(folder, "npx", "tsc", "--noEmit")
    finally:
        (folder / "src" / "misspelled.ts").unlink()
    assert done.returncode != 0
    assert "'cod' does not exist in type" in done.stdout
    assert "Did you mean to write 'code'?" in done.stdout


def test_the_lock_names_no_place_to_download_from() -> None:
    lock = (generate_typescript.FOLDER / "package-lock.json").read_text(encoding="utf-8")
    assert "://" not in lock, "remove the entries `resolved` and `funding`"
