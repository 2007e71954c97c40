"""Answers of a box that its program has forged, or that are late: they fail one call and nothing else."""

from __future__ import annotations

import asyncio
import json

import pytest

from sandbox.errors import BadRequest, BoxError, EngineUnavailable, SessionBusy, SessionEnded
from sandbox.schema.sessions import SessionCall
from sandbox.session_host import live_session, session_box
from sandbox.session_host.box_frames import MAX_PART_BYTES
from sandbox.session_host.session_box import Reply
from tests.sessions.box_peer import RESULT, BoxPeer

CALL = SessionCall(code="1")


async def ask(peer: BoxPeer, answer: dict[str, object], body: bytes | None = None, action: str = "execute") -> Reply:
    asked = asyncio.create_task(peer.box.ask({"do": action, "branch": 0}))
    request = await peer.receive()
    peer.send({"id": request["id"], **answer}, body)
    return await asked


def test_a_forged_body_sets_only_the_fields_of_a_result() -> None:
    forged = {
        "id": 77,
        "event": "ended",
        "status": "time_limit",
        "usage": {"cpu_time_s": -1e9},
        "state": "lost",
        "result": {"text/plain": "1"},
        "error": "not an object",
    }

    async def run() -> None:
        async with BoxPeer() as peer:
            usage = {"cpu_time_s": 1.0}
            reply = await ask(peer, {**RESULT, "usage": usage}, json.dumps(forged).encode())
            assert reply.header == {"id": 0, **RESULT, "usage": usage, "result": {"text/plain": "1"}}

    asyncio.run(run())


@pytest.mark.parametrize("body", [b'{"result":' + b"[" * 200_000, b"[1, 2]", b"\xff", b"null"])
def test_an_invalid_body_fails_its_call_only(body: bytes) -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            session = peer.build_session()
            executed = asyncio.create_task(session.execute(CALL, None))
            peer.send({"id": (await peer.receive())["id"], **RESULT}, body)
            answer = await executed
            assert (answer["status"], answer["error"]["type"], answer["state"]) == ("error", "InvalidAnswer", "kept")
            assert (await ask(peer, {"done": True})).header["done"] is True

    asyncio.run(run())


def test_an_answer_that_is_too_large_fails_its_request_only() -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            with pytest.raises(BadRequest, match="maximum"):
                await ask(peer, {"memory_file": MAX_PART_BYTES + 1}, action="snapshot")
            assert (await ask(peer, {"done": True})).header["done"] is True

    asyncio.run(run())


def test_invalid_fields_of_a_result_give_an_answer_that_says_so() -> None:
    header = {**RESULT, "usage": {"cpu_time_s": -5.0, "wall_time_s": float("inf")}, "error": {"type": ["no"]}}

    async def run() -> None:
        async with BoxPeer() as peer:
            session = peer.build_session()
            executed = asyncio.create_task(session.execute(CALL, None))
            peer.send({"id": (await peer.receive())["id"], **header})
            answer = await executed
            assert answer["error"]["type"] == "InvalidAnswer"
            assert answer["usage"]["cpu_time_s"] == 0.0
            assert session.cpu_time_s == 0.0

    asyncio.run(run())


def test_values_of_other_types_become_json_and_lone_surrogates_are_replaced() -> None:
    bundle = {"text/plain": "x\ud800", "application/json": {"a": [1]}, "text/html": None}

    async def run() -> None:
        async with BoxPeer() as peer:
            session = peer.build_session()
            executed = asyncio.create_task(session.execute(CALL, None))
            number = (await peer.receive())["id"]
            peer.send({"id": number, "event": "display", "data": bundle})
            peer.send({"id": number, "event": "display", "data": "not a bundle"})
            peer.send({"id": number, **RESULT, "result": bundle})
            answer = await executed
            expected = {"text/plain": "x?", "application/json": '{"a": [1]}'}
            assert answer["result"] == expected
            assert answer["displays"] == [expected]

    asyncio.run(run())


@pytest.mark.parametrize("code", ["ended", "unknown_branch"])
def test_a_lost_branch_is_not_a_broken_box(code: str) -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            with pytest.raises(SessionEnded, match="gone"):
                await ask(peer, {"error": {"code": code, "message": "gone"}})
            assert not peer.box.is_broken

    asyncio.run(run())


def test_a_refused_call_does_not_use_up_its_number() -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            session = peer.build_session()
            refused = asyncio.create_task(session.execute(CALL, None))
            peer.send({"id": (await peer.receive())["id"], "error": {"code": "busy", "message": ""}})
            with pytest.raises(SessionBusy):
                await refused
            executed = asyncio.create_task(session.execute(SessionCall(code="1", sequence=1), None))
            peer.send({"id": (await peer.receive())["id"], **RESULT})
            assert (await executed)["sequence"] == 1

    asyncio.run(run())


def test_a_late_answer_fails_its_request_and_a_silent_box_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_box, "SILENT_TIMEOUT_S", 0.3)

    async def run() -> None:
        async with BoxPeer() as peer:
            for _ in range(2):
                with pytest.raises(EngineUnavailable, match="did not answer"):
                    await peer.box.ask({"do": "list_files", "branch": 0}, timeout_s=0.2)
                late = await peer.receive()
                assert not peer.box.is_broken
                peer.send({"id": late["id"], "files": []})
                await asyncio.sleep(0.05)
            for _ in range(2):
                with pytest.raises(EngineUnavailable):
                    await peer.box.ask({"do": "list_files", "branch": 0}, timeout_s=0.2)
            with pytest.raises(BoxError, match="gone"):
                await peer.box.ask({"do": "list_files", "branch": 0})

    asyncio.run(run())


def test_a_call_without_an_answer_ends_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_session, "WALL_GRACE_S", 0.1)

    async def run() -> None:
        async with BoxPeer() as peer:
            call = SessionCall.model_validate({"code": "1", "limits": {"wall_time_s": 0.1}})
            with pytest.raises(SessionEnded, match="did not end"):
                await peer.build_session().execute(call, None)

    asyncio.run(run())


def test_a_request_to_the_box_counts_as_activity() -> None:
    async def run() -> None:
        async with BoxPeer() as peer:
            session = peer.build_session()
            session.idle_ttl_s = 0.0
            asked = asyncio.create_task(session.read_content({"do": "snapshot"}))
            request = await peer.receive()
            assert request["max_bytes"] == MAX_PART_BYTES
            session.idle_ttl_s = 1.0
            session.used_at -= 100
            assert session.expires_in_s > 0.5
            assert not await session.wait_until_idle(0.05)
            peer.send({"id": request["id"], "done": True})
            await asked
            assert await session.wait_until_idle(0.0)
            assert session.expires_in_s > 0.5

    asyncio.run(run())
