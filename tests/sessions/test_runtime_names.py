"""A runtime of SWE-ReX has one session, also after concurrent requests. The host is scripted by the tests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from redis import Redis

from sandbox.api.app import create_app
from sandbox.api.dialects.swe_rex import RUNTIME, SHELL
from sandbox.config import ApiSettings
from sandbox.errors import BoxError
from sandbox.queue import session_records
from sandbox.queue.session_answers import encode_error
from sandbox.queue.session_calls import SessionCalls
from tests.api.threaded_server import serve_in_thread
from tests.redis_server import RedisServer
from tests.sessions.scripted_host import LEASE_S, ScriptedHost

DATABASE = 11
TIMEOUT_S = 10.0
REQUESTS = 4
ENDED = "SessionDoesNotExistError"


class Runtime:
    """SWE-ReX's client of one runtime, and the host of its session."""

    def __init__(self, http: httpx.Client, host: ScriptedHost, name: str) -> None:
        self.host, self.name = host, name
        self._http = http
        self._threads = ThreadPoolExecutor(REQUESTS)

    def post(self, path: str, **fields: Any) -> Any:
        return self._http.post(path, json=fields).json()

    def start(self, path: str, **fields: Any) -> Future[Any]:
        return self._threads.submit(self.post, path, **fields)

    def run(self, command: str) -> Any:
        return self.start("run_in_session", command=command)

    def open(self) -> str:
        """Open the session that a request waits for, and answer its first call; return its id."""
        request = self.host.take_open()
        session = self.host.record(request["session"], request["owner"], metadata=request["request"]["metadata"])
        self.host.answer(request, {"session": session.model_dump(mode="json")})
        self.answer_call()
        return session.id

    def answer_call(self, stdout: str = "") -> str:
        """Answer the next call; return the id of its session."""
        call = self.host.take_call()
        self.host.answer(call, {"sequence": 1, "status": "ok", "exit_code": 0, "stdout": stdout})
        return str(call["session"])

    def create(self) -> str:
        response = self.start("create_session")
        session_id = self.open()
        assert response.result() == {"output": ""}
        return session_id


@pytest.fixture(scope="module")
def redis(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.open_empty_database(DATABASE) as client:
        yield client


@pytest.fixture(scope="module")
def url(redis: Redis, redis_server: RedisServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert redis.dbsize() == 0
    home = tmp_path_factory.mktemp("home")
    settings = ApiSettings(home=home, redis_url=redis_server.build_url(DATABASE), lease_s=LEASE_S)
    with serve_in_thread(create_app(settings)) as url:
        yield url


@pytest.fixture
def runtime(redis: Redis, url: str, request: pytest.FixtureRequest) -> Iterator[Runtime]:
    """A runtime that is named after the test, with a host of its own."""
    name = request.node.name
    with httpx.Client(base_url=f"{url}/dialects/swe_rex/{name}", timeout=TIMEOUT_S) as client:
        yield Runtime(client, ScriptedHost(redis, name), name)


def read_fault(response: Mapping[str, Any]) -> tuple[str, str]:
    """Return the class and the message of the exception that the client raises."""
    fault = response["swerexception"]
    return fault["class_path"].rpartition(".")[2], fault["message"]


def test_concurrent_requests_create_one_session(runtime: Runtime) -> None:
    responses = [runtime.start("create_session") for _ in range(REQUESTS)]
    runtime.open()
    answers = [response.result() for response in responses]
    assert answers.count({"output": ""}) == 1
    faults = [read_fault(answer)[0] for answer in answers if "swerexception" in answer]
    assert faults == ["SessionExistsError"] * (REQUESTS - 1)
    assert runtime.host.count_waiting() == 0
    kind, message = read_fault(runtime.post("create_session", session="other"))
    assert (kind, message) == ("SessionExistsError", "the runtime has its only session, default")


def test_calls_find_their_session_without_reading_the_others(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SessionCalls, "find_open", lambda *_: pytest.fail("reads all sessions"))
    session_id = runtime.create()
    response = runtime.run("echo 42")
    assert runtime.answer_call("42\n") == session_id
    assert response.result()["output"] == "42\n"


def test_a_session_that_does_not_open_leaves_the_name_free(runtime: Runtime) -> None:
    response = runtime.start("create_session")
    runtime.host.answer(runtime.host.take_open(), encode_error(BoxError("broken")))
    assert read_fault(response.result())[0] == "SwerexException"
    runtime.create()


def test_a_lost_session_is_reported_and_can_be_replaced(runtime: Runtime, redis: Redis) -> None:
    lost = runtime.create()
    session_records.remove_host(redis, runtime.host.id)
    kind, message = read_fault(runtime.post("run_in_session", command="true"))
    assert kind == ENDED
    assert f"the last one is lost: {session_records.HOST_DIED}" in message
    assert runtime.post("close") == {}
    runtime.host = ScriptedHost(redis, "another host")
    assert runtime.create() != lost


def test_a_session_of_an_earlier_version_is_found_by_its_metadata(
    runtime: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime.host.record("old", metadata={RUNTIME: runtime.name, SHELL: "default"})
    for _ in range(2):
        response = runtime.run("echo 42")
        assert runtime.answer_call("42\n") == "old"
        assert response.result()["output"] == "42\n"
        monkeypatch.setattr(SessionCalls, "find_open", lambda *_: pytest.fail("reads all sessions"))
    assert read_fault(runtime.post("create_session"))[0] == "SessionExistsError"
