"""Clients that open their connections on first use.

A trainer pickles its reward function to other processes, forks, and runs several event loops. A URL survives all of
this; a connection does not.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from sandbox.client import AsyncClient, Client
from sandbox.client.connection import resolve_url
from sandbox.schema import ExecuteRequest, ExecuteResult, VerifyRequest, VerifyResult
from sandbox.schema.reward import RewardRequest, RewardResult

if TYPE_CHECKING:
    from sandbox.client.sync_session import Session


class LazyClient:
    """`Client`'s batch calls, with one client per process."""

    def __init__(self, url: str | None = None) -> None:
        self.url = resolve_url(url)
        self._owner_pid = 0
        self._client: Client | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.url,)

    def verify_batch(self, submissions: Sequence[VerifyRequest]) -> list[VerifyResult]:
        return self._get_client().verify_batch(submissions)

    def execute_batch(self, programs: Sequence[ExecuteRequest]) -> list[ExecuteResult]:
        return self._get_client().execute_batch(programs)

    def reward(self, request: RewardRequest) -> RewardResult:
        return self._get_client().reward(request)

    def session(self, fields: Mapping[str, Any]) -> Session:
        return self._get_client().session(fields)

    def close(self) -> None:
        if self._client is not None and self._owner_pid == os.getpid():
            self._client.close()
        self._client = None

    def _get_client(self) -> Client:
        if self._client is None or self._owner_pid != os.getpid():
            self._owner_pid, self._client = os.getpid(), Client(self.url)
        return self._client


class LazyAsyncClient:
    """`AsyncClient`'s batch calls, with one client per event loop."""

    def __init__(self, url: str | None = None) -> None:
        self.url = resolve_url(url)
        self._clients: WeakKeyDictionary[asyncio.AbstractEventLoop, AsyncClient] = WeakKeyDictionary()

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.url,)

    async def verify_batch(self, submissions: Sequence[VerifyRequest]) -> list[VerifyResult]:
        return await self._get_client().verify_batch(submissions)

    async def reward(self, request: RewardRequest) -> RewardResult:
        return await self._get_client().reward(request)

    async def close(self) -> None:
        """Close the connections of the running event loop."""
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.close()

    def _get_client(self) -> AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None:
            client = self._clients[loop] = AsyncClient(self.url)
        return client


@cache
def get_shared_client(url: str) -> LazyClient:
    """Return the client that all environments of a process share, so that they share connections."""
    return LazyClient(url)
