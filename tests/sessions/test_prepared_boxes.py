"""The interpreter of a session is started before the session is opened, if the session wants the default limits."""

from __future__ import annotations

import asyncio
from typing import Any

from sandbox.schema.sessions import SessionRequest
from sandbox.session_host.session_box import build_open_options
from tests.sessions.box_peer import BoxPeer

DEFAULTS = build_open_options(SessionRequest())
OTHERS = build_open_options(SessionRequest.model_validate({"language": "bash", "limits": {"processes": 8}}))


async def _answer(peer: BoxPeer, **fields: Any) -> dict[str, Any]:
    request = await peer.receive()
    peer.send({"id": request["id"], **fields})
    return request


async def _prepare(peer: BoxPeer) -> None:
    preparing = asyncio.create_task(peer.box.prepare(DEFAULTS))
    request = await _answer(peer, opened=True)
    assert (request["do"], request["branch"], request["kind"]) == ("open", 0, "python")
    await preparing


def test_a_session_with_the_same_options_takes_the_prepared_branch_and_only_one_does() -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            await _prepare(peer)
            await asyncio.wait_for(peer.box.open(dict(DEFAULTS)), 1)  # nothing answers, so nothing was asked
            second = asyncio.create_task(peer.box.open(DEFAULTS))
            assert (await _answer(peer, opened=True))["do"] == "open"
            await second

    asyncio.run(run())


def test_a_session_with_other_options_replaces_the_prepared_branch() -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            await _prepare(peer)
            opening = asyncio.create_task(peer.box.open(OTHERS))
            assert (await _answer(peer, closed=True))["do"] == "close"
            request = await _answer(peer, opened=True)
            assert (request["do"], request["kind"], request["limits"]["processes"]) == ("open", "shell", 8)
            await opening

    asyncio.run(run())


def test_a_prepared_branch_that_has_ended_is_opened_again() -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            await _prepare(peer)
            ended = asyncio.Event()
            peer.box.on_ended = lambda branch, reason: ended.set()
            peer.send({"event": "ended", "branch": 0, "reason": "the process was ended by SIGKILL"})
            await asyncio.wait_for(ended.wait(), 5)
            opening = asyncio.create_task(peer.box.open(DEFAULTS))
            assert (await _answer(peer, opened=True))["do"] == "open"
            await opening

    asyncio.run(run())
