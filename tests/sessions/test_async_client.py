"""The asynchronous client has the same sessions as the other one."""

from __future__ import annotations

from itertools import groupby

from sandbox.client import AsyncClient
from tests.sessions.session_hosts import SessionHosts


async def test_a_session_is_called_forked_and_streamed(url: str, hosts: SessionHosts) -> None:
    assert hosts.list_alive()
    async with AsyncClient(url) as client:
        async with client.session() as session:
            await session.execute("x = 20")
            (fork,) = await session.fork()
            async with fork:
                assert (await fork.execute("x += 1\nx * 2")).result == {"text/plain": "42"}
                ids = {each.id for each in await client.sessions()}
                assert {session.id, fork.id} <= ids
            await session.put_file("f", b"1")
            assert [file.path for file in await session.list_files()] == ["f"]
            events = [event.event async for event in session.stream("print(x)")]
            # The text of one print may arrive in several pieces.
            assert [event for event, _ in groupby(events)] == ["stdout", "result"]
        assert not ids & {each.id for each in await client.sessions()}
