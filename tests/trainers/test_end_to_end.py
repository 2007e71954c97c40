"""Rewards of real programs, from a real service over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.client import AsyncClient
from sandbox.config import ApiSettings
from sandbox.service import Service
from sandbox.trainers.function import AsyncRewardFunction

TESTS = {"inputs": ["1 2\n", "3 4\n"], "outputs": ["3\n", "7\n"]}


@pytest.fixture
async def client(live_service: Service) -> AsyncIterator[AsyncClient]:
    app = create_app(ApiSettings(), live_service)
    async with AsyncClient("http://sandbox", transport=httpx.ASGITransport(app)) as client:
        yield client


async def test_completions_get_the_rewards_their_programs_earn(client: AsyncClient) -> None:
    completions = [
        "I cannot.",
        "```python\nprint(sum(map(int, input().split())))\n```",
        "```python\nprint(3)\n```",
        "```python\nprint(((\n```",
        "<think>```python\nprint(3)\n```",
        "```python\nraise SystemExit(3)\n```",
    ]
    reward = AsyncRewardFunction(client, {"policy": "x-coder", "limits": {"cpu_time_s": 5}})
    assert await reward(completions, [TESTS] * 6) == [-2.0, 5.0, 2.5, -2.0, -2.0, 0.0]


async def test_cpp_that_does_not_compile_is_minus_two(client: AsyncClient) -> None:
    reward = AsyncRewardFunction(client, {"policy": "x-coder", "language": "cpp"})
    assert await reward(["```cpp\nint main() { return x; }\n```"], [TESTS]) == [-2.0]
