"""APIs for dialect tests, with results scripted by the test, results chosen by the program, or a real service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.schema import VerifyRequest
from sandbox.schema.hack import HackRequest
from sandbox.schema.vote import VoteRequest
from sandbox.service import Service, SubmissionRequest
from tests.api.fake_service import FakeService

# The first words of the imports that graders put before a Python program, on a line of their own.
GRADER_IMPORTS = ("from string import *", "import math, re")
USAGE = {"cpu_time_s": 0.01, "wall_time_s": 0.02, "memory_mb": 9.0}


class ScriptedResults:
    """Results of programs by their code: the fields of an execute result, or the verdicts of a verify result."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.verdicts: dict[str, list[str]] = {}
        self.compile_results: dict[str, dict[str, Any]] = {}

    def __call__(self, request: SubmissionRequest) -> dict[str, Any]:
        assert not isinstance(request, VoteRequest | HackRequest)
        code = request.code.partition("\n")[2] if request.code.startswith(GRADER_IMPORTS) else request.code
        if isinstance(request, VerifyRequest):
            return self._build_verify_result(request, code)
        return {"status": "ok", "exit_code": 0, "stdout": "", "usage": USAGE, **self.runs.get(code, {})}

    def _build_verify_result(self, request: VerifyRequest, code: str) -> dict[str, Any]:
        verdicts = self.verdicts.get(code, ["accepted"] * len(request.tests))
        assert len(verdicts) == len(request.tests)
        passed = verdicts.count("accepted")
        return {
            "verdict": next((verdict for verdict in verdicts if verdict != "accepted"), "accepted"),
            "passed": passed,
            "total": len(verdicts),
            "score": passed / len(verdicts),
            "tests": [{"verdict": verdict, "usage": USAGE} for verdict in verdicts],
            "compile": self.compile_results.get(code),
        }


@pytest.fixture
def script() -> ScriptedResults:
    return ScriptedResults()


@pytest.fixture
def service(script: ScriptedResults) -> FakeService:
    return FakeService(results=script)


@pytest.fixture
async def http(service: FakeService, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(ApiSettings(home=tmp_path, max_body_mb=1, request_timeout_s=20), service)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        yield client


@pytest.fixture
async def live_http(live_service: Service, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """The dialects with a real service."""
    app = create_app(ApiSettings(home=tmp_path), live_service)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://api/dialects", timeout=60) as client:
        yield client


async def post(http: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Any:
    """Post a valid body to a dialect and return the response."""
    response = await http.post(path, json=body)
    assert response.status_code in {200, 201}, response.text
    return response.json()
