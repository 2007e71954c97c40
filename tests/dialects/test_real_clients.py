"""The peers' own unmodified clients from the package index; only the URL is changed."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.conftest import skip_or_fail
from tests.virtualenvs import CLIENTS, CannotInstall, ensure_python

pytestmark = [pytest.mark.frameworks, pytest.mark.timeout(400)]

SANDBOX_FUSION = """
import json, sys
from sandbox_fusion import (
    RunCodeRequest, RunJupyterRequest, SubmitRequest, TestConfig, run_code, run_concurrent, run_jupyter, submit,
)

url = sys.argv[1] + "/dialects/sandbox_fusion"
good = run_code(RunCodeRequest(code="print(input())", language="python", stdin="21"), endpoint=url)
late = run_code(RunCodeRequest(code="while True: pass", language="python", run_timeout=1), endpoint=url)
cpp = run_code(RunCodeRequest(code="int main() { return x; }", language="cpp"), endpoint=url)
many = run_concurrent(
    run_code,
    kwargs=[{"request": RunCodeRequest(code=f"print({i})", language="python"), "endpoint": url} for i in range(8)],
)
cells = run_jupyter(RunJupyterRequest(cells=["a = 20", "a + 1", "1 / 0", "print(a)"]), endpoint=url)
rows = {"test": [{"input": {"stdin": "2"}, "output": {"stdout": "4"}}]}
config = TestConfig(language="python", dataset_type="CommonOJDataset", provided_data=rows)
fenced = "```python\\nprint(int(input()) * 2)\\n```"
judged = submit(SubmitRequest(dataset="oj", id=1, completion=fenced, config=config), endpoint=url)
print(json.dumps({
    "good": [good.status, good.run_result.stdout],
    "late": [late.status, late.run_result.status],
    "cpp": [cpp.status, cpp.run_result, cpp.compile_result.return_code],
    "many": [each.run_result.stdout for each in many],
    "cells": [cells.status, cells.cells[1].display, cells.cells[2].error[0]["ename"], cells.cells[3].stdout],
    "judged": [judged.accepted, judged.tests[0].exec_info.status],
}))
"""

JUDGE0 = """
import json, sys
import judge0
from judge0 import Client, LanguageAlias, Submission

client = Client(sys.argv[1] + "/dialects/judge0")
python = LanguageAlias.PYTHON
one = judge0.run(client=client, source_code="print('hello')", language=python)
cases = [judge0.TestCase("2", "4"), judge0.TestCase("3", "7")]
many = judge0.run(client=client, source_code="print(int(input()) * 2)", language=python, test_cases=cases)
bad = judge0.run(client=client, source_code="int main() { return x; }", language=LanguageAlias.CPP)
print(json.dumps({
    "one": [str(one.status), one.stdout],
    "many": [[str(each.status), each.stdout] for each in many],
    "bad": [str(bad.status), "not declared" in bad.compile_output],
}))
"""


@pytest.fixture(scope="module")
def python() -> Path:
    """A Python interpreter with the clients installed, kept between test sessions."""
    try:
        return ensure_python(CLIENTS)
    except CannotInstall as error:
        skip_or_fail(str(error))


@pytest.fixture(scope="module")
def url(live_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_in_thread(create_app(ApiSettings(home=tmp_path_factory.mktemp("api")), live_service)) as address:
        yield address


def _run_client(python: Path, script: str, url: str) -> dict[str, Any]:
    ended = subprocess.run([python, "-c", script, url], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 0, ended.stderr[-3000:]
    report: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return report


def test_the_sandbox_fusion_sdk(python: Path, url: str) -> None:
    assert _run_client(python, SANDBOX_FUSION, url) == {
        "good": ["Success", "21\n"],
        "late": ["Failed", "TimeLimitExceeded"],
        "cpp": ["Failed", None, 1],
        "many": [f"{number}\n" for number in range(8)],
        "cells": ["Success", [{"text/plain": "21"}], "ZeroDivisionError", "20\n"],
        "judged": [True, "Success"],
    }


def test_the_judge0_sdk(python: Path, url: str) -> None:
    assert _run_client(python, JUDGE0, url) == {
        "one": ["Accepted", "hello\n"],
        "many": [["Accepted", "4\n"], ["Wrong Answer", "6\n"]],
        "bad": ["Compilation Error", True],
    }
