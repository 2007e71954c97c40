"""The part of the client for asyncio that opens connections and sessions, registers tasks, and follows jobs.

`sync_service.py` is generated from this file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

import httpx

from sandbox.client import environment_calls, protocol, task_calls
from sandbox.client.aio_connection import AsyncConnection
from sandbox.client.connection import ClientOptions, resolve_url
from sandbox.client.keyword_request import choose_request
from sandbox.client.protocol import ENDED_STATUSES, LANGUAGES_ADAPTER, ApiCall, Program, Submission
from sandbox.client.retries import DEFAULT_RETRIES, PollSchedule, Retries
from sandbox.client.streams import EventStream, JobEvent
from sandbox.schema import Job, LanguageInfo

if TYPE_CHECKING:
    from sandbox.client.aio_session import AsyncSession
    from sandbox.client.request_fields import SessionFields
    from sandbox.schema.environments import EnvironmentInfo, EnvironmentRequest
    from sandbox.schema.gpu import GpuJob, GpuPool, GpuRequest
    from sandbox.schema.hack import HackRequest
    from sandbox.schema.health import Readiness
    from sandbox.schema.live import LiveView
    from sandbox.schema.reward import RewardRequest, Task, TaskSet, TaskSetInfo
    from sandbox.schema.sessions import SessionInfo, SessionRequest
    from sandbox.schema.submissions import SubmissionKind
    from sandbox.schema.vote import VoteRequest


class AsyncServiceClient:
    """The calls about tasks, jobs, sessions and the service. `AsyncClient` adds the calls that run programs."""

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout_s: float = 900.0,
        connections: int = 256,
        retries: Retries = DEFAULT_RETRIES,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._options = ClientOptions(resolve_url(url), api_key, timeout_s, connections, retries, transport)
        self._connection = AsyncConnection(self._options)
        self._send = self._connection.send
        self._read_stream = self._connection.read_stream

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._options.format_url()})"

    def __reduce__(self) -> tuple[Any, ...]:
        # Connections stay in this process; the copy opens its own.
        return partial(type(self), **self._options.list_arguments()), ()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    @property
    def url(self) -> str:
        """The URL of the service."""
        return self._options.url

    async def close(self) -> None:
        """Close all connections. A client that is used as a context manager closes itself."""
        await self._connection.close()

    async def put_tasks(self, tasks: TaskSet | Mapping[str, Any]) -> TaskSetInfo:
        """Register tasks by name; a reward request refers to each as `<id>/<name>`.

            tasks = await client.put_tasks({"double": {"tests": [{"stdin": "2", "expected": "4"}]}})
            await client.reward(completions=["No idea."], tasks=[f"{tasks.id}/double"])

        - `tasks`: by name, a mapping with the fields of `sandbox.schema.reward.Task`.
        """
        return await self._send(task_calls.build_task_set_call(tasks))

    async def task(self, reference: str) -> Task:
        """Return a registered task, with its checker, limits, validators and quality.

            tasks = await client.put_tasks({"double": {"tests": [{"stdin": "2", "expected": "4"}]}})
            (await client.task(f"{tasks.id}/double")).limits

        - `reference`: `<id>/<name>`, as in reward requests. NotFound if there is no such task.
        """
        return await self._send(task_calls.build_task_call(reference))

    async def submit(
        self,
        kind: SubmissionKind | Literal["reward"],
        requests: Program
        | Submission
        | Sequence[Program | Submission]
        | RewardRequest
        | VoteRequest
        | HackRequest
        | Sequence[HackRequest],
        *,
        idempotency_key: str = "",
        callback_url: str = "",
        callback_for: Literal["batch", "item"] = "batch",
    ) -> Job:
        """Queue one request, or a sequence of requests as a batch, and return at once.

            job = await client.submit("execute", {"language": "python", "code": "print(1)"})
            (await client.wait(job.id)).result

        The job survives restarts of the service.

        - `kind`: the kind of the requests.
        - `requests`: what the method of that name takes, such as `verify`.
        - `idempotency_key`: a repeated call with the same key returns the job of the first call.
        - `callback_url`: the service also sends the result to this URL.
        - `callback_for`: with `item`, the service sends each result of a batch as soon as it is ready.
        """
        callback = protocol.build_callback_fields(requests, callback_url, callback_for)
        return await self._send(protocol.build_submit_call(kind, requests, idempotency_key, callback))

    async def job(self, job_id: str) -> Job:
        """Return the current state of a job.

            (await client.job(job.id)).status

        Raises NotFound if there is no such job, or if its result has expired.
        """
        return await self._send(protocol.build_job_call(job_id))

    async def wait(self, job_id: str, timeout_s: float | None = None) -> Job:
        """Wait until the job ends and return it.

            job = await client.wait(job.id, timeout_s=60)

        Raises TimeoutError after `timeout_s` seconds, while the job goes on, and NotFound if there is no such job.
        """
        polls = PollSchedule(timeout_s)
        while True:
            job = await self.job(job_id)
            if job.status in ENDED_STATUSES:
                return job
            await asyncio.sleep(polls.compute_pause_s(job))

    async def cancel(self, job_id: str) -> Job:
        """Cancel a job and stop its running programs.

            await client.cancel(job.id)

        Raises NotFound if there is no such job.
        """
        return await self._send(protocol.build_cancel_call(job_id))

    async def start(self, kind: str, request: GpuRequest | Mapping[str, Any], *, idempotency_key: str = "") -> GpuJob:
        """Queue a GPU job and return at once; call `wait` for its result.

            job = await client.start("generate", {"model": "Qwen/Qwen3-0.6B", "prompts": ["Print 42 in Python."]})

        - `kind`: `generate`, `train_sft`, `train_grpo` or `evaluate`.
        - `request`: a model of `sandbox.schema.gpu` for this kind, or a mapping of the same shape.
        - `idempotency_key`: a repeated call with the same key returns the job of the first call.

        Raises BadRequest for a request that is not valid for the kind.
        """
        return await self._send(protocol.build_gpu_job_call(kind, request, idempotency_key))

    def events(self, job_id: str, *, after: int | None = None) -> AsyncIterator[JobEvent]:
        """Yield the events of a job as they happen, until it ends.

            async for event in client.events(job.id):
                print(event.event, event.data)

        A GPU job has events for its state, progress, completions and verdicts. If the connection breaks, the stream
        continues after the last event. To continue an earlier stream, pass the id of its last event as `after`. Raises
        NotFound if there is no such job.
        """
        return self._read_stream(EventStream(job_id, after))

    async def gpus(self) -> GpuPool:
        """Return the GPUs, the jobs that hold them, and the latest GPU jobs.

            (await client.gpus()).jobs

        If the service has API keys, the key needs the role admin.
        """
        return await self._send(protocol.build_gpu_pool_call())

    async def live(self) -> LiveView:
        """Return a live view of the service: slots, lanes, the verdicts of the last seconds and the latest results.

            (await client.live()).slots

        If the service has API keys, the key needs the role admin.
        """
        return await self._send(protocol.build_live_call())

    async def put_environment(self, name: str, definition: EnvironmentRequest | Mapping[str, Any]) -> EnvironmentInfo:
        """Create or replace an environment: a standard image plus packages and files.

            await client.put_environment("answers", {"files": {"answers.py": b"MOST = 42"}})

        If the service has API keys, the key needs the role admin.
        """
        return await self._send(environment_calls.build_put_call(name, definition))

    async def environment(self, name: str) -> EnvironmentInfo:
        """Return the current version of an environment. Raises NotFound.

            await client.put_environment("answers", {"files": {"answers.py": b"MOST = 42"}})
            (await client.environment("answers")).id

        The `id` identifies its content.
        """
        return await self._send(environment_calls.build_get_call(name))

    async def environments(self) -> list[EnvironmentInfo]:
        """Return all environments by name.

            [info.name for info in await client.environments()]

        Each has its packages and the sizes of its files.
        """
        return (await self._send(environment_calls.build_list_call())).environments

    async def remove_environment(self, name: str) -> None:
        """Remove an environment; accepted submissions still run in it.

            await client.put_environment("answers", {"files": {"answers.py": b"MOST = 42"}})
            await client.remove_environment("answers")

        If the service has API keys, the key needs the role admin.
        """
        await self._send(environment_calls.build_remove_call(name))

    async def languages(self) -> list[LanguageInfo]:
        """Return the languages of the service and their versions.

            [language.name for language in await client.languages() if language.available]

        A language is available if a worker can run programs in it.
        """
        return await self._send(ApiCall("GET", "/languages", LANGUAGES_ADAPTER))

    async def ready(self) -> Readiness:
        """Return the readiness of the service: whether it can run programs now.

            (await client.ready()).ready

        Not being ready raises no error.
        """
        return await self._send(protocol.build_readiness_call())

    def session(
        self, request: SessionRequest | Mapping[str, Any] | None = None, **fields: Unpack[SessionFields]
    ) -> AsyncSession:
        """Return a new session, which opens when it is entered as a context manager.

            async with client.session(idle_ttl_s=300) as session:
                await session.execute("x = 20")
                (await session.execute("x + 22")).result  # {"text/plain": "42"}

        - `language`: `python` or `bash`.
        - `limits`, `ttl_s`, `idle_ttl_s`, `files`, `variables`, `replay`, `wait_s`: see
          `sandbox.schema.sessions.SessionRequest`.
        """
        from sandbox.client.aio_session import AsyncSession

        wanted = fields if request is None else choose_request(request, fields)
        return AsyncSession(self._send, self._read_stream, wanted)

    def attach_session(self, session_id: str) -> AsyncSession:
        """Return an open session by its id.

            await client.attach_session(session_id).execute("x")

        Use it to call a session from another process.
        """
        from sandbox.client.aio_session import AsyncSession

        return AsyncSession(self._send, self._read_stream, session_id=session_id)

    async def sessions(self) -> list[SessionInfo]:
        """Return the open sessions, the latest first.

            [session.id for session in await client.sessions()]

        With an API key, these are the sessions that the key opened.
        """
        from sandbox.client.session_calls import build_list_call

        return (await self._send(build_list_call())).sessions
