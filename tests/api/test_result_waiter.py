"""Requests that wait for results, over real connections, because only those disconnect and stream."""

from __future__ import annotations

import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.errors import CannotRun
from tests.api.fake_service import FakeService
from tests.api.test_submissions import ACCEPT_NDJSON, BODIES, EXECUTE
from tests.api.threaded_server import serve_in_thread


@pytest.fixture
def service() -> FakeService:
    return FakeService(held=True)


def _post_and_disconnect(url: str, path: str, service: FakeService, headers: str = "") -> None:
    """Send a valid request, and disconnect once the service has it."""
    body = json.dumps(BODIES[path])
    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"POST {path} HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        connection.sendall(f"{head}{headers}\r\n{body}".encode())
        service.wait_for_submission()


@pytest.mark.parametrize("path", BODIES)
def test_a_client_that_goes_away_abandons_its_submission(
    settings: ApiSettings, service: FakeService, path: str
) -> None:
    with serve_in_thread(create_app(settings, service)) as url:
        _post_and_disconnect(url, path, service)
        assert service.wait_for_abandonment() == "job0"


def test_a_client_that_goes_away_from_a_stream_abandons_what_is_missing(
    settings: ApiSettings, service: FakeService
) -> None:
    with serve_in_thread(create_app(settings, service)) as url:
        _post_and_disconnect(url, "/execute/batch", service, "Accept: application/x-ndjson\r\n")
        assert service.wait_for_abandonment() == "job0"


def test_a_submission_with_an_idempotency_key_is_not_abandoned(settings: ApiSettings, service: FakeService) -> None:
    with serve_in_thread(create_app(settings, service)) as url:
        _post_and_disconnect(url, "/execute", service, "Idempotency-Key: k\r\n")
        time.sleep(0.3)
        assert service.abandoned == []


def test_a_client_that_breaks_off_in_its_body_submits_nothing(settings: ApiSettings, service: FakeService) -> None:
    with serve_in_thread(create_app(settings, service)) as url:
        address = urlsplit(url)
        with socket.create_connection((address.hostname, address.port)) as connection:
            head = (
                b"POST /execute HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
            )
            connection.sendall(head)
        assert httpx.get(f"{url}/health/live").status_code == 200
        assert service.submissions == []


def test_a_stream_brings_each_result_when_it_is_ready(settings: ApiSettings, service: FakeService) -> None:
    items = {"items": [{**EXECUTE, "code": str(index)} for index in range(3)]}
    with (
        serve_in_thread(create_app(settings, service)) as url,
        httpx.stream("POST", f"{url}/execute/batch", json=items, headers=ACCEPT_NDJSON) as response,
    ):
        assert response.status_code == 200  # before any result is ready
        lines = response.iter_lines()
        submitted = service.wait_for_submission()
        for index in (2, 0, 1):
            service.set_result(submitted, index)
            line = json.loads(next(lines))
            assert (line["index"], line["result"]["stdout"]) == (index, str(index))
        assert list(lines) == []
    assert service.abandoned == []


INTERNAL_ERROR = json.dumps({"status": "internal_error", "message": "no box starts"}).encode()


@pytest.mark.parametrize("path", [*BODIES, "/reward"])
def test_a_client_that_waits_while_nothing_runs_is_told_to_come_back(
    settings: ApiSettings, service: FakeService, path: str
) -> None:
    body = BODIES.get(path, {"completions": ["```python\nprint(1)\n```"], "tests": [[{"expected": "1"}]]})
    service.held, service.failure = False, CannotRun("no worker can run programs now")
    with serve_in_thread(create_app(settings, service)) as url:
        response = httpx.post(f"{url}{path}", json=body)
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
    assert response.json()["type"] == "urn:sandbox:cannot-run"


@pytest.mark.parametrize(("result", "status"), [(INTERNAL_ERROR, 200), (b"", 503)], ids=["worker", "outage"])
def test_a_batch_of_which_one_item_cannot_run_keeps_the_results_of_the_others(
    settings: ApiSettings, service: FakeService, result: bytes, status: int
) -> None:
    with serve_in_thread(create_app(settings, service)) as url, ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(httpx.post, f"{url}/execute/batch", json={"items": [EXECUTE] * 3})
        submitted = service.wait_for_submission()
        submitted.ticket.results[1].set_exception(CannotRun("no image", result=result))
        service.set_result(submitted, 0)
        service.set_result(submitted, 2)
        response = waiting.result(20)
    assert response.status_code == status
    if status == 200:
        assert [one["status"] for one in response.json()["results"]] == ["ok", "internal_error", "ok"]


@pytest.mark.parametrize("path", BODIES)
def test_a_result_that_does_not_come_in_time_is_a_504_and_abandoned(
    tmp_path: Path, service: FakeService, path: str
) -> None:
    settings = ApiSettings(home=tmp_path, request_timeout_s=0.2)
    with serve_in_thread(create_app(settings, service)) as url:
        response = httpx.post(f"{url}{path}", json=BODIES[path])
        assert response.status_code == 504
        assert "respond-async" in response.json()["detail"]
        assert service.wait_for_abandonment() == "job0"


def test_a_stream_whose_time_is_up_says_so_for_each_missing_item(tmp_path: Path, service: FakeService) -> None:
    settings = ApiSettings(home=tmp_path, request_timeout_s=0.5)
    items = {"items": [EXECUTE] * 3}
    with (
        serve_in_thread(create_app(settings, service)) as url,
        httpx.stream("POST", f"{url}/execute/batch", json=items, headers=ACCEPT_NDJSON) as response,
    ):
        service.set_result(service.wait_for_submission(), 1)
        lines = [json.loads(line) for line in response.iter_lines()]
    assert [(line["index"], line.get("problem", {}).get("status")) for line in lines] == [(1, None), (0, 504), (2, 504)]
    assert service.wait_for_abandonment() == "job0"


def test_a_connection_is_kept_for_the_next_request_after_a_refused_body(
    settings: ApiSettings, service: FakeService
) -> None:
    service.held = False
    with serve_in_thread(create_app(settings, service)) as url, httpx.Client(base_url=url) as http:
        large = http.post("/execute", content=b" " * (2 << 20), headers={"Content-Type": "application/json"})
        assert large.status_code == 413
        assert http.post("/execute", json=EXECUTE).status_code == 200
