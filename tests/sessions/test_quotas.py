"""The limit on the sessions of one API key, and what one key sees of another's sessions."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.api.keyring import generate_key
from sandbox.config import ApiSettings
from sandbox.errors import SessionQuotaExceeded
from sandbox.queue import redis_keys
from sandbox.queue.connection import connect
from sandbox.queue.session_records import admit_sessions
from sandbox.request_context import Role
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer
from tests.sessions.session_hosts import SessionHosts

MAX_SESSIONS = 2
FIRST = generate_key("first", Role.SUBMIT)
SECOND = generate_key("second", Role.SUBMIT)
ADMIN = generate_key("boss", Role.ADMIN)


@dataclasses.dataclass(frozen=True)
class Keys:
    """One HTTP client per key."""

    first: httpx.Client
    second: httpx.Client
    admin: httpx.Client


@pytest.fixture(scope="module")
def keys(settings: ApiSettings, hosts: SessionHosts) -> Iterator[Keys]:
    entries = ", ".join(key.entry for key in (FIRST, SECOND, ADMIN))
    assert hosts.list_alive()
    limited = settings.model_copy(update={"api_keys": entries, "key_max_sessions": MAX_SESSIONS})
    with serve_in_thread(create_app(limited)) as url:
        clients = [
            httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key.key}"}, timeout=60)
            for key in (FIRST, SECOND, ADMIN)
        ]
        yield Keys(*clients)
        for client in clients:
            client.close()


def open_session(client: httpx.Client) -> str:
    response = client.post("/sessions", json={})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def close_session(client: httpx.Client, session_id: str) -> None:
    assert client.delete(f"/sessions/{session_id}").status_code == 204


def test_a_key_over_its_limit_gets_a_429_and_closing_frees_a_place(keys: Keys) -> None:
    opened = [open_session(keys.first) for _ in range(MAX_SESSIONS)]
    refused = keys.first.post("/sessions", json={})
    assert (refused.status_code, "Retry-After" in refused.headers) == (429, True), refused.text
    assert "may have 2" in refused.json()["detail"]
    other = open_session(keys.second)  # the limit is that of one key
    close_session(keys.second, other)
    close_session(keys.first, opened.pop())
    opened.append(open_session(keys.first))
    for each in opened:
        close_session(keys.first, each)


def test_forks_count(keys: Keys) -> None:
    session = open_session(keys.first)
    refused = keys.first.post(f"/sessions/{session}/fork", json={"count": MAX_SESSIONS})
    assert refused.status_code == 429, refused.text
    forked = keys.first.post(f"/sessions/{session}/fork", json={"count": MAX_SESSIONS - 1})
    assert forked.status_code == 200, forked.text
    assert keys.first.post("/sessions", json={}).status_code == 429
    close_session(keys.first, session)
    again = open_session(keys.first)
    for each in (again, *forked.json()["ids"]):
        close_session(keys.first, each)


def test_a_fork_that_fails_is_not_counted(keys: Keys) -> None:
    response = keys.first.post("/sessions", json={"replay": True})
    session = response.json()["id"]
    assert keys.first.post(f"/sessions/{session}/fork", json={}).status_code == 422
    close_session(keys.first, open_session(keys.first))
    close_session(keys.first, session)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "", None),
        ("DELETE", "", None),
        ("POST", "/execute", {"code": "1"}),
        ("POST", "/interrupt", None),
        ("POST", "/fork", {"count": 1}),
        ("GET", "/files", None),
        ("PUT", "/files/a", None),
        ("GET", "/files/a", None),
        ("DELETE", "/files/a", None),
        ("POST", "/snapshot", None),
        ("POST", "/restore", None),
        ("POST", "/verify", {"tests": [{"stdin": "", "expected": ""}]}),
    ],
)
def test_a_session_of_another_key_does_not_exist(keys: Keys, method: str, path: str, body: object) -> None:
    session = open_session(keys.first)
    keys.first.post(f"/sessions/{session}/execute", json={"code": "x = 1"})
    refused = keys.second.request(method, f"/sessions/{session}{path}", json=body)
    assert refused.status_code == 404, refused.text
    assert keys.second.get("/sessions").json()["sessions"] == []
    kept = keys.first.post(f"/sessions/{session}/execute", json={"code": "x"})
    assert kept.json()["result"] == {"text/plain": "1"}
    close_session(keys.first, session)


def test_an_admin_sees_all_sessions(keys: Keys) -> None:
    sessions = {open_session(keys.first), open_session(keys.second)}
    assert sessions <= {each["id"] for each in keys.admin.get("/sessions").json()["sessions"]}
    for session in sessions:
        answer = keys.admin.post(f"/sessions/{session}/execute", json={"code": "40 + 2"})
        assert answer.json()["result"] == {"text/plain": "42"}
        close_session(keys.admin, session)


def test_a_short_session_does_not_make_longer_ones_uncounted(redis_server: RedisServer) -> None:
    redis = connect(redis_server.build_url(10))
    owner = f"owner-{time.monotonic_ns()}"
    admit_sessions(redis, owner, ["long"], 5_000.0, 2)
    admit_sessions(redis, owner, ["short"], 1.0, 2)
    assert redis.ttl(redis_keys.owned_sessions(owner)) > 4_000
    with pytest.raises(SessionQuotaExceeded):
        admit_sessions(redis, owner, ["third"], 1.0, 2)
    time.sleep(1.1)
    admit_sessions(redis, owner, ["third"], 1.0, 2)
    redis.close()
