"""The connection to the supervisor of a box. Every failure raises BoxError, because the box is unusable without it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sandbox.box.answers import read_message
from sandbox.box.engine import BoxHandle
from sandbox.errors import BoxError, BoxOutOfMemory
from sandbox.runner import frames

ANSWER_TIMEOUT_S: Final = 60.0


class Connection:
    """Sends requests to a supervisor and receives its messages. Their content is not trusted."""

    def __init__(self, handle: BoxHandle) -> None:
        self._handle = handle
        self.socket = handle.connection

    def send(self, header: Mapping[str, Any] | bytes, descriptors: Sequence[int] = (), payload: bytes = b"") -> None:
        """Send a request.

        Raises BoxError, or FrameTooLarge, in which case nothing was sent and the box is still usable.
        """
        try:
            frames.send(self.socket, header, descriptors, payload)
        except frames.FrameTooLarge:
            raise
        except frames.FrameError as error:
            raise BoxError(f"lost the box: {error}") from error

    def receive(self) -> tuple[dict[str, Any], list[int]]:
        """Return the header and the descriptors of the next message, which the caller must close.

        Raises BoxError, or BoxOutOfMemory if the box ended because a process in it was killed for lack of memory.
        """
        try:
            header, _, descriptors = frames.receive(self.socket)
        except (frames.FrameError, OSError) as error:
            raise self._classify_failure()(f"lost the box: {error}") from error
        if "broken" in header:
            frames.close_descriptors(descriptors)
            raise self._classify_failure()(f"box broken: {read_message(header['broken'])}")
        return header, descriptors

    def receive_header(self) -> dict[str, Any]:
        """Return the header of the next message. Raises BoxError if none arrives within `ANSWER_TIMEOUT_S`."""
        self.socket.settimeout(ANSWER_TIMEOUT_S)
        header, descriptors = self.receive()
        frames.close_descriptors(descriptors)
        self.socket.settimeout(None)
        return header

    def request(self, header: Mapping[str, Any], confirmation: Mapping[str, bool]) -> None:
        """Send a request and wait for the supervisor to reply with the expected confirmation. Raises BoxError."""
        self.send(header)
        answer = self.receive_header()
        if any(answer.get(name) is not value for name, value in confirmation.items()):
            raise BoxError(f"the supervisor did not confirm a request: {header['do']}")

    def _classify_failure(self) -> type[BoxError]:
        return BoxOutOfMemory if self._handle.ran_out_of_memory() else BoxError
