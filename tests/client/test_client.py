"""Both clients against the API on a real port and against servers that misbehave."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import httpx
import pytest

from sandbox import errors
from sandbox.client import AsyncClient, Client, JobEvent, Retries
from sandbox.errors import BadRequest, InfrastructureError, NotFound, QueueFull, Refused, UnknownLanguage
from sandbox.schema import ExecuteRequest, Job, JobStatus, TestCase, VerifyRequest
from sandbox.schema.health import Readiness
from sandbox.schema.reward import RewardRequest, TaskSet
from tests.api.fake_service import FakeService

EXECUTE = {"language": "python", "code": "print(1)"}
VERIFY = {"language": "python", "code": "print(1)", "tests": [{"stdin": "", "expected": "1\n"}]}
QUICK = Retries(attempts=4, first_delay_s=0.0)
JOB = {"id": "a", "status": "queued"}
EXECUTED = {"id": "a", "status": "ok"}


@pytest.fixture
def client(url: str) -> Iterator[Client]:
    with Client(url, retries=QUICK) as opened:
        yield opened


@pytest.fixture
async def async_client(url: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(url, retries=QUICK) as opened:
        yield opened


def _build_items(number: int) -> list[dict[str, Any]]:
    return [{**EXECUTE, "code": str(index)} for index in range(number)]


def test_execute_and_verify_answer_typed_results(client: Client) -> None:
    assert client.execute(EXECUTE).stdout == "print(1)"
    assert client.verify(VERIFY).verdict == "accepted"


async def test_the_async_client_does_the_same(async_client: AsyncClient) -> None:
    assert (await async_client.execute(EXECUTE)).stdout == "print(1)"
    assert (await async_client.verify(VERIFY)).verdict == "accepted"


def test_requests_may_be_models(client: Client, service: FakeService) -> None:
    program = ExecuteRequest(language="python", code="x", stdin_base64=b"\xff", files={"a": b"\0"}, fetch_files=["b"])
    submission = VerifyRequest(language="python", code="x", tests=[TestCase(stdin="1", expected_base64=b"\xff")])
    client.execute(program)
    client.verify(submission)
    for submitted, request in zip(service.submissions, (program, submission), strict=True):
        assert [each.model_dump(exclude={"callback_url"}) for each in submitted.requests] == [request.model_dump()]


def test_batches_answer_in_order(client: Client) -> None:
    assert [result.stdout for result in client.execute_batch(_build_items(50))] == [str(index) for index in range(50)]
    submissions = [{**VERIFY, "code": str(index)} for index in range(50)]
    messages = [result.tests[0].message for result in client.verify_batch(submissions)]
    assert messages == [str(index) for index in range(50)]


async def test_async_batches_answer_in_order(async_client: AsyncClient) -> None:
    results = await async_client.execute_batch(_build_items(50))
    assert [result.stdout for result in results] == [str(index) for index in range(50)]
    assert len(await async_client.verify_batch([VERIFY] * 3)) == 3


VOTE = {"candidates": [{"language": "python", "code": "print(1)"}], "inputs": ["1", "2"]}
TASKS = {"one": {"tests": [{"stdin": "", "expected": "1"}]}}
COMPLETION = "```python\nprint(1)\n```"


HACK = {"target": VOTE["candidates"][0], "input": "1\n", "references": VOTE["candidates"]}  # type: ignore[index]


def test_hacks(client: Client, service: FakeService) -> None:
    assert client.hack(HACK, idempotency_key="k").breaks is True
    assert (service.submissions[0].kind, service.submissions[0].idempotency_key) == ("hack", "k")
    assert [result.breaks for result in client.hack_batch([HACK, HACK])] == [True, True]
    client.submit("hack", HACK)
    client.submit("hack", [HACK, HACK])
    assert [(call.durable, call.batch, len(call.requests)) for call in service.submissions[2:]] == [
        (True, False, 1),
        (True, True, 2),
    ]


def test_votes_and_rewards_and_tasks(client: Client, service: FakeService) -> None:
    assert client.vote(VOTE, idempotency_key="k").golden.index == 0
    assert (service.submissions[0].kind, service.submissions[0].idempotency_key) == ("vote", "k")
    tests = [[{"stdin": "", "expected": "1"}]]
    rewards = client.reward({"completions": [COMPLETION, "none"], "tests": tests, "policy": "fraction"}).rewards
    assert rewards == [1.0, 0.0]
    info = client.put_tasks(TASKS)
    assert info.tasks == 1
    assert client.put_tasks(TaskSet.model_validate({"tasks": TASKS})) == info
    by_id = RewardRequest(completions=[COMPLETION], tasks=[f"{info.id}/one"])
    assert client.reward(by_id).rewards == [1.0]
    with pytest.raises(BadRequest) as refused:
        client.put_tasks({"one": {"tests": []}})
    assert refused.value.field == "body.tasks.one.tests"


async def test_async_votes_and_rewards_and_tasks(async_client: AsyncClient) -> None:
    assert (await async_client.vote(VOTE)).golden.accepted is True
    info = await async_client.put_tasks(TASKS)
    body = {"completions": [COMPLETION], "tasks": [f"{info.id}/one"]}
    assert (await async_client.reward(body)).rewards == [1.0]
    with pytest.raises(NotFound):
        await async_client.reward({**body, "tasks": ["0" * 64 + "/one"]})


def test_streams_bring_every_result_with_its_index(client: Client) -> None:
    results = dict(client.execute_stream(_build_items(50)))
    assert {index: result.stdout for index, result in results.items()} == {index: str(index) for index in range(50)}
    assert sorted(index for index, _ in client.verify_stream([VERIFY] * 3)) == [0, 1, 2]
    assert list(client.verify_stream([])) == []


async def test_async_streams_bring_every_result_with_its_index(async_client: AsyncClient) -> None:
    results = {index: result async for index, result in async_client.execute_stream(_build_items(50))}
    assert {index: result.stdout for index, result in results.items()} == {index: str(index) for index in range(50)}
    assert len([each async for each in async_client.verify_stream([VERIFY] * 3)]) == 3


def test_a_stream_that_is_left_abandons_the_rest(url: str, service: FakeService) -> None:
    service.held = True
    with Client(url) as client:
        stream = client.execute_stream(_build_items(3))
        threading.Thread(target=lambda: service.set_result(service.wait_for_submission(), 1)).start()
        assert next(stream)[0] == 1
        stream.close()  # type: ignore[attr-defined]
        assert service.wait_for_abandonment() == "job0"


def test_a_submitted_job_is_looked_at_waited_for_and_cancelled(client: Client, service: FakeService) -> None:
    job = client.submit("verify", VERIFY, idempotency_key="k")
    assert job.status is JobStatus.QUEUED
    assert service.submissions[0].idempotency_key == "k"
    assert client.job(job.id) == job
    service.jobs[job.id] = Job(id=job.id, status=JobStatus.FINISHED, result={"verdict": "accepted"})
    assert client.wait(job.id).result == {"verdict": "accepted"}
    batch = client.submit("execute", [EXECUTE, EXECUTE])
    assert service.submissions[1].batch is True
    assert client.cancel(batch.id).status is JobStatus.CANCELLED
    assert client.wait(batch.id).status is JobStatus.CANCELLED


async def test_an_async_job_is_looked_at_waited_for_and_cancelled(
    async_client: AsyncClient, service: FakeService
) -> None:
    job = await async_client.submit("execute", EXECUTE)
    assert await async_client.job(job.id) == job
    with pytest.raises(TimeoutError):
        await async_client.wait(job.id, timeout_s=0.05)
    assert (await async_client.cancel(job.id)).status is JobStatus.CANCELLED
    assert (await async_client.wait(job.id)).status is JobStatus.CANCELLED


def test_waiting_ends_when_its_time_is_up(client: Client) -> None:
    job = client.submit("execute", EXECUTE)
    with pytest.raises(TimeoutError, match=job.id):
        client.wait(job.id, timeout_s=0.05)


def test_waiting_for_a_gpu_job_that_nobody_can_start_says_so_at_once(
    client: Client, service: FakeService, caplog: pytest.LogCaptureFixture
) -> None:
    job = client.start("generate", {"model": "m", "prompts": ["p"]})
    service.jobs[job.id] = job.model_copy(update={"note": "no GPU worker is alive"})
    with pytest.raises(TimeoutError, match="no GPU worker is alive"):
        client.wait(job.id, timeout_s=0.2)
    assert [record.getMessage() for record in caplog.records] == [f"job {job.id} waits: no GPU worker is alive"]


def test_every_submitted_job_has_a_key_so_that_a_retry_queues_it_once(client: Client, service: FakeService) -> None:
    client.submit("execute", EXECUTE)
    client.submit("execute", EXECUTE)
    first, second = (submitted.idempotency_key for submitted in service.submissions)
    assert first
    assert first != second


def test_languages_and_readiness(client: Client, service: FakeService) -> None:
    assert "python" in {language.name for language in client.languages()}
    assert client.ready() == service.reported_readiness
    service.reported_readiness = Readiness(False, 0, problems=["no worker is alive"])
    assert client.ready() == service.reported_readiness


async def test_async_languages_and_readiness(async_client: AsyncClient, service: FakeService) -> None:
    assert "python" in {language.name for language in await async_client.languages()}
    assert await async_client.ready() == service.reported_readiness


def test_errors_come_back_as_what_the_service_raised(client: Client, service: FakeService) -> None:
    with pytest.raises(NotFound):
        client.job("none")
    with pytest.raises(UnknownLanguage) as unknown:
        client.verify_batch([VERIFY, {**VERIFY, "language": "latin"}])
    assert unknown.value.field == "body.items.1.language"
    with pytest.raises(BadRequest, match="1 MiB"):
        client.execute({**EXECUTE, "stdin": "x" * (2 << 20)})
    for kind in (errors.Cancelled, errors.BoxError, errors.EngineUnavailable, errors.InfrastructureError):
        service.refusal = kind("no")
        with pytest.raises(kind) as raised:
            client.execute(EXECUTE)
        assert type(raised.value) is kind


async def test_async_errors_come_back_as_what_the_service_raised(async_client: AsyncClient) -> None:
    with pytest.raises(NotFound):
        await async_client.job("none")
    with pytest.raises(UnknownLanguage):
        [each async for each in async_client.execute_stream([{**EXECUTE, "language": "latin"}])]


def test_a_bad_mapping_is_refused_before_it_is_sent(client: Client, service: FakeService) -> None:
    with pytest.raises(BadRequest) as refused:
        client.verify({**VERIFY, "tests": [{"stdin": 5}]})
    assert refused.value.field == "body.tests.0.stdin"
    assert service.submissions == []


def test_a_failed_item_of_a_stream_raises_its_error(client: Client, service: FakeService) -> None:
    service.failure = errors.Cancelled("cancelled")
    with pytest.raises(errors.Cancelled):
        list(client.execute_stream([EXECUTE]))


# Servers that misbehave


class ScriptedServer:
    """A transport that raises or returns the next act of a list for each request."""

    def __init__(self, *acts: httpx.Response | Exception) -> None:
        self._acts = list(acts)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        act = self._acts.pop(0)
        if isinstance(act, Exception):
            raise act
        return act


@pytest.fixture
def sleeps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Record the sleeps of this thread instead of sleeping; other threads, such as the server, still sleep."""
    slept: list[float] = []
    here, sleep, sleep_async = threading.get_ident(), time.sleep, asyncio.sleep

    def record_sleep(seconds: float) -> None:
        if threading.get_ident() == here:
            slept.append(seconds)
        else:
            sleep(seconds)

    async def record_async_sleep(seconds: float) -> None:
        if threading.get_ident() == here:
            slept.append(seconds)
        else:
            await sleep_async(seconds)

    monkeypatch.setattr(time, "sleep", record_sleep)
    monkeypatch.setattr(asyncio, "sleep", record_async_sleep)
    return slept


