"""Handle the calls of a session: run code, fork, and read or change files. One method per kind of call."""

from __future__ import annotations

import time
from base64 import b64encode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sandbox.errors import BadRequest, BoxError, EngineUnavailable, NoFreeSession, SessionEnded
from sandbox.queue.session_answers import PART_PREFIX
from sandbox.queue.session_records import parse_stored
from sandbox.schema.sessions import CallStatus, SessionCall, SessionFile, SessionFiles, SessionLanguage, SessionStatus
from sandbox.schema.wire import WireModel
from sandbox.session_host.answers import AnswerWriter, encode_answer
from sandbox.session_host.call_answer import Answer
from sandbox.session_host.call_output import OnPart
from sandbox.session_host.held_sessions import HeldSessions, explain_end
from sandbox.session_host.journal import Journals, SessionMoved
from sandbox.session_host.live_session import LiveSession
from sandbox.session_host.observer import SessionObserver
from sandbox.session_host.places import Places
from sandbox.session_host.processes import ProcessHandlers

Message = Mapping[str, Any]
DONE: Answer = {"done": True}  # not empty: to the reader of results, an empty object means that a payload is missing


class CallHandlers:
    """Serves the calls of open sessions. Not thread-safe: use it in one event loop."""

    def __init__(
        self,
        journals: Journals,
        sessions: HeldSessions,
        places: Places,
        answers: AnswerWriter,
        observer: SessionObserver,
    ) -> None:
        self._journals = journals
        self._sessions = sessions
        self._places = places
        self._answers = answers
        self._observer = observer
        self._handlers: dict[str, Callable[[LiveSession, Message], Awaitable[Answer | None]]] = {
            **ProcessHandlers(self._build_sender, sessions.end).handlers,
            "execute": self._execute,
            "list_contexts": self._change_contexts,
            "create_context": self._change_contexts,
            "restart_context": self._change_contexts,
            "remove_context": self._change_contexts,
            "set_ttl": self._set_ttl,
            "stat_file": self._stat_file,
            "make_directory": self._change_file,
            "rename_file": self._change_file,
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

    async def serve(self, message: Message) -> Answer | None:
        """Serve one call. Returns its answer, or None if the answer is already sent. Raises SandboxError."""
        session = self._sessions.get(message["session"])
        session.touch()
        return await self._handlers[message["do"]](session, message)

    async def _execute(self, session: LiveSession, message: Message) -> Answer:
        call = parse_stored(SessionCall, message["call"])
        is_repeated = call.sequence is not None and call.sequence <= session.sequence
        line = self._journals.prepare(session, {"do": "execute", "call": message["call"]}, needs_room=not is_repeated)
        began = time.monotonic()
        on_part = self._build_sender(message) if message["stream"] else None
        answer = await session.execute(call, on_part, message.get("tag", ""))
        language = session.record.session.language
        self._observer.record_call(language, answer["status"], time.monotonic() - began)
        if answer["state"] == "lost" and session.ended_during_call:
            raise SessionEnded(session.ended_during_call)  # the code did not end its session
        if answer["state"] == "lost":
            answer = {**answer, "reason": explain_end(session, answer["reason"])}
            status = SessionStatus.CLOSED if answer["status"] == CallStatus.ENDED else SessionStatus.LOST
            await self._sessions.end(session, status, answer["reason"])
        elif session.cpu_time_s >= session.limits.cpu_time_s:
            reason = f"it used {session.limits.cpu_time_s:g} s of CPU time"
            answer = {**answer, "state": "lost", "reason": reason}
            await self._sessions.end(session, SessionStatus.CLOSED, reason)
        else:
            is_new = answer["sequence"] > session.journaled  # and not a repeated call
            session.journaled = max(session.journaled, answer["sequence"])
            await self._append(session, line if is_new else "")
        return answer

    def _build_sender(self, message: Message) -> OnPart:
        def send_part(part: Message) -> None:
            self._answers.write(message["reader"], message["id"], PART_PREFIX + encode_answer(part))

        return send_part

    async def _change_contexts(self, session: LiveSession, message: Message) -> Answer:
        """Change the session's contexts as `do` says, and list them."""
        info, contexts = session.record.session, session.contexts
        if info.replay or info.language is not SessionLanguage.PYTHON:
            raise BadRequest("contexts need a Python session without `replay`")
        if message["do"] == "create_context":
            contexts.create(message["name"], message["directory"])
        elif message["do"] == "restart_context":
            contexts.restart(message["name"])
        elif message["do"] == "remove_context":
            contexts.remove(message["name"])
        return {"contexts": contexts.list_all()}

    async def _set_ttl(self, session: LiveSession, message: Message) -> Answer:
        if session.record.session.replay:
            raise BadRequest("the time of a session with `replay` cannot be changed")
        session.ends_at = time.monotonic() + message["ttl_s"]
        await self._sessions.record_expiry(session)
        return await self._describe(session, message)

    async def _interrupt(self, session: LiveSession, message: Message) -> Answer:
        """Interrupt the running call, or, if the message has a `tag`, only the call with this tag."""
        if "tag" in message and not session.runs_call(message["tag"]):
            return {"interrupted": False}
        reply = await session.ask({"do": "interrupt"})
        return {"interrupted": reply.header.get("interrupted") is True}

    async def _fork(self, session: LiveSession, message: Message) -> None:
        ids: list[str] = message["ids"]
        if session.record.session.replay:
            raise BadRequest("a session with `replay` cannot be forked")
        taken = self._places.take(len(ids))
        began = time.monotonic()
        try:
            if taken < len(ids):
                raise NoFreeSession(f"this host has {taken} free places for sessions, but {len(ids)} are needed")
            branches = await self._fork_branch(session, len(ids))
        except BaseException:
            self._places.release(taken)
            raise
        await self._sessions.add_forks(session, message, branches)
        self._observer.record_forks(len(ids), time.monotonic() - began)

    async def _fork_branch(self, session: LiveSession, count: int) -> list[int]:
        """Return the numbers of `count` new branches. Raises SandboxError."""
        try:
            reply = await session.ask({"do": "fork", "count": count})
        except EngineUnavailable:
            session.family.clean = False  # the box may still add branches
            raise
        if not session.family.members:  # the last session of the box has ended meanwhile
            raise SessionEnded("the session has ended")
        branches = reply.header.get("branches")
        if not isinstance(branches, list) or not all(isinstance(branch, int) for branch in branches):
            raise BoxError("the box did not return the numbers of the forks")
        if len({*branches} - session.family.members.keys()) != count or len(branches) != count:
            raise BoxError("the box returned a different number of forks than requested")
        return branches

    async def _close(self, session: LiveSession, message: Message) -> Answer:
        await self._sessions.end(session, SessionStatus.CLOSED, "it was closed")
        return DONE

    async def _describe(self, session: LiveSession, message: Message) -> Answer:
        return {"session": session.update_expiry().session.model_dump(mode="json")}

    async def _read_cells(self, session: LiveSession, message: Message) -> Answer:
        return {"code": session.join_cells()}

    async def _get_file(self, session: LiveSession, message: Message) -> Answer:
        content = await session.read_content({"do": "get_file", "path": message["path"]})
        return {"content": b64encode(content).decode()}

    async def _list_files(self, session: LiveSession, message: Message) -> Answer:
        header = (await session.ask({"do": "list_files", "path": message["path"]})).header
        fields = {"files": header.get("files", []), "complete": header.get("complete") is not False}
        return self._validate(SessionFiles, fields)

    @staticmethod
    def _validate(model: type[WireModel], fields: object) -> Answer:
        try:
            return model.model_validate(fields).model_dump(mode="json")
        except ValueError as error:
            raise BadRequest(f"the box sent an invalid description of files: {error}") from error

    async def _snapshot(self, session: LiveSession, message: Message) -> Answer:
        return {"content": b64encode(await session.read_content({"do": "snapshot"})).decode()}

    async def _change_file(self, session: LiveSession, message: Message) -> Answer:
        names = [name for name in ("do", "path", "target", "content") if name in message]
        line = self._journals.prepare(session, {name: message[name] for name in names})
        reply = await session.change_files(message)
        await self._append(session, line)
        return {"done": True, "created": reply.header.get("created") is not False}

    async def _stat_file(self, session: LiveSession, message: Message) -> Answer:
        entry = (await session.ask({"do": "stat_file", "path": message["path"]})).header.get("entry")
        return self._validate(SessionFile, entry)

    async def _append(self, session: LiveSession, line: str) -> None:
        """Append a line to the session's journal, if it has one. Raises QueueUnavailable."""
        try:
            await self._journals.append(session, [line] if line else [])
        except SessionMoved:
            self._sessions.drop(session, moved=True)
            raise
