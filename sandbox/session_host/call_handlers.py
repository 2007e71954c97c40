"""Handle the calls of a session: run code, fork, and read or change files. One method per kind of call."""

from __future__ import annotations

import asyncio
import json
import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import BadRequest, BoxError, NoFreeSession, QueueUnavailable, SandboxError
from sandbox.queue import redis_keys
from sandbox.queue.session_answers import PART_PREFIX
from sandbox.schema.sessions import CallStatus, SessionCall, SessionStatus
from sandbox.session_host.answers import AnswerWriter
from sandbox.session_host.held_sessions import HeldSessions, ask_for_file, explain_end
from sandbox.session_host.live_session import Answer, LiveSession
from sandbox.session_host.observer import SessionObserver
from sandbox.session_host.places import Places

Message = Mapping[str, Any]
DONE: Answer = {"done": True}  # not empty: to the reader of results, an empty object means that a payload is missing


class CallHandlers:
    """Serves the calls of open sessions. Not thread-safe: use it in one event loop."""

    def __init__(
        self,
        redis: Redis,
        sessions: HeldSessions,
        places: Places,
        answers: AnswerWriter,
        observer: SessionObserver,
    ) -> None:
        self._redis = redis
        self._sessions = sessions
        self._places = places
        self._answers = answers
        self._observer = observer
        self._handlers: dict[str, Callable[[LiveSession, Message], Awaitable[Answer]]] = {
            "execute": self._execute,
            "interrupt": self._interrupt,
            "fork": self._fork,
            "close": self._close,
            "describe": self._describe,
            "cells": self._read_cells,
            "get_file": self._get_file,
            "list_files": self._list_files,
            "snapshot": self._snapshot,
            "put_file": self._change_file,
            "delete_file": self._change_file,
            "restore": self._change_file,
        }

    async def serve(self, message: Message) -> Answer:
        """Serve one call. Raises SandboxError."""
        session = self._sessions.get(message["session"])
        session.touch()
        return await self._handlers[message["do"]](session, message)

    async def _execute(self, session: LiveSession, message: Message) -> Answer:
        call = SessionCall.model_validate(message["call"])

        def send_part(part: Message) -> None:
            self._answers.write(message["reader"], message["id"], PART_PREFIX + json.dumps(part).encode())

        began = time.monotonic()
        answer = await session.execute(call, send_part if message["stream"] else None)
        language = session.record.session.language
        self._observer.record_call(language, answer["status"], time.monotonic() - began)
        if answer["state"] == "lost":
            answer = {**answer, "reason": explain_end(session, answer["reason"])}
            status = SessionStatus.CLOSED if answer["status"] == CallStatus.ENDED else SessionStatus.LOST
            await self._sessions.end(session, status, answer["reason"])
        elif session.cpu_time_s >= session.limits.cpu_time_s:
            reason = f"it used {session.limits.cpu_time_s:g} s of CPU time"
            await self._sessions.end(session, SessionStatus.CLOSED, reason)
        else:
            is_new = answer["sequence"] > session.journaled  # and not a repeated call
            session.journaled = max(session.journaled, answer["sequence"])
            await self._write_journal(session, {"do": "execute", "call": message["call"]} if is_new else None)
        return answer

    async def _interrupt(self, session: LiveSession, message: Message) -> Answer:
        reply = await session.family.box.ask({"do": "interrupt", "branch": session.branch})
        return {"interrupted": reply.header.get("interrupted") is True}

    async def _fork(self, session: LiveSession, message: Message) -> Answer:
        ids: list[str] = message["ids"]
        if session.record.session.replay:
            raise BadRequest("a session with `replay` cannot be forked")
        taken = self._places.take(len(ids))
        try:
            if taken < len(ids):
                raise NoFreeSession(f"this host has {taken} free places for sessions, but {len(ids)} are needed")
            began = time.monotonic()
            reply = await session.family.box.ask({"do": "fork", "branch": session.branch, "count": len(ids)})
            branches = [int(branch) for branch in reply.header["branches"]]
            if len(branches) != len(ids):
                raise BoxError("the box returned a different number of forks than requested")
        except SandboxError:
            self._places.release(taken)
            raise
        await self._sessions.add_forks(session, ids, branches)
        self._observer.record_forks(len(ids), time.monotonic() - began)
        return {"ids": ids}

    async def _close(self, session: LiveSession, message: Message) -> Answer:
        await self._sessions.end(session, SessionStatus.CLOSED, "it was closed")
        return DONE

    async def _describe(self, session: LiveSession, message: Message) -> Answer:
        return {"session": session.update_expiry().session.model_dump(mode="json")}

    async def _read_cells(self, session: LiveSession, message: Message) -> Answer:
        return {"code": "\n".join(session.cells)}

    async def _get_file(self, session: LiveSession, message: Message) -> Answer:
        reply = await session.family.box.ask({"do": "get_file", "branch": session.branch, "path": message["path"]})
        return {"content": b64encode(reply.content).decode()}

    async def _list_files(self, session: LiveSession, message: Message) -> Answer:
        fields = {"do": "list_files", "branch": session.branch, "path": message["path"]}
        reply = await session.family.box.ask(fields)
        return {"files": reply.header.get("files", []), "complete": reply.header.get("complete") is not False}

    async def _snapshot(self, session: LiveSession, message: Message) -> Answer:
        reply = await session.family.box.ask({"do": "snapshot", "branch": session.branch})
        return {"content": b64encode(reply.content).decode()}

    async def _change_file(self, session: LiveSession, message: Message) -> Answer:
        await ask_for_file(session, message)
        names = [name for name in ("do", "path", "content") if name in message]
        await self._write_journal(session, {name: message[name] for name in names})
        return DONE

    async def _write_journal(self, session: LiveSession, entry: Message | None) -> None:
        """Append an entry to the journal, after any earlier entries that are still unwritten.

        Raises QueueUnavailable.
        """
        if not session.record.session.replay:
            return
        if entry is not None:
            session.unwritten.append(json.dumps(entry))
        lines, session.unwritten = session.unwritten, []
        if not lines:
            return
        try:
            await asyncio.to_thread(self._redis.rpush, redis_keys.session_journal(session.id), *lines)
        except RedisError as error:
            session.unwritten[:0] = lines
            raise QueueUnavailable(
                f"the call ran, but Redis has not recorded it; repeat its number: {error}"
            ) from error