def _build_refusal(retry_after: str = "2") -> httpx.Response:
    problem = {"type": "urn:sandbox:queue-full", "title": "Queue full", "status": 503, "detail": "lane rl"}
    return httpx.Response(503, json=problem, headers={"Retry-After": retry_after})


def _build_stream(*indices: int, broken: bool = False) -> httpx.Response:
    def content() -> Iterator[bytes]:
        for index in indices:
            yield json.dumps({"index": index, "result": {**EXECUTED, "stdout": str(index)}}).encode() + b"\n"
        if broken:
            raise httpx.RemoteProtocolError("peer closed connection")

    return httpx.Response(200, content=content())


def _build_client(script: Callable[[httpx.Request], httpx.Response], retries: Retries = Retries(attempts=3)) -> Client:  # noqa: B008
    return Client(transport=httpx.MockTransport(script), retries=retries)


@pytest.mark.parametrize(
    "failure",
    [httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.RemoteProtocolError("closed"), _build_refusal()],
    ids=["connect", "reset", "closed", "503"],
)
def test_a_temporary_failure_is_retried(sleeps: list[float], failure: httpx.Response | Exception) -> None:
    script = ScriptedServer(failure, failure, httpx.Response(200, json=EXECUTED))
    assert _build_client(script).execute(EXECUTE).status == "ok"
    assert len(script.requests) == 3
    assert script.requests[0].content == script.requests[2].content


