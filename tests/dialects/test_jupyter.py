"""SandboxFusion's notebook cells, in real boxes."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread

TABLE_CLASS = """
class Table:
    def _repr_html_(self):
        return '<b>1</b>'

    def __repr__(self):
        return 'T'
"""
EMPTY_CELL: dict[str, Any] = {"stdout": "", "stderr": "", "display": [], "error": []}


@pytest.fixture(scope="module")
def url(live_service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serve_in_thread(create_app(ApiSettings(home=tmp_path_factory.mktemp("api")), live_service)) as address:
        yield f"{address}/dialects/sandbox_fusion/run_jupyter"


def run_cells(url: str, *cells: str, **more: Any) -> dict[str, Any]:
    answer = httpx.post(url, json={"cells": list(cells), **more}, timeout=60)
    assert answer.status_code == 200, answer.text
    answer_body: dict[str, Any] = answer.json()
    return answer_body


def test_cells_share_a_namespace_and_each_has_its_own_output(url: str) -> None:
    result = run_cells(url, "a = 123", "a", "print(a)", "import sys; _ = sys.stderr.write('odd')", "a + 1;")
    assert (result["status"], result["message"], result["driver"]["status"]) == ("Success", "", "Finished")
    assert result["cells"] == [
        EMPTY_CELL,
        {**EMPTY_CELL, "display": [{"text/plain": "123"}]},
        {**EMPTY_CELL, "stdout": "123\n"},
        {**EMPTY_CELL, "stderr": "odd"},
        EMPTY_CELL,
    ]


def test_a_cell_that_raises_does_not_keep_the_next_from_running(url: str) -> None:
    cells = run_cells(url, "a = 'hello'", "def f():\n    return 1 / 0\nf()", "print(a", "raise SystemExit(3)", "a")[
        "cells"
    ]
    assert [cell["error"][0]["ename"] if cell["error"] else "" for cell in cells] == [
        "", "ZeroDivisionError", "SyntaxError", "SystemExit", "",
    ]  # fmt: skip
    (error,) = cells[1]["error"]
    assert error["evalue"] == "division by zero"
    text = "\n".join(error["traceback"])
    assert text.startswith("Traceback (most recent call last)")
    assert 'File "<cell 2>", line 2, in f\n    return 1 / 0' in text
    assert "main.py" not in text
    assert cells[4]["display"] == [{"text/plain": "'hello'"}]


def test_rich_values_children_and_await(url: str) -> None:
    cells = run_cells(
        url,
        TABLE_CLASS,
        "display(1, Table()); Table()",
        "import os; os.system('echo from a child'); print('after')",
        "import asyncio\nawait asyncio.sleep(0.01, 'slept')",
        "import pickle; pickle.loads(pickle.dumps(Table())).__class__ is Table",
        "input()",
    )["cells"]
    table = {"text/plain": "T", "text/html": "<b>1</b>"}
    assert cells[1]["display"] == [{"text/plain": "1"}, table, table]
    assert (cells[2]["stdout"], cells[2]["display"]) == ("from a child\nafter\n", [])
    assert cells[3]["display"] == [{"text/plain": "'slept'"}]
    assert cells[4]["display"] == [{"text/plain": "True"}]
    assert cells[5]["error"][0]["ename"] == "EOFError"


def test_files_go_in_and_come_out(url: str) -> None:
    result = run_cells(
        url,
        "open('out.txt', 'w').write(open('in.txt').read().upper())",
        files={"in.txt": b64encode(b"text").decode()},
        fetch_files=["out.txt"],
    )
    assert result["cells"][0]["display"] == [{"text/plain": "4"}]
    assert b64decode(result["files"]["out.txt"]) == b"TEXT"


def test_every_request_has_a_kernel_of_its_own(url: str) -> None:
    run_cells(url, "leftover = 1; open('left.txt', 'w').close()")
    cells = run_cells(url, "leftover", "import os; os.path.exists('left.txt')")["cells"]
    assert cells[0]["error"][0]["ename"] == "NameError"
    assert cells[1]["display"] == [{"text/plain": "False"}]


@pytest.mark.parametrize("limit", [{"cell_timeout": 0.5}, {"total_timeout": 1}])
def test_cells_that_take_too_long_fail_the_notebook(url: str, limit: dict[str, float]) -> None:
    result = run_cells(url, "1", "while True: pass", "2", **limit)
    assert (result["status"], result["driver"]["status"], result["cells"]) == ("Failed", "TimeLimitExceeded", [])


def test_a_kernel_that_dies_fails_the_notebook(url: str) -> None:
    result = run_cells(url, "1", "import os; os._exit(7)")
    assert (result["status"], result["driver"]["return_code"], result["cells"]) == ("Failed", 7, [])
    assert (
        run_cells(url, "import os; os.write(1, b'x' * 300_000); print(1)")["cells"][0]["stdout"]
        == "x" * 300_000 + "1\n"
    )


def test_a_notebook_that_cannot_be_is_refused_in_the_peers_words(url: str) -> None:
    answer = httpx.post(url, json={"cells": ["1"], "kernel": "ir"})
    assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "kernel"])
