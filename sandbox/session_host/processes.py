"""Handle the requests for processes that a session runs beside its interpreter or shell."""

from __future__ import annotations

import asyncio
import codecs
from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from sandbox.errors import BadRequest, BoxError, NotFound, SessionEnded
from sandbox.queue.session_records import parse_stored
from sandbox.schema.session_processes import ProcessRequest, ProcessResult
from sandbox.schema.sessions import MAX_TTL_S, SessionStatus
from sandbox.session_host.box_frames import MAX_MESSAGE_CHARS, clamp_usage
from sandbox.session_host.call_answer import Answer
from sandbox.session_host.call_output import OnPart
from sandbox.session_host.live_session import WALL_GRACE_S, LiveProcess, LiveSession

Message = Mapping[str, Any]
DONE: Answer = {"done": True}


class ProcessHandlers:
    """Serves requests for processes. `build_sender` returns what sends a part of the answer to a message."""

    def __init__(
        self,
        build_sender: Callable[[Message], OnPart],
        end: Callable[[LiveSession, SessionStatus, str], Awaitable[None]],
    ) -> None:
        self._build_sender = build_sender
        self._end = end
        self.handlers: dict[str, Callable[[LiveSession, Message], Awaitable[Answer]]] = {
            "start_process": self._start,
            "connect_process": self._connect,
            "list_processes": self._list,
            "signal_process": self._signal,
            "write_process": self._write,
        }

    async def _start(self, session: LiveSession, message: Message) -> Answer:
        """Run a process. The parts of the answer are its pid and its output, and the answer says how it ended."""
        if session.record.session.replay:
            raise BadRequest("a session with `replay` cannot run processes")
        process = LiveProcess(parse_stored(ProcessRequest, message["process"]))
        process.listeners.append(self._build_sender(message))
        try:
            answer = await self._run(session, process)
        except BaseException as error:
            process.ended.set_exception(
                error if isinstance(error, Exception) else SessionEnded("the session host stopped")
            )
            process.ended.exception()  # nobody may wait for it
            raise
        finally:
            session.processes.pop(process.pid, None)
        process.ended.set_result(answer)
        session.cpu_time_s += answer["usage"]["cpu_time_s"]
        if session.cpu_time_s >= session.limits.cpu_time_s:
            reason = f"it used {session.limits.cpu_time_s:g} s of CPU time"
            await self._end(session, SessionStatus.CLOSED, reason)
        return answer

    async def _run(self, session: LiveSession, process: LiveProcess) -> Answer:
        request, limits = process.request, process.request.limits
        wall_time_s = limits.wall_time_s or MAX_TTL_S  # the session may get more time meanwhile
        decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in ("stdout", "stderr")}

        def receive(header: Message, payload: bytes) -> None:
            stream = header.get("stream")
            if header["event"] == "started" and isinstance(pid := header.get("pid"), int):
                process.pid = pid
                session.processes[pid] = process
                process.send({"event": "started", "data": {"pid": pid}})
            elif isinstance(stream, str) and stream in decoders and (text := decoders[stream].decode(payload)):
                process.send({"event": stream, "data": {"text": text}})

        reply = await session.ask(
            {
                "do": "start_process",
                "command": request.command,
                "directory": request.directory,
                "environment": request.variables,
                "stdin": request.stdin,
                "limits": {
                    "cpu_time_s": min(limits.cpu_time_s, max(0.01, session.limits.cpu_time_s - session.cpu_time_s)),
                    "wall_time_s": wall_time_s,
                    "output_kb": limits.output_kb,
                },
            },
            on_event=receive,
            timeout_s=wall_time_s + WALL_GRACE_S,
        )
        return _build_result(process, reply.header)

    async def _connect(self, session: LiveSession, message: Message) -> Answer:
        """Send what a process writes from now on, and wait until it ends."""
        process = _find(session, message)
        send = self._build_sender(message)
        send({"event": "started", "data": {"pid": process.pid}})
        process.listeners.append(send)
        return await asyncio.shield(process.ended)

    async def _list(self, session: LiveSession, message: Message) -> Answer:
        return {
            "processes": [
                {"pid": process.pid, **process.request.model_dump(mode="json", include={"command", "directory"})}
                for process in session.processes.values()
            ]
        }

    async def _signal(self, session: LiveSession, message: Message) -> Answer:
        process = _find(session, message)
        await session.ask({"do": "signal_process", "pid": process.pid, "signal": message["signal"]})
        return DONE

    async def _write(self, session: LiveSession, message: Message) -> Answer:
        process = _find(session, message)
        fields = {"do": "write_process", "pid": process.pid, "close": message.get("close", False)}
        await session.ask(fields, b64decode(message.get("content", "")))
        return DONE


def _find(session: LiveSession, message: Message) -> LiveProcess:
    if (process := session.processes.get(message["pid"])) is None:
        raise NotFound(f"the session runs no process {message['pid']}")
    return process


def _build_result(process: LiveProcess, header: Message) -> Answer:
    names = ("status", "exit_code", "signal", "reason", "stdout_truncated", "stderr_truncated")
    found = {name: header[name] for name in names if header.get(name) is not None}
    try:
        result = ProcessResult(pid=process.pid, usage=clamp_usage(header.get("usage")), **found)
    except ValueError as error:
        raise BoxError(f"the box sent an invalid answer: {error}"[:MAX_MESSAGE_CHARS]) from error
    return result.model_dump(mode="json")