async def test_the_async_client_retries_too(sleeps: list[float]) -> None:
    script = ScriptedServer(httpx.ConnectError("refused"), _build_refusal(), httpx.Response(200, json=EXECUTED))
    async with AsyncClient(transport=httpx.MockTransport(script), retries=Retries(attempts=3)) as client:
        assert (await client.execute(EXECUTE)).status == "ok"
    assert len(sleeps) == 2
    assert sleeps[1] >= 2.0


def test_a_retry_waits_for_retry_after_plus_jitter(sleeps: list[float]) -> None:
    script = ScriptedServer(_build_refusal("7"), _build_refusal("7"), httpx.Response(200, json=EXECUTED))
    _build_client(script, Retries(attempts=3, first_delay_s=1.0, max_delay_s=1.5)).execute(EXECUTE)
    assert all(7.0 <= slept <= 8.5 for slept in sleeps)
    assert sleeps[0] != sleeps[1]


def test_delays_grow_up_to_their_limit() -> None:
    retries = Retries(first_delay_s=0.1, max_delay_s=1.0)
    longest = [max(retries.delay_s(attempt) for _ in range(200)) for attempt in range(8)]
    assert longest[0] <= 0.1 < longest[3] <= 0.8
    assert longest[7] <= 1.0


@pytest.mark.parametrize(
    ("failure", "raised"), [(httpx.ConnectError("refused"), InfrastructureError), (_build_refusal(), QueueFull)]
)
def test_retries_end(sleeps: list[float], failure: httpx.Response | Exception, raised: type[Exception]) -> None:
    script = ScriptedServer(failure, failure, failure)
    with pytest.raises(raised):
        _build_client(script).execute(EXECUTE)
    assert len(sleeps) == 2


