"""A client of the REST API, sync and async, with the service's method names and its exceptions.

    with Client("http://127.0.0.1:8080") as client:
        result = client.verify({"language": "python", "code": code, "tests": [{"stdin": "1\\n", "expected": "1\\n"}]})

Requests are the models of `sandbox.schema` or mappings of the same shape. What the API refuses for now (503, 429) and
connections that fail are tried again; a program that was sent twice that way ran twice, and that harms nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

import httpx

from sandbox.calls import (
    CONNECTION_ERRORS,
    ENDED,
    LANGUAGES,
    PATIENT,
    Answer,
    Call,
    Polls,
    Program,
    Result,
    Retries,
    Stream,
    Submission,
    error_of,
    later,
    many,
    one,
    readiness,
    reward,
    task_set,
    unreachable,
    vote,
)
from sandbox.errors import QueueUnavailable, Refused, SandboxError
from sandbox.schema import (
    ExecuteBatchResult,
    ExecuteResult,
    Job,
    LanguageInfo,
    VerifyBatchResult,
    VerifyResult,
)

if TYPE_CHECKING:
    from sandbox.schema.reward import RewardRequest, RewardResult, TaskSet, TaskSetInfo
    from sandbox.schema.vote import VoteRequest, VoteResult
    from sandbox.service import Kind, Readiness

__all__ = ["AsyncClient", "Client", "Program", "Retries", "Submission"]

DEFAULT_URL = "http://127.0.0.1:8080"

# What a stream outlives: it asks again for what is missing.
_PASSING = (Refused, QueueUnavailable, *CONNECTION_ERRORS)


class Client:
    """Keeps its connections open; use one for many calls, from any thread, and close it."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout_s: float = 900.0,
        connections: int = 256,
        retries: Retries = PATIENT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._http = httpx.Client(
            base_url=url, timeout=_timeout(timeout_s), limits=_limits(connections), transport=transport
        )

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def execute(self, program: Program, *, idempotency_key: str = "") -> ExecuteResult:
        """Run one program once."""
        return self._send(one("execute", program, ExecuteResult, idempotency_key))

    def verify(self, submission: Submission, *, idempotency_key: str = "") -> VerifyResult:
        """Judge one program on its tests."""
        return self._send(one("verify", submission, VerifyResult, idempotency_key))

    def execute_batch(self, programs: Sequence[Program], *, idempotency_key: str = "") -> list[ExecuteResult]:
        """Run many programs; results in their order."""
        return self._send(many("execute", programs, ExecuteBatchResult, idempotency_key)).results

    def verify_batch(self, submissions: Sequence[Submission], *, idempotency_key: str = "") -> list[VerifyResult]:
        """Judge many programs; results in their order."""
        return self._send(many("verify", submissions, VerifyBatchResult, idempotency_key)).results

    def execute_stream(self, programs: Sequence[Program]) -> Iterator[tuple[int, ExecuteResult]]:
        """Run many programs; each result with its index, as soon as it is ready."""
        return self._stream(Stream("execute", programs, ExecuteResult))

    def verify_stream(self, submissions: Sequence[Submission]) -> Iterator[tuple[int, VerifyResult]]:
        """Judge many programs; each result with its index, as soon as it is ready."""
        return self._stream(Stream("verify", submissions, VerifyResult))

    def vote(self, request: VoteRequest | Mapping[str, Any], *, idempotency_key: str = "") -> VoteResult:
        """Run candidates on inputs: labels by majority, the golden candidate, and a labelled test set."""
        return self._send(vote(request, idempotency_key))

    def reward(self, request: RewardRequest | Mapping[str, Any], *, idempotency_key: str = "") -> RewardResult:
        """Rewards of completions, in their order; None where the service failed."""
        return self._send(reward(request, idempotency_key))

    def put_tasks(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSetInfo:
        """Register tasks by name; a reward request then names each as `<id>/<name>`."""
        return self._send(task_set(tasks))

    def submit(
        self,
        kind: Kind,
        requests: Program | Submission | Sequence[Program | Submission],
        *,
        idempotency_key: str = "",
    ) -> Job:
        """Queue one request, or a sequence of them as a batch, without waiting for results; see `wait`."""
        return self._send(later(kind, requests, idempotency_key))

    def job(self, job_id: str) -> Job:
        """What has become of a submission; raises NotFound."""
        return self._send(Call("GET", f"/jobs/{job_id}", Job))

    def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job once it is finished or cancelled; raises TimeoutError."""
        polls = Polls(timeout_s)
        while True:
            job = self.job(job_id)
            if job.status in ENDED:
                return job
            time.sleep(polls.next_s(job_id))

    def cancel(self, job_id: str) -> Job:
        """Cancel what has not run yet; raises NotFound."""
        return self._send(Call("DELETE", f"/jobs/{job_id}", Job))

    def languages(self) -> list[LanguageInfo]:
        return self._send(Call("GET", "/languages", LANGUAGES))

    def ready(self) -> Readiness:
        """Whether submissions would be served now; not being ready is an answer, not an error."""
        return self._send(readiness())

    def _send(self, call: Call[Answer]) -> Answer:
        for attempt in range(self._retries.attempts):
            try:
                response = self._http.request(call.method, call.path, content=call.body, headers=call.headers)
            except CONNECTION_ERRORS as error:
                failure: SandboxError = unreachable(error)
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            else:
                if not call.retries(response):
                    return call.read(response)
                failure = error_of(response)
            if attempt + 1 < self._retries.attempts:
                time.sleep(self._retries.delay_s(attempt, getattr(failure, "retry_after_s", 0.0)))
        raise failure

    def _stream(self, stream: Stream[Result]) -> Iterator[tuple[int, Result]]:
        while stream.left:
            try:
                with self._http.stream("POST", stream.path, content=stream.body(), headers=stream.headers) as response:
                    if response.status_code != 200:
                        response.read()
                        raise error_of(response)
                    for line in response.iter_lines():
                        yield stream.read(line)
                failure: Exception | None = None
            except _PASSING as error:
                failure = error
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            if stream.left:
                time.sleep(stream.delay_s(self._retries, failure))


class AsyncClient:
    """`Client` for asyncio: the same methods, awaited; streams are asynchronous iterators."""

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        timeout_s: float = 900.0,
        connections: int = 256,
        retries: Retries = PATIENT,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._retries = retries
        self._http = httpx.AsyncClient(
            base_url=url, timeout=_timeout(timeout_s), limits=_limits(connections), transport=transport
        )

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._http.aclose()

    async def execute(self, program: Program, *, idempotency_key: str = "") -> ExecuteResult:
        """Run one program once."""
        return await self._send(one("execute", program, ExecuteResult, idempotency_key))

    async def verify(self, submission: Submission, *, idempotency_key: str = "") -> VerifyResult:
        """Judge one program on its tests."""
        return await self._send(one("verify", submission, VerifyResult, idempotency_key))

    async def execute_batch(self, programs: Sequence[Program], *, idempotency_key: str = "") -> list[ExecuteResult]:
        """Run many programs; results in their order."""
        return (await self._send(many("execute", programs, ExecuteBatchResult, idempotency_key))).results

    async def verify_batch(self, submissions: Sequence[Submission], *, idempotency_key: str = "") -> list[VerifyResult]:
        """Judge many programs; results in their order."""
        return (await self._send(many("verify", submissions, VerifyBatchResult, idempotency_key))).results

    def execute_stream(self, programs: Sequence[Program]) -> AsyncIterator[tuple[int, ExecuteResult]]:
        """Run many programs; each result with its index, as soon as it is ready."""
        return self._stream(Stream("execute", programs, ExecuteResult))

    def verify_stream(self, submissions: Sequence[Submission]) -> AsyncIterator[tuple[int, VerifyResult]]:
        """Judge many programs; each result with its index, as soon as it is ready."""
        return self._stream(Stream("verify", submissions, VerifyResult))

    async def vote(self, request: VoteRequest | Mapping[str, Any], *, idempotency_key: str = "") -> VoteResult:
        """Run candidates on inputs: labels by majority, the golden candidate, and a labelled test set."""
        return await self._send(vote(request, idempotency_key))

    async def reward(self, request: RewardRequest | Mapping[str, Any], *, idempotency_key: str = "") -> RewardResult:
        """Rewards of completions, in their order; None where the service failed."""
        return await self._send(reward(request, idempotency_key))

    async def put_tasks(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSetInfo:
        """Register tasks by name; a reward request then names each as `<id>/<name>`."""
        return await self._send(task_set(tasks))

    async def submit(
        self,
        kind: Kind,
        requests: Program | Submission | Sequence[Program | Submission],
        *,
        idempotency_key: str = "",
    ) -> Job:
        """Queue one request, or a sequence of them as a batch, without waiting for results; see `wait`."""
        return await self._send(later(kind, requests, idempotency_key))

    async def job(self, job_id: str) -> Job:
        """What has become of a submission; raises NotFound."""
        return await self._send(Call("GET", f"/jobs/{job_id}", Job))

    async def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """The job once it is finished or cancelled; raises TimeoutError."""
        polls = Polls(timeout_s)
        while True:
            job = await self.job(job_id)
            if job.status in ENDED:
                return job
            await asyncio.sleep(polls.next_s(job_id))

    async def cancel(self, job_id: str) -> Job:
        """Cancel what has not run yet; raises NotFound."""
        return await self._send(Call("DELETE", f"/jobs/{job_id}", Job))

    async def languages(self) -> list[LanguageInfo]:
        return await self._send(Call("GET", "/languages", LANGUAGES))

    async def ready(self) -> Readiness:
        """Whether submissions would be served now; not being ready is an answer, not an error."""
        return await self._send(readiness())

    async def _send(self, call: Call[Answer]) -> Answer:
        for attempt in range(self._retries.attempts):
            try:
                response = await self._http.request(call.method, call.path, content=call.body, headers=call.headers)
            except CONNECTION_ERRORS as error:
                failure: SandboxError = unreachable(error)
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            else:
                if not call.retries(response):
                    return call.read(response)
                failure = error_of(response)
            if attempt + 1 < self._retries.attempts:
                await asyncio.sleep(self._retries.delay_s(attempt, getattr(failure, "retry_after_s", 0.0)))
        raise failure

    async def _stream(self, stream: Stream[Result]) -> AsyncIterator[tuple[int, Result]]:
        while stream.left:
            try:
                request = self._http.stream("POST", stream.path, content=stream.body(), headers=stream.headers)
                async with request as response:
                    if response.status_code != 200:
                        await response.aread()
                        raise error_of(response)
                    async for line in response.aiter_lines():
                        yield stream.read(line)
                failure: Exception | None = None
            except _PASSING as error:
                failure = error
            except httpx.HTTPError as error:
                raise unreachable(error) from error
            if stream.left:
                await asyncio.sleep(stream.delay_s(self._retries, failure))


def _timeout(timeout_s: float) -> httpx.Timeout:
    return httpx.Timeout(timeout_s, connect=min(timeout_s, 10.0), pool=None)


def _limits(connections: int) -> httpx.Limits:
    return httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
