"""LiveCodeBench's private tests always count, wherever a row of SandboxFusion has them."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from typing import Any

import httpx
import pytest

from tests.api.fake_service import FakeService
from tests.dialects.test_sandbox_fusion import ROOT, _build_submit_body

PUBLIC = [{"input": "1", "output": "2", "testtype": "stdin"}]
PRIVATE = [{"input": "3", "output": "6", "testtype": "stdin"}]
PACKED = base64.b64encode(zlib.compress(pickle.dumps(json.dumps(PRIVATE)))).decode()
COLUMNS = {"public_test_cases": json.dumps(PUBLIC), "private_test_cases": PACKED}


@pytest.mark.parametrize(
    "row",
    [
        pytest.param(COLUMNS, id="columns of the row"),
        pytest.param({"test": COLUMNS}, id="in the field test"),
        pytest.param({"test": json.dumps(COLUMNS)}, id="in the field test as JSON"),
        pytest.param({"test": {"inputs": ["1"], "outputs": ["2"]}, "private_test_cases": PACKED}, id="beside test"),
        pytest.param({**COLUMNS, "test": {"public_test_cases": PUBLIC}}, id="beside public tests in the field test"),
        pytest.param(
            {**COLUMNS, "test": {"inputs": ["3"], "outputs": ["6"]}, "private_test_cases": ""}, id="in test.inputs"
        ),
        pytest.param(
            {"private_test_cases": "", "test": {"public_test_cases": PUBLIC, "inputs": ["3"], "outputs": ["6"]}},
            id="in test.inputs, after public tests",
        ),
    ],
)
async def test_private_tests_are_judged(http: httpx.AsyncClient, service: FakeService, row: dict[str, Any]) -> None:
    body = _build_submit_body(row, dataset_type="LiveCodeBenchDataset")
    assert (await http.post(f"{ROOT}/submit", json=body)).status_code == 200
    tests = service.submissions[-1].requests[0].tests  # type: ignore[union-attr]
    assert {(test.stdin, test.expected) for test in tests} == {("1", "2"), ("3", "6")}  # type: ignore[union-attr]


@pytest.mark.parametrize("empty", ["", "[]", None, []])
async def test_empty_private_tests_are_rejected(http: httpx.AsyncClient, empty: Any) -> None:
    body = _build_submit_body({**COLUMNS, "private_test_cases": empty})
    response = await http.post(f"{ROOT}/submit", json=body)
    assert response.status_code == 422
    assert "private_test_cases is empty" in response.text
    assert response.json()["detail"][0]["loc"] == ["body", "config", "provided_data", "private_test_cases"]


@pytest.mark.parametrize(
    "test", [{"public_test_cases": PUBLIC}, {"inputs": [], "outputs": []}, {**COLUMNS, "private_test_cases": ""}]
)
async def test_empty_private_tests_are_rejected_beside_a_test_without_inputs(
    http: httpx.AsyncClient, test: dict[str, Any]
) -> None:
    response = await http.post(
        f"{ROOT}/submit", json=_build_submit_body({**COLUMNS, "private_test_cases": "", "test": test})
    )
    assert response.status_code == 422
    assert "private_test_cases is empty" in response.text
