"""Requests that fail, are repeated, or lose their client: what they leave behind. The host is scripted by the tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from redis import Redis

from sandbox.api import session_client
from sandbox.api.app import create_app
from sandbox.api.keyring import generate_key
from sandbox.client import Client
from sandbox.config import ApiSettings
from sandbox.errors import BoxError, Cancelled, QueueUnavailable
from sandbox.queue import redis_keys, session_records
from sandbox.queue.session_answers import CallReader, encode_error
from sandbox.queue.session_calls import SessionCalls
from sandbox.request_context import Role
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer
from tests.sessions.scripted_host import LEASE_S, ScriptedHost

DATABASE = 11
KEY = generate_key("first", Role.SUBMIT)
OTHER_KEY = generate_key("second", Role.SUBMIT)
HEADERS = {"Authorization": f"Bearer {KEY.key}"}
TIMEOUT_S = 10.0
CALL_RESULT = {"sequence": 1, "status": "ok"}


@pytest.fixture
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.open_empty_database(DATABASE) as client:
        yield client


@pytest.fixture
def settings(redis: Redis, redis_server: RedisServer, tmp_path: Path) -> ApiSettings:
    assert redis.dbsize() == 0
    keys = f"{KEY.entry}, {OTHER_KEY.entry}"
    url = redis_server.build_url(DATABASE)
    return ApiSettings(home=tmp_path, redis_url=url, lease_s=LEASE_S, api_keys=keys, key_max_sessions=2)


@pytest.fixture
def host(redis: Redis) -> ScriptedHost:
    return ScriptedHost(redis, "h1")


@pytest.fixture
def http(settings: ApiSettings) -> Iterator[httpx.Client]:
    with (
        serve_in_thread(create_app(settings)) as url,
        httpx.Client(base_url=url, headers=HEADERS, timeout=TIMEOUT_S) as client,
    ):
        yield client


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as threads:
        yield threads


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def count_owned(redis: Redis) -> int:
    """Return how many sessions count against the limits of both keys."""
    return sum(redis.zcard(key) for key in redis.scan_iter(redis_keys.owned_sessions("*")))


def disconnect(http: httpx.Client, path: str = "/sessions", key: str = "", after_s: float = 0.5) -> None:
    with pytest.raises(httpx.ReadTimeout):
        http.post(path, json={}, headers={"Idempotency-Key": key} if key else {}, timeout=after_s)


def test_a_request_is_withdrawn_when_its_client_disconnects(
    http: httpx.Client, redis: Redis, host: ScriptedHost
) -> None:
    disconnect(http)
    wait_until(lambda: host.count_waiting() == 0)
    wait_until(lambda: count_owned(redis) == 0)
    assert http.get("/sessions").json() == {"sessions": []}


def test_a_session_that_opens_after_its_client_disconnected_is_closed(
    http: httpx.Client, host: ScriptedHost, redis: Redis, threads: ThreadPoolExecutor
) -> None:
    waiting = threads.submit(disconnect, http, after_s=1.0)
    request = host.take_open()
    waiting.result()
    wait_until(lambda: count_owned(redis) == 0)
    session_id = host.open(request)
    call = host.take_call()
    assert (call["do"], call["session"]) == ("close", session_id)


def test_a_session_that_opens_too_late_is_closed(
    http: httpx.Client,
    host: ScriptedHost,
    redis: Redis,
    threads: ThreadPoolExecutor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session_client, "OPEN_TIMEOUT_S", 0.5)
    response = threads.submit(http.post, "/sessions", json={"wait_s": 0})
    request = host.take_open()
    assert response.result().status_code == 503
    assert count_owned(redis) == 0
    session_id = host.open(request)
    call = host.take_call()
    assert (call["do"], call["session"]) == ("close", session_id)


def test_a_request_that_cannot_be_sent_is_not_counted(http: httpx.Client, redis: Redis, host: ScriptedHost) -> None:
    redis.set(redis_keys.SESSION_OPENS, "not a list")
    assert http.post("/sessions", json={}).status_code == 503
    assert count_owned(redis) == 0
    redis.delete(redis_keys.SESSION_OPENS)
    assert host.count_waiting() == 0


def test_a_request_that_the_host_refuses_is_not_counted(
    http: httpx.Client, redis: Redis, host: ScriptedHost, threads: ThreadPoolExecutor
) -> None:
    response = threads.submit(http.post, "/sessions", json={})
    host.answer(host.take_open(), encode_error(BoxError("broken")))
    assert response.result().status_code == 502
    assert count_owned(redis) == 0


def test_a_repeated_key_opens_one_session(
    http: httpx.Client, redis: Redis, host: ScriptedHost, threads: ThreadPoolExecutor
) -> None:
    keyed = {"Idempotency-Key": "k"}
    responses = [threads.submit(http.post, "/sessions", json={}, headers=keyed) for _ in range(3)]
    session_id = host.open(host.take_open())
    assert {response.result().json()["id"] for response in responses} == {session_id}
    assert http.post("/sessions", json={}, headers=keyed).json()["id"] == session_id
    assert host.count_waiting() == 0
    assert count_owned(redis) == 1
    other_request = http.post("/sessions", json={"ttl_s": 5}, headers=keyed)
    assert (other_request.status_code, "different request" in other_request.text) == (422, True)
    other_caller = {**keyed, "Authorization": f"Bearer {OTHER_KEY.key}"}
    other = threads.submit(http.post, "/sessions", json={}, headers=other_caller)
    assert host.open(host.take_open()) != session_id
    assert other.result().status_code == 201


def test_a_repetition_gets_the_session_although_the_first_client_disconnected(
    http: httpx.Client, host: ScriptedHost, redis: Redis, threads: ThreadPoolExecutor
) -> None:
    first = threads.submit(disconnect, http, key="k", after_s=1.5)
    request = host.take_open()
    repeated = threads.submit(http.post, "/sessions", json={}, headers={"Idempotency-Key": "k"})
    first.result()
    time.sleep(0.5)  # the service notices
    session_id = host.open(request)
    assert repeated.result().json()["id"] == session_id
    time.sleep(0.5)
    assert host.count_waiting() == 0  # nobody closes it
    assert count_owned(redis) == 1


def test_a_repetition_asks_again_after_a_failure_or_a_disconnection(
    http: httpx.Client, host: ScriptedHost, threads: ThreadPoolExecutor
) -> None:
    keyed = {"Idempotency-Key": "k"}
    disconnect(http, key="k")
    wait_until(lambda: host.count_waiting() == 0)
    failed = threads.submit(http.post, "/sessions", json={}, headers=keyed)
    host.answer(host.take_open(), encode_error(BoxError("broken")))
    assert failed.result().status_code == 502
    repeated = threads.submit(http.post, "/sessions", json={}, headers=keyed)
    session_id = host.open(host.take_open())
    assert repeated.result().json()["id"] == session_id


def test_a_repeated_key_forks_once(
    http: httpx.Client, host: ScriptedHost, redis: Redis, threads: ThreadPoolExecutor
) -> None:
    opened = threads.submit(http.post, "/sessions", json={})
    request = host.take_open()
    parent = host.open(request)
    assert opened.result().status_code == 201
    path, keyed = f"/sessions/{parent}/fork", {"Idempotency-Key": "k"}
    first, second = (threads.submit(http.post, path, json={"count": 1}, headers=keyed) for _ in range(2))
    call = host.take_call()
    for session_id in call["ids"]:
        host.record(session_id, request["owner"], parent=parent)
    host.answer(call, {"ids": call["ids"]})
    for response in (first.result(), second.result(), http.post(path, json={"count": 1}, headers=keyed)):
        assert response.json() == {"ids": call["ids"]}
    assert host.count_waiting() == 0
    assert count_owned(redis) == 2


def test_the_client_repeats_requests_with_their_keys(
    http: httpx.Client, host: ScriptedHost, threads: ThreadPoolExecutor
) -> None:
    """The connection breaks after the service has sent the answer: the client must not open a second session."""

    lost = set()

    class LosesFirstAnswers(httpx.HTTPTransport):
        def handle_request(self, request: httpx.Request) -> httpx.Response:
            response = super().handle_request(request)
            if request.url.path not in lost and not request.url.path.endswith("/execute"):
                response.read()
                lost.add(request.url.path)
                raise httpx.ReadError("connection reset")
            return response

    with Client(str(http.base_url), api_key=KEY.key, transport=LosesFirstAnswers()) as client:
        session = client.session()
        opened = threads.submit(session.open)
        request = host.take_open()
        session_id = host.open(request)
        assert opened.result().id == session.id == session_id
        forked = threads.submit(session.fork)
        call = host.take_call()
        host.record(call["ids"][0], request["owner"], parent=session_id)
        host.answer(call, {"ids": call["ids"]})
        (fork,) = forked.result()
        assert [fork.id] == call["ids"]
        executed = threads.submit(fork.execute, "1")
        call = host.take_call()  # without asking for the number of the latest call
        assert (call["do"], call["call"]["sequence"]) == ("execute", 1)
        host.answer(call, CALL_RESULT)
        assert executed.result().sequence == 1
    assert lost == {"/sessions", f"/sessions/{session_id}/fork"}
    assert host.count_waiting() == 0


def test_a_call_is_not_sent_again_if_its_host_seems_dead_for_a_moment(
    http: httpx.Client, host: ScriptedHost, threads: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = threads.submit(http.post, "/sessions", json={})
    session_id = host.open(host.take_open())
    assert opened.result().status_code == 201
    is_alive, checks = SessionCalls.is_host_alive, []

    def seem_dead_once(calls: SessionCalls, host_id: str) -> bool:
        checks.append(host_id)
        return len(checks) > 1 and is_alive(calls, host_id)

    monkeypatch.setattr(SessionCalls, "is_host_alive", seem_dead_once)
    response = threads.submit(http.post, f"/sessions/{session_id}/execute", json={"code": "1"})
    call = host.take_call()
    wait_until(lambda: len(checks) >= 3)
    assert host.count_waiting() == 0
    host.answer(call, CALL_RESULT)
    assert response.result().json() == CALL_RESULT


@pytest.mark.parametrize("sequence", [None, 1])
def test_only_a_numbered_call_is_sent_again_after_its_host_died(
    http: httpx.Client, redis: Redis, host: ScriptedHost, threads: ThreadPoolExecutor, sequence: int | None
) -> None:
    session = host.record("s1", KEY.entry.split(":")[0], replay=True)
    response = threads.submit(http.post, f"/sessions/{session.id}/execute", json={"code": "1", "sequence": sequence})
    host.take_call()
    other = ScriptedHost(redis, "h2")
    session_records.remove_host(redis, host.id)
    request = other.take_open()
    assert (request["do"], request["session"]) == ("reopen", session.id)
    rebuilt = other.record(session.id, KEY.entry.split(":")[0], replay=True)
    other.answer(request, {"session": rebuilt.model_dump(mode="json")})
    if sequence is None:
        assert response.result().status_code == 502
        assert other.count_waiting() == 0
    else:
        other.answer(other.take_call(), CALL_RESULT)
        assert response.result().json() == CALL_RESULT


def test_a_list_has_the_callers_open_sessions_only(
    settings: ApiSettings, http: httpx.Client, redis: Redis, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner = KEY.entry.split(":")[0]
    dead = ScriptedHost(redis, "h2")
    session_records.remove_host(redis, "h2")
    dead.record("lost", owner, age_s=1.0)
    dead.record("waits", owner, age_s=2.0, replay=True)
    for number in range(4):
        host.record(f"mine{number}", owner, age_s=10.0 + number)
        host.record(f"other{number}", "second")
    monkeypatch.setattr(session_records, "MAX_LISTED", 3)
    listed = http.get("/sessions").json()["sessions"]
    assert [session["id"] for session in listed] == ["waits", "mine0", "mine1"]
    assert {session["status"] for session in listed} == {"open"}
    assert {session["calls"] for session in listed} == {None}


def test_a_session_is_found_by_its_metadata_among_more_than_a_list_has(
    settings: ApiSettings, host: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_records, "MAX_LISTED", 3)
    host.record("named", age_s=9.0, metadata={"name": "shell", "more": "1"})
    for number in range(4):
        host.record(f"later{number}")
    calls = SessionCalls(settings)
    assert "named" not in {session.id for session in calls.list_open()}
    found = calls.find_open({"name": "shell"})
    assert found is not None
    assert found.id == "named"
    assert calls.find_open({"name": "other"}) is None
    calls.close()


def test_a_call_that_cannot_be_sent_leaves_nothing(settings: ApiSettings, redis: Redis, host: ScriptedHost) -> None:
    calls = SessionCalls(settings)
    session = host.record("s1")
    redis.set(redis_keys.session_calls(host.id), "not a list")
    with pytest.raises(QueueUnavailable):
        calls.send(session.id, {"do": "describe"}, lambda _: None)
    assert calls._reader.list_expected() == {}
    assert calls._reader._listeners == {}
    calls.close()


def test_a_call_that_failed_has_no_listener(redis: Redis) -> None:
    reader = CallReader(redis)
    (future,) = reader.expect(["c1"])
    reader.listen("c1", lambda _: None)
    reader.fail(["c1"], Cancelled("no"))
    assert isinstance(future.exception(), Cancelled)
    assert reader._listeners == {}
