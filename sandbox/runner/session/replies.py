"""Send answers to the worker: results, errors and events. A large body is sent in a memfd.

The header of a frame contains the fields of the supervisor. A large body may come from a program, unread, and contain
anything. The worker takes only these fields from it, so that a program cannot replace those of the supervisor: `result`
and `error` of a `done` event, `data` of a `display` event, and `files` and `complete` of an answer without an event.
"""

from __future__ import annotations

import json
from typing import Any

from sandbox.runner import frames
from sandbox.runner.session.message_body import MAX_INLINE_BODY_BYTES
from sandbox.runner.session.reactor import FrameSender

MAX_MESSAGE_CHARS = 2_000


class RequestFailed(Exception):
    """Raised if a request cannot be served. `code` is machine-readable; the message is for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Replies:
    """Sends frames to the worker in order."""

    def __init__(self, sender: FrameSender) -> None:
        self._sender = sender

    @property
    def is_congested(self) -> bool:
        return self._sender.is_congested

    def send(self, header: dict[str, Any], payload: bytes = b"", body: dict[str, Any] | None = None) -> None:
        """Send a frame.

        If `body` is too large for the header, it is sent as JSON in a memfd, and the header's `large` is its size in
        bytes.
        """
        descriptors = []
        if body:
            text = json.dumps(body, separators=(",", ":")).encode()
            if len(text) > MAX_INLINE_BODY_BYTES:
                header = header | {"large": len(text)}
                descriptors.append(frames.create_memory_file("body", text))
            else:
                header = header | body
        self._sender.send(header, payload, descriptors)

    def send_large(self, header: dict[str, Any], descriptor: int, size: int) -> None:
        """Send a frame whose body is in a memfd of `size` bytes, then close the memfd. The body is not trusted."""
        self._sender.send(header | {"large": size}, b"", [descriptor])

    def send_file(self, header: dict[str, Any], descriptor: int, size: int) -> None:
        """Send a frame with a file's content in a memfd, then close the memfd. The header's `memory_file` is `size`."""
        self._sender.send(header | {"memory_file": size}, b"", [descriptor])

    def send_error(self, request: Any, code: str, message: str) -> None:
        """Send an error. The message is cut, because a branch's process may have written a part of it."""
        self._sender.send({"id": request, "error": {"code": code, "message": message[:MAX_MESSAGE_CHARS]}})
