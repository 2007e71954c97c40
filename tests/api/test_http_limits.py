"""Real connections from clients that are slow, idle, greedy or disconnect."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from sandbox.api.app import create_app
from sandbox.api.http_limits import MAX_HEAD_BYTES, build_timeout_protocol, raise_open_file_limit
from sandbox.config import ApiSettings
from sandbox.schema import ExecuteRequest
from tests.api.fake_service import FakeService

IDLE_CONNECTIONS = 1_000
HEAD = b"POST /execute HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"
BODY = b'{"language":"python","code":"x"}'


@contextmanager
def run_api(settings: ApiSettings, service: FakeService, loop: str = "uvloop") -> Iterator[tuple[str, int]]:
    """Run the API in a thread, configured as by `sandbox serve`."""
    with run_server(create_app(settings, service), settings, loop) as address:
        yield address


@contextmanager
def run_server(app: Callable[..., Any], settings: ApiSettings, loop: str = "uvloop") -> Iterator[tuple[str, int]]:
    raise_open_file_limit()
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=0,
        log_level="error",
        ws="none",
        loop=loop,
        http=build_timeout_protocol(settings.header_timeout_s),
        backlog=4_096,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def address(service: FakeService, tmp_path: Path) -> Iterator[tuple[str, int]]:
    settings = ApiSettings(home=tmp_path, header_timeout_s=0.7, body_timeout_s=0.7, max_body_mb=1)
    with run_api(settings, service) as address:
        yield address


def read_until_closed(connection: socket.socket) -> bytes:
    connection.settimeout(10)
    received = b""
    while data := connection.recv(65_536):
        received += data
    return received


def test_a_connection_that_says_nothing_is_closed(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        began = time.monotonic()
        assert read_until_closed(connection) == b""
        assert 0.5 < time.monotonic() - began < 5


def test_headers_that_trickle_are_cut_off(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(HEAD)
        began = time.monotonic()
        with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012 - which send meets the closed connection, is open
            for _ in range(50):
                connection.sendall(b"X-More: 1\r\n")
                time.sleep(0.1)
        assert time.monotonic() - began > 0.5, "it was cut off before its time was up"


def test_headers_without_end_are_cut_off(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(HEAD)
        line = b"X-More: " + b"x" * 4_000 + b"\r\n"
        with pytest.raises(OSError, match=r"reset|pipe"):  # noqa: PT012 - which send meets the closed connection, is open
            for _ in range(1_000):
                connection.sendall(line)
                time.sleep(0.001)


@pytest.mark.parametrize(
    "head",
    [
        HEAD + b"X-More: " + b"x" * 3_000_000 + b"\r\n\r\n",
        HEAD + b"X-More: " + b"x" * 66_000 + b"\r\n\r\n",
        HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(200_000)) + b"\r\n",
        b"GET /" + b"x" * 2_000_000 + b" HTTP/1.1\r\nHost: api\r\n\r\n",
        HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY + HEAD + b"X-More: " + b"x" * 1_000_000,
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nX-Trailer: " + b"x" * 1_000_000,
    ],
    ids=["one header", "a little too much", "many headers", "path", "second request", "trailer"],
)
def test_a_client_that_sends_large_headers_is_told_so_whatever_it_still_sends(
    address: tuple[str, int], service: FakeService, head: bytes
) -> None:
    with socket.create_connection(address) as connection:
        began = time.monotonic()
        connection.sendall(head)
        received = read_until_closed(connection)
    assert b"HTTP/1.1 431 " in received
    assert time.monotonic() - began < 5
    assert len(service.submissions) == (1 if BODY in head else 0)


def test_headers_up_to_the_limit_are_read_however_they_are_cut(address: tuple[str, int]) -> None:
    close = HEAD + b"Connection: close\r\nContent-Length: %d\r\nX-More: " % len(BODY)
    for total, status in ((MAX_HEAD_BYTES, b"200"), (MAX_HEAD_BYTES + 1, b"431")):
        head = close + b"x" * (total - len(close) - 4) + b"\r\n\r\n"
        for at in (1, 40_000, len(head) - 1):
            with socket.create_connection(address) as connection:
                connection.sendall(head[:at])
                time.sleep(0.05)
                connection.sendall(head[at:] + BODY)
                assert read_until_closed(connection).startswith(b"HTTP/1.1 " + status)


def test_many_small_requests_in_one_piece_are_no_large_header(address: tuple[str, int], service: FakeService) -> None:
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    last = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    with socket.create_connection(address) as connection:
        connection.sendall(one * 900 + last)
        assert read_until_closed(connection).count(b"HTTP/1.1 200 ") == 901
    assert len(service.submissions) == 901


def test_a_body_that_trickles_is_answered_with_408(address: tuple[str, int], service: FakeService) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(HEAD + b"Content-Length: 100000\r\n\r\n" + BODY)
        received = read_until_closed(connection)
    assert received.startswith(b"HTTP/1.1 408 ")
    assert not service.submissions


@pytest.mark.parametrize("loop", ["uvloop", "asyncio"])
def test_a_large_body_arrives_whole_however_it_is_cut(service: FakeService, tmp_path: Path, loop: str) -> None:
    text = "0123456789abcdef" * 200_000
    body = b'{"language":"python","code":"x","stdin":"%s"}' % text.encode()
    with run_api(ApiSettings(home=tmp_path), service, loop) as address:
        for length in (b"Content-Length: %d\r\n\r\n" % len(body), b"Transfer-Encoding: chunked\r\n\r\n"):
            for pause_at in (1, 70_000, 2_000_000, len(body)):
                with socket.create_connection(address) as connection:
                    connection.sendall(HEAD + b"Connection: close\r\n" + length)
                    for part in (body[:pause_at], body[pause_at:]):
                        chunked = b"%x\r\n" % len(part) + part + b"\r\n"
                        connection.sendall(chunked if b"chunked" in length else part)
                        time.sleep(0.1)
                    if b"chunked" in length and pause_at < len(body):
                        connection.sendall(b"0\r\n\r\n")
                    assert read_until_closed(connection).startswith(b"HTTP/1.1 200 ")
    arrived = [request for submission in service.submissions for request in submission.requests]
    assert [request.stdin == text for request in arrived if isinstance(request, ExecuteRequest)] == [True] * 8


@pytest.mark.parametrize("pause_s", [0.0, 1.3])
def test_large_bodies_follow_each_other_on_one_connection(service: FakeService, tmp_path: Path, pause_s: float) -> None:
    """A direct read bypasses the parser, which must still find the next request. A pause hands the body back to it."""
    texts = [str(number) * 3_000_000 for number in range(3)]
    with run_api(ApiSettings(home=tmp_path), service) as address, socket.create_connection(address) as connection:
        for text in texts:
            body = b'{"language":"python","code":"x","stdin":"%s"}' % text.encode()
            connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(body))
            connection.sendall(body[:2_000_000])
            time.sleep(pause_s)
            connection.sendall(body[2_000_000:])
        connection.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
        assert read_until_closed(connection).count(b"HTTP/1.1 200 ") == 4
    arrived = [request for submission in service.submissions for request in submission.requests]
    assert [request.stdin for request in arrived if isinstance(request, ExecuteRequest)] == [*texts, ""]


def test_a_client_that_goes_in_the_middle_of_a_large_body_leaves_nothing(service: FakeService, tmp_path: Path) -> None:
    with run_api(ApiSettings(home=tmp_path), service) as address:
        for _ in range(3):
            with socket.create_connection(address) as connection:
                connection.sendall(HEAD + b"Content-Length: 8000000\r\n\r\n" + b" " * 3_000_000)
                time.sleep(0.1)
        with httpx.Client(base_url=f"http://{address[0]}:{address[1]}") as client:
            answer = client.post("/execute", json={"language": "python", "code": "x", "stdin": "y" * 3_000_000})
    assert answer.status_code == 200
    assert len(service.submissions) == 1


def test_after_an_answer_that_did_not_wait_for_a_large_body_the_next_request_is_served(tmp_path: Path) -> None:
    async def impatient(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        assert scope["type"] == "http"
        with suppress(TimeoutError):
            async with asyncio.timeout(0.3):
                while (await receive()).get("more_body"):
                    pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"done"})

    with run_server(impatient, ApiSettings(home=tmp_path)) as address, socket.create_connection(address) as connection:
        connection.settimeout(10)
        connection.sendall(HEAD + b"Content-Length: 8000000\r\n\r\n" + b" " * 2_000_000)
        assert b"done" in connection.recv(65_536)
        connection.sendall(b" " * 6_000_000)
        connection.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")
        assert b"done" in connection.recv(65_536)


def test_of_a_body_that_nobody_asks_for_little_is_read(tmp_path: Path) -> None:
    asked_for = threading.Event()

    async def app(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
        assert scope["type"] == "http"
        await asyncio.to_thread(asked_for.wait)
        read = 0
        while (message := await receive()).get("more_body"):
            read += len(message["body"])
        read += len(message["body"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"connection", b"close")]})
        await send({"type": "http.response.body", "body": b"%d" % read})

    size, piece = 64 << 20, b" " * (1 << 20)
    with run_server(app, ApiSettings(home=tmp_path)) as address, socket.create_connection(address) as connection:
        connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % size)
        connection.settimeout(1)
        sent = 0
        with suppress(TimeoutError):
            while sent < size:
                sent += connection.send(piece)
        assert sent < size  # the kernel's buffers hold some megabytes
        asked_for.set()
        connection.settimeout(20)
        connection.sendall(b" " * (size - sent))
        assert b"\r\n%d\r\n" % size in read_until_closed(connection)


def test_requests_sent_one_after_another_without_waiting_are_all_served(address: tuple[str, int]) -> None:
    body = b'{"language":"python","code":"x","stdin":"%s"}' % (b"y" * 300_000)
    one = HEAD + b"Content-Length: %d\r\n\r\n" % len(body) + body
    last = HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    with socket.create_connection(address) as connection:
        connection.sendall(one * 3 + last)
        assert read_until_closed(connection).count(b"HTTP/1.1 200 ") == 4


def test_a_slow_but_steady_client_is_served(address: tuple[str, int]) -> None:
    with socket.create_connection(address) as connection:
        connection.sendall(HEAD + b"Connection: close\r\n")
        time.sleep(0.3)
        connection.sendall(b"Content-Length: %d\r\n\r\n" % len(BODY))
        time.sleep(0.3)
        connection.sendall(BODY)
        assert read_until_closed(connection).startswith(b"HTTP/1.1 200 ")


def test_a_thousand_idle_connections_keep_nobody_out(service: FakeService, tmp_path: Path) -> None:
    with run_api(ApiSettings(home=tmp_path, header_timeout_s=30), service) as address, ExitStack() as opened:
        for _ in range(IDLE_CONNECTIONS):
            opened.enter_context(socket.create_connection(address))
        began = time.monotonic()
        url = f"http://{address[0]}:{address[1]}"
        with httpx.Client(base_url=url) as client:
            for _ in range(20):
                assert client.post("/execute", json={"language": "python", "code": "x"}).status_code == 200
        assert time.monotonic() - began < 5


def test_a_client_that_goes_while_it_waits_has_its_work_dropped(address: tuple[str, int], service: FakeService) -> None:
    service.held = True
    connection = socket.create_connection(address)
    connection.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY)
    service.wait_for_submission()
    connection.close()
    assert service.wait_for_abandonment() == "job0"


def test_a_request_waits_no_longer_than_it_says_it_would(address: tuple[str, int], service: FakeService) -> None:
    service.held = True
    began = time.monotonic()
    response = httpx.post(
        f"http://{address[0]}:{address[1]}/execute",
        json={"language": "python", "code": "x"},
        headers={"Prefer": "wait=1"},
        timeout=20,
    )
    assert (response.status_code, service.wait_for_abandonment()) == (504, "job0")
    assert 0.9 < time.monotonic() - began < 10