def test_a_read_timeout_is_not_retried(sleeps: list[float]) -> None:
    with pytest.raises(InfrastructureError, match="ReadTimeout"):
        _build_client(ScriptedServer(httpx.ReadTimeout("slow"))).execute(EXECUTE)
    assert sleeps == []


@pytest.mark.parametrize(
    ("status", "raised"),
    [(400, BadRequest), (404, NotFound), (429, Refused), (500, InfrastructureError), (504, InfrastructureError)],
)
def test_an_error_without_a_known_type_is_read_by_its_status(
    sleeps: list[float], status: int, raised: type[Exception]
) -> None:
    with pytest.raises(raised):
        _build_client(ScriptedServer(*[httpx.Response(status, html="<h1>proxy</h1>")] * 3)).execute(EXECUTE)


def test_an_answer_that_cannot_be_parsed_is_an_infrastructure_error() -> None:
    with pytest.raises(InfrastructureError):
        _build_client(ScriptedServer(httpx.Response(200, html="<h1>captive portal</h1>"))).execute(EXECUTE)
    with pytest.raises(InfrastructureError):
        list(
            _build_client(ScriptedServer(httpx.Response(200, text='{"index": 99, "result": {}}\n'))).execute_stream(
                [EXECUTE]
            )
        )


def test_a_stream_that_breaks_requests_only_the_rest(sleeps: list[float]) -> None:
    script = ScriptedServer(
        _build_stream(2, 0, broken=True), httpx.ConnectError("refused"), _build_stream(1), _build_stream(0)
    )
    results = list(_build_client(script).execute_stream(_build_items(4)))
    assert [index for index, _ in results] == [2, 0, 3, 1]
    sent = [[item["code"] for item in json.loads(request.content)["items"]] for request in script.requests]
    assert sent == [["0", "1", "2", "3"], ["1", "3"], ["1", "3"], ["1"]]


async def test_an_async_stream_that_breaks_requests_only_the_rest(sleeps: list[float]) -> None:
    async def content() -> AsyncIterator[bytes]:
        yield json.dumps({"index": 1, "result": EXECUTED}).encode() + b"\n"
        raise httpx.RemoteProtocolError("peer closed connection")

    async def rest() -> AsyncIterator[bytes]:
        yield json.dumps({"index": 0, "result": EXECUTED}).encode() + b"\n"

    script = ScriptedServer(
        httpx.Response(200, content=content()), _build_refusal(), httpx.Response(200, content=rest())
    )
    async with AsyncClient(transport=httpx.MockTransport(script), retries=Retries(attempts=3)) as client:
        results = [index async for index, _ in client.execute_stream(_build_items(2))]
    assert results == [1, 0]


def test_a_stream_ends_after_connections_that_sent_nothing(sleeps: list[float]) -> None:
    with pytest.raises(InfrastructureError, match="3 times in a row"):
        list(_build_client(ScriptedServer(*[_build_stream() for _ in range(3)])).execute_stream([EXECUTE]))
    with pytest.raises(QueueFull):
        list(_build_client(ScriptedServer(*[_build_refusal() for _ in range(3)])).execute_stream([EXECUTE]))


