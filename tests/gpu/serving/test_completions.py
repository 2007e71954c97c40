"""Completions from a server that sometimes rejects requests, as hosted ones do."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.gpu.serving import completions as module
from sandbox.gpu.serving.completions import CompletionClient, CompletionGroup
from sandbox.gpu.serving.engine import RemoteEngine, StageCallback
from sandbox.llm import model_client
from sandbox.llm.retry import MAX_RETRY_AFTER_S, compute_pause_s, parse_retry_after_s
from sandbox.schema.gpu import Sampling
from tests.http_servers import serve_http

GOOD = {"choices": [{"index": 0, "text": "done", "finish_reason": "stop"}], "usage": {"completion_tokens": 1}}


@dataclass
class RefusingService:
    """A server that answers with these statuses first, and normally after that."""

    first_statuses: list[int]
    headers: dict[str, str] = field(default_factory=dict)
    body: object = field(default_factory=lambda: GOOD)
    request_times: list[float] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)

    @contextmanager
    def serve(self) -> Iterator[str]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                service.request_times.append(time.monotonic())
                service.keys.append(self.headers["Authorization"])
                status = service.first_statuses.pop(0) if service.first_statuses else 200
                self.send_response(status)
                for name, value in service.headers.items() if status != 200 else ():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(json.dumps(service.body if status == 200 else {"error": "not now"}).encode())

            def log_message(self, *_: object) -> None:
                """Do not log requests."""

        with serve_http(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as url:
            yield f"{url}/v1"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_client, "FIRST_PAUSE_S", 0.001)


async def _fetch_groups(url: str) -> list[CompletionGroup]:
    return [group async for group in CompletionClient(RemoteEngine(url), 4).generate("m", ["p"], Sampling())]


async def test_what_is_refused_for_now_is_asked_again() -> None:
    service = RefusingService([429, 503, 500])
    with service.serve() as url:
        (group,) = await _fetch_groups(url)
    assert group.texts == ["done"]
    assert len(service.request_times) == 4


async def test_the_pause_is_as_long_as_the_service_asks_for() -> None:
    service = RefusingService([429], {"Retry-After": "1"})
    with service.serve() as url:
        await _fetch_groups(url)
    first, second = service.request_times
    assert second - first >= 1


async def test_a_service_that_refuses_for_good_is_an_error_of_ours_after_some_tries() -> None:
    service = RefusingService([429] * 100)
    with (
        service.serve() as url,
        pytest.raises(InfrastructureError, match=r"failed 8 times; it answered 429: .*not now"),
    ):
        await _fetch_groups(url)
    assert len(service.request_times) == module.ATTEMPTS


@pytest.mark.parametrize(("key", "header"), [("", None), ("secret", "Bearer secret")])
async def test_only_a_key_of_the_settings_is_sent(
    monkeypatch: pytest.MonkeyPatch, key: str, header: str | None
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of the environment")
    service = RefusingService([])
    with service.serve() as url:
        client = CompletionClient(RemoteEngine(url), 4, key)
        assert [group async for group in client.generate("m", ["p"], Sampling())]
    assert service.keys == [header]


async def test_a_redirect_is_not_followed() -> None:
    with RefusingService([]).serve() as other:
        service = RefusingService([307], {"Location": f"{other}/completions"})
        with service.serve() as url, pytest.raises(BadRequest, match="307"):
            await _fetch_groups(url)


async def test_a_local_server_is_checked_before_each_retry() -> None:
    """A server that ended is replaced, and the replacement has another port."""
    broken, healthy = RefusingService([503] * 100), RefusingService([])
    with broken.serve() as first, healthy.serve() as second:
        urls = iter([first, second])

        class RestartedEngine(RemoteEngine):
            def serve(self, model: str, on_stage: StageCallback | None = None) -> list[str]:
                return [next(urls)]

        client = CompletionClient(RestartedEngine(first), 4)
        (group,) = [group async for group in client.generate("m", ["p"], Sampling())]
    assert group.texts == ["done"]
    assert (len(broken.request_times), len(healthy.request_times)) == (1, 1)


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_what_the_request_gets_wrong_is_not_asked_again(status: int) -> None:
    service = RefusingService([status])
    with service.serve() as url, pytest.raises(BadRequest, match=str(status)):
        await _fetch_groups(url)
    assert len(service.request_times) == 1


@pytest.mark.parametrize(("status", "field"), [(404, "model"), (400, "prompts.0")])
async def test_what_the_service_does_not_like_is_named(status: int, field: str) -> None:
    with RefusingService([status]).serve() as url, pytest.raises(BadRequest) as refusal:
        await _fetch_groups(url)
    assert refusal.value.field == field


async def test_an_answer_of_another_shape_is_said() -> None:
    service = RefusingService([], body={"error": "overloaded"})
    with service.serve() as url, pytest.raises(InfrastructureError, match=r"unexpected response .*overloaded"):
        await _fetch_groups(url)


async def test_a_service_that_is_not_there_is_said_after_some_tries() -> None:
    with pytest.raises(InfrastructureError, match="failed 8 times; it did not answer: ConnectError"):
        await _fetch_groups("http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", 0.0),
        ("soon", 0.0),
        ("-3", 0.0),
        ("2", 2.0),
        ("0.5", 0.5),
        ("99999", MAX_RETRY_AFTER_S),
        ("Fri, 31 Dec 1999 23:59:59 -0000", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MAX_RETRY_AFTER_S),
    ],
)
def test_retry_after_is_read_in_both_its_forms(header: str, seconds: float) -> None:
    assert parse_retry_after_s(header) == seconds
    assert compute_pause_s(0, 0.5, header) >= seconds + 0.25
