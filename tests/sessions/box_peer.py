"""The other end of a session box's connection, so that tests can send the frames of a hostile or slow box."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, cast

from sandbox.box.engine import BoxHandle
from sandbox.queue.session_records import SessionRecord
from sandbox.runner import frames
from sandbox.schema.sessions import SessionInfo
from sandbox.session_host.live_session import Family, LiveSession
from sandbox.session_host.session_box import SessionBox

RESULT = {"event": "done", "status": "ok", "exit_code": 0, "state": "kept", "reason": ""}


@dataclass
class Handle:
    connection: socket.socket


class BoxPeer:
    """An async context manager: `box` is connected to it, and `send` sends a frame as the box's supervisor would."""

    def __init__(self) -> None:
        ours, self.connection = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.box = SessionBox(cast(BoxHandle, Handle(ours)))
        self._ours = ours

    async def __aenter__(self) -> BoxPeer:
        frames.send(self.connection, {"ready": True})
        await self.box.connect()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.box.disconnect()
        self._ours.close()
        self.connection.close()

    async def receive(self) -> dict[str, Any]:
        """Return the header of the next request."""
        header, _, descriptors = await asyncio.to_thread(frames.receive, self.connection)
        frames.close_descriptors(descriptors)
        return header

    def send(self, header: Mapping[str, Any], body: bytes | None = None) -> None:
        """Send a frame, with a large body that may be anything."""
        if body is None:
            frames.send(self.connection, header)
            return
        descriptor = frames.create_memory_file("body", body)
        try:
            frames.send(self.connection, {"large": len(body), **header}, [descriptor])
        finally:
            frames.close_descriptors([descriptor])

    def build_session(self, session_id: str = "s", replay: bool = False) -> LiveSession:
        info = SessionInfo.model_validate(
            {
                "id": session_id,
                "language": "python",
                "status": "open",
                "created_at": 1.0,
                "expires_at": 2.0,
                "replay": replay,
            }
        )
        family = Family(self.box, 64)
        session = family.members[0] = LiveSession(SessionRecord(info, "host", ""), family, 0, 600.0, 600.0)
        return session