def test_connections_are_reused(client: Client, url: str) -> None:
    client.execute(EXECUTE)
    (pooled,) = client._connection.http._transport._pool.connections  # type: ignore[attr-defined]
    client.execute(EXECUTE)
    assert client._connection.http._transport._pool.connections == [pooled]  # type: ignore[attr-defined]


def test_both_clients_have_the_same_methods() -> None:
    def public(kind: type) -> set[str]:
        return {name for name in vars(kind) if not name.startswith("_")}

    assert public(Client) == public(AsyncClient)


# Events of a GPU job

GPU_JOB = {"id": "gpu-1", "kind": "generate", "status": "running"}


def _encode_event(event: str, data: dict[str, Any], number: int | None = None) -> bytes:
    place = "" if number is None else f"id: {number}\n"
    return f"{place}event: {event}\ndata: {json.dumps(data)}\n\n".encode()


def _build_event_stream(*pieces: bytes, broken: bool = False) -> httpx.Response:
    def content() -> Iterator[bytes]:
        yield from pieces
        if broken:
            raise httpx.RemoteProtocolError("peer closed connection")

    return httpx.Response(200, content=content())


def _build_broken_stream() -> tuple[list[httpx.Response | Exception], list[JobEvent]]:
    """Build a stream that breaks off twice, once in the middle of an event, and the events that a client yields."""
    completion = {"prompt": 0, "completions": ["über\u2028"], "finish": ["stop"]}
    second = _encode_event("progress", {"step": 2}, 1)
    acts: list[httpx.Response | Exception] = [
        _build_event_stream(
            _encode_event("progress", {"step": 1}, 0),
            _encode_event("state", GPU_JOB),
            b": still there\n\n",
            second[:9],
            broken=True,
        ),
        httpx.ConnectError("refused"),
        _build_event_stream(second[:20], second[20:] + _encode_event("state", GPU_JOB)),
        _build_event_stream(
            _encode_event("completion", completion, 2), _encode_event("state", {**GPU_JOB, "status": "finished"})
        ),
    ]
    expected = [
        JobEvent("progress", {"step": 1}, 0),
        JobEvent("state", GPU_JOB),
        JobEvent("progress", {"step": 2}, 1),
        JobEvent("completion", completion, 2),
        JobEvent("state", {**GPU_JOB, "status": "finished"}),
    ]
    return acts, expected


def test_events_continue_behind_the_last_one_until_the_job_ends(sleeps: list[float]) -> None:
    acts, expected = _build_broken_stream()
    script = ScriptedServer(*acts)
    assert list(_build_client(script).events("gpu-1")) == expected
    assert [request.headers.get("last-event-id") for request in script.requests] == [None, "0", "0", "1"]
    assert {request.url.path for request in script.requests} == {"/jobs/gpu-1/events"}


async def test_events_of_the_async_client_continue_too(sleeps: list[float]) -> None:
    acts, expected = _build_broken_stream()
    # The async client needs responses with async content.
    script = ScriptedServer(*(act if isinstance(act, Exception) else _make_async(act) for act in acts))
    async with AsyncClient(transport=httpx.MockTransport(script), retries=Retries(attempts=3)) as client:
        assert [event async for event in client.events("gpu-1", after=7)] == expected
    assert script.requests[0].headers["last-event-id"] == "7"


def _make_async(response: httpx.Response) -> httpx.Response:
    async def content() -> AsyncIterator[bytes]:
        for piece in response.iter_raw():
            yield piece

    return httpx.Response(200, content=content())


def test_events_of_an_unknown_job_raise_not_found(client: Client) -> None:
    with pytest.raises(NotFound):
        list(client.events("gpu-none"))


def test_events_of_a_real_api_are_read(client: Client, service: FakeService) -> None:
    job = client.start("generate", {"model": "m", "prompts": ["p"]})
    service.events = [b'{"event":"progress","data":{"step":%d}}' % step for step in range(3)]
    service.jobs[job.id] = service.jobs[job.id].model_copy(update={"status": JobStatus.FINISHED})
    received = list(client.events(job.id, after=0))
    assert [(event.event, event.id) for event in received] == [("progress", 1), ("progress", 2), ("state", None)]
    assert received[-1].data["status"] == "finished"


def test_an_event_stream_ends_after_connections_that_sent_nothing(sleeps: list[float]) -> None:
    script = ScriptedServer(*[_build_event_stream() for _ in range(3)])
    with pytest.raises(InfrastructureError, match="3 times in a row"):
        list(_build_client(script).events("gpu-1"))
