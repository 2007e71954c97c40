"""Languages, liveness, readiness, metrics, and the lifecycle of application and service."""

from __future__ import annotations

import re

import httpx
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from sandbox import languages
from sandbox.api import app as app_module
from sandbox.config import ApiSettings
from sandbox.errors import QueueFull
from sandbox.schema import Job, LanguageInfo
from sandbox.schema.health import Readiness
from tests.api.fake_service import FakeService
from tests.api.test_submissions import BODIES, EXECUTE


async def test_languages_are_the_tables(http: httpx.AsyncClient) -> None:
    response = await http.get("/languages")
    infos = TypeAdapter(list[LanguageInfo]).validate_json(response.content)
    assert [info.name for info in infos] == list(languages.load_languages())
    assert {info.name: info.compiled for info in infos}.items() >= {"python": False, "cpp": True}.items()


async def test_a_language_that_no_worker_has_is_not_available(http: httpx.AsyncClient, service: FakeService) -> None:
    service.unavailable_languages = frozenset({"java", "kotlin"})
    infos = {info["name"]: info["available"] for info in (await http.get("/languages")).json()}
    assert [name for name, available in infos.items() if not available] == ["java", "kotlin"]


async def test_it_is_live_whatever_the_service_does(http: httpx.AsyncClient, service: FakeService) -> None:
    service.reported_readiness = Readiness(False, 0)
    assert (await http.get("/health/live")).json() == {"status": "ok"}


async def test_readiness_is_told_in_full(http: httpx.AsyncClient, service: FakeService) -> None:
    service.reported_readiness = Readiness(True, 2, {"rl": 1}, "local", ["seccomp"])
    response = await http.get("/health/ready")
    assert response.status_code == 200
    assert TypeAdapter(Readiness).validate_json(response.content) == service.reported_readiness


async def test_not_being_ready_is_a_503_that_says_why(http: httpx.AsyncClient, service: FakeService) -> None:
    service.reported_readiness = Readiness(False, 0, problems=["no worker is alive"])
    response = await http.get("/health/ready")
    assert response.status_code == 503
    assert response.json()["problems"] == ["no worker is alive"]


async def test_a_job_is_told_and_cancelled(http: httpx.AsyncClient) -> None:
    location = (await http.post("/verify", json=BODIES["/verify"], headers={"Prefer": "respond-async"})).headers[
        "location"
    ]
    job = Job.model_validate_json((await http.get(location)).content)
    assert (job.status, job.position, job.result) == ("queued", 0, None)
    assert Job.model_validate_json((await http.delete(location)).content).status == "cancelled"
    assert (await http.get(location)).json()["status"] == "cancelled"


async def test_metrics_count_what_happened(http: httpx.AsyncClient, service: FakeService) -> None:
    await http.post("/execute", json={**EXECUTE, "language": "py", "priority": "rl"})
    await http.post("/verify/batch", json=BODIES["/verify/batch"])
    await http.post("/execute", json={})
    await http.get("/nothing")
    service.refusal = QueueFull("full")
    await http.post("/execute", json=EXECUTE)
    response = await http.get("/metrics")
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = set(response.text.splitlines())
    assert lines >= {
        'sandbox_submissions_total{kind="execute",lane="rl",mode="sync"} 1.0',
        'sandbox_programs_total{kind="execute",lane="rl",language="python"} 1.0',
        'sandbox_programs_total{kind="verify",lane="default",language="python"} 2.0',
        'sandbox_submissions_refused_total{reason="QueueFull"} 1.0',
        'sandbox_http_requests_total{method="POST",route="/execute",status="200"} 1.0',
        'sandbox_http_requests_total{method="POST",route="/execute",status="422"} 1.0',
        'sandbox_http_requests_total{method="POST",route="/execute",status="503"} 1.0',
        'sandbox_http_requests_total{method="GET",route="unmatched",status="404"} 1.0',
        'sandbox_queue_submissions{lane="default"} 3.0',
        "sandbox_workers 2.0",
        "sandbox_ready 1.0",
        "sandbox_http_requests_in_flight 1.0",
    }
    assert not re.search(r"_created[ {]", response.text)


async def test_what_a_client_makes_up_becomes_no_series(http: httpx.AsyncClient) -> None:
    await http.request("MADEUP", "/execute", json=EXECUTE)
    await http.get("/jobs/madeup1")
    await http.get("/madeup2")
    await http.post("/execute", json={**EXECUTE, "language": "madeup3"})
    assert not re.search("madeup", (await http.get("/metrics")).text, re.IGNORECASE)


async def test_the_application_builds_starts_and_closes_its_own_service(
    settings: ApiSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    events: list[str] = []

    class OwnService(FakeService):
        def __init__(self, given: ApiSettings) -> None:
            super().__init__()
            assert given is settings
            events.append("built")

        def start(self) -> None:
            events.append("started")

        def close(self) -> None:
            events.append("closed")

    monkeypatch.setattr(app_module, "Service", OwnService)
    app: FastAPI = app_module.create_app(settings)
    assert events == []
    async with app.router.lifespan_context(app):
        assert events == ["built", "started"]
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as http:
            assert (await http.post("/execute", json=EXECUTE)).status_code == 200
    assert events == ["built", "started", "closed"]
