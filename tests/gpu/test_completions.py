"""Completions from a service that refuses now and then, as hosted ones do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from sandbox.errors import BadRequest, InfrastructureError
from sandbox.gpu import completions as module
from sandbox.gpu.completions import Completions, Group
from sandbox.gpu.engine import RemoteEngine
from sandbox.passing import MOST_ASKED_S, pause_s, retry_after_s
from sandbox.schema.gpu import Sampling

GOOD = {"choices": [{"index": 0, "text": "done", "finish_reason": "stop"}], "usage": {"completion_tokens": 1}}


@dataclass
class Refusing:
    """A service that answers with these states first, and well from then on."""

    first: list[int]
    headers: dict[str, str] = field(default_factory=dict)
    body: object = field(default_factory=lambda: GOOD)
    asked_at: list[float] = field(default_factory=list)

    @contextmanager
    def url(self) -> Iterator[str]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                service.asked_at.append(time.monotonic())
                status = service.first.pop(0) if service.first else 200
                self.send_response(status)
                for name, value in service.headers.items() if status != 200 else ():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(json.dumps(service.body if status == 200 else {"error": "not now"}).encode())

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/v1"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FIRST_PAUSE_S", 0.001)


async def _asked(url: str) -> list[Group]:
    return [group async for group in Completions(RemoteEngine(url), 4).of("m", ["p"], Sampling())]


async def test_what_is_refused_for_now_is_asked_again() -> None:
    service = Refusing([429, 503, 500])
    with service.url() as url:
        (group,) = await _asked(url)
    assert group.texts == ["done"]
    assert len(service.asked_at) == 4


async def test_the_pause_is_as_long_as_the_service_asks_for() -> None:
    service = Refusing([429], {"Retry-After": "1"})
    with service.url() as url:
        await _asked(url)
    first, second = service.asked_at
    assert second - first >= 1


async def test_a_service_that_refuses_for_good_is_an_error_of_ours_after_some_tries() -> None:
    service = Refusing([429] * 100)
    with service.url() as url, pytest.raises(InfrastructureError, match=r"asked 8 times, answers 429: .*not now"):
        await _asked(url)
    assert len(service.asked_at) == module.ATTEMPTS


@pytest.mark.parametrize("status", [400, 401, 404, 422])
async def test_what_the_request_gets_wrong_is_not_asked_again(status: int) -> None:
    service = Refusing([status])
    with service.url() as url, pytest.raises(BadRequest, match=str(status)):
        await _asked(url)
    assert len(service.asked_at) == 1


@pytest.mark.parametrize(("status", "field"), [(404, "model"), (400, "prompts.0")])
async def test_what_the_service_does_not_like_is_named(status: int, field: str) -> None:
    with Refusing([status]).url() as url, pytest.raises(BadRequest) as refusal:
        await _asked(url)
    assert refusal.value.field == field


async def test_an_answer_of_another_shape_is_said() -> None:
    service = Refusing([], body={"error": "overloaded"})
    with service.url() as url, pytest.raises(InfrastructureError, match=r"another shape: .*overloaded"):
        await _asked(url)


async def test_a_service_that_is_not_there_is_said_after_some_tries() -> None:
    with pytest.raises(InfrastructureError, match="asked 8 times, does not answer: ConnectError"):
        await _asked("http://127.0.0.1:9/v1")


@pytest.mark.parametrize(
    ("told", "seconds"),
    [
        ("", 0.0),
        ("soon", 0.0),
        ("-3", 0.0),
        ("2", 2.0),
        ("0.5", 0.5),
        ("99999", MOST_ASKED_S),
        ("Fri, 31 Dec 1999 23:59:59 -0000", 0.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", MOST_ASKED_S),
    ],
)
def test_retry_after_is_read_in_both_its_forms(told: str, seconds: float) -> None:
    response = httpx.Response(429, headers={"Retry-After": told} if told else {})
    assert retry_after_s(response) == seconds
    assert pause_s(0, 0.5, response) >= seconds + 0.25
