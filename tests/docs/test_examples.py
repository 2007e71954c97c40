"""The examples in the README and the guide work as described, with a real service."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.client import Client
from tests.client.docstring_examples import add_checks, check, read_docstring_examples
from tests.conftest import require_python
from tests.docs.conftest import ROOT, RunningService
from tests.docs.examples import Example, normalize_output, read_examples
from tests.virtualenvs import E2B

DOCS = ROOT / "sandbox" / "docs"
PAGES = [ROOT / "README.md", *sorted(page for page in DOCS.rglob("*.md") if read_examples(page))]
URL = "http://127.0.0.1:8080"
TOOLS = ("curl", "jq")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_examples_of_a_page_have_the_output_that_follows_them(
    page: Path, running: RunningService, tmp_path: Path
) -> None:
    left_out = []
    for example in read_examples(page):
        if missing := _find_missing_tool(example):
            left_out.append(f"line {example.line} needs {missing}: apt install {missing}")
            continue
        assert normalize_output(_run_example(example, running, tmp_path)) == normalize_output(example.output), (
            f"line {example.line}"
        )
    if left_out:
        pytest.skip(f"{page.name}, {'; '.join(left_out)}")


def test_the_examples_in_the_docstrings_of_the_client_work(
    running: RunningService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDBOX_URL", running.url)
    with Client(running.url) as client, client.session() as session:
        job = client.submit("execute", {"language": "python", "code": "print(1)"})
        for name, example in read_docstring_examples(Client).items():
            names = {"Client": Client, "client": client, "job": job, "session_id": session.id, "check": check}
            exec(compile(add_checks(example), f"example of {name}", "exec"), names)


def test_the_readme_shows_curl_and_python() -> None:
    assert [example.language for example in read_examples(ROOT / "README.md")] == ["sh", "python"]


def _find_missing_tool(example: Example) -> str:
    """Return the first tool that a shell example needs and this machine lacks."""
    wanted = [tool for tool in TOOLS if tool in example.source and example.language == "sh"]
    return next((tool for tool in wanted if shutil.which(tool) is None), "")


def _run_example(example: Example, running: RunningService, folder: Path) -> str:
    python = require_python(E2B) if "import e2b" in example.source or "from e2b" in example.source else sys.executable
    command = ["sh", "-e", "-c", example.source] if example.language == "sh" else [str(python), "-c", example.source]
    command[-1] = command[-1].replace(URL, running.url)
    done = subprocess.run(
        command, cwd=folder, env=running.environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, f"line {example.line}: {done.stderr}"
    return done.stdout
