"""The supervisor's ends of the connections to a branch's process: a REPL's socket, or bash's pipes and memfds."""

from __future__ import annotations

import fcntl
import os
import socket
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

from sandbox.runner import frames
from sandbox.runner.session import shell
from sandbox.runner.session.message_body import MAX_BODY_BYTES, SEALS, read_body

_CREDENTIALS = struct.Struct("=iII")


class Message(NamedTuple):
    """A message from a branch's process. Nothing in it is trusted.

    `body` is a JSON object of at most 60 kB, or empty if it travels in `large`, a sealed memfd of `large_bytes` bytes.
    """

    header: dict[str, Any]
    body: dict[str, Any]
    large: int | None = None
    large_bytes: int = 0

    def close(self) -> None:
        """Close `large`, if there is one. For a message that is not passed on."""
        if self.large is not None:
            os.close(self.large)


class LinkClosed(Exception):
    """Raised if the process closed its end or sent an invalid message."""


class ReplLink:
    """The socket to a REPL."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        connection.setblocking(False)
        self.descriptor = connection.fileno()

    def execute(self, code: bytes, stdin: int, options: Mapping[str, Any]) -> None:
        """Send a cell to run. Raises LinkClosed if the REPL has ended."""
        header = {**options, "do": "execute"}
        if len(code) <= frames.MAX_INLINE_BYTES:
            self._send(header, [stdin], code)
            return
        memory_file = frames.create_memory_file("code", code)
        try:
            self._send({**header, "memory_file": len(code)}, [memory_file, stdin])
        finally:
            os.close(memory_file)

    def send_fork(self, moves: list[tuple[int, str]], descriptors: list[int]) -> None:
        """Ask for a fork for each uid and directory. Raises LinkClosed if the REPL has ended."""
        self._send({"do": "fork", "moves": moves}, descriptors)

    def _send(self, header: dict[str, Any], descriptors: list[int], payload: bytes = b"") -> None:
        try:
            frames.send(self._connection, header, descriptors, payload)
        except frames.FrameError as error:
            raise LinkClosed from error

    def receive(self) -> Message:
        """Receive a message, whose `large` the caller must close. Raises LinkClosed."""
        header, payload, descriptors = self.receive_frame()
        try:
            body = read_body(payload)
        except ValueError as error:
            frames.close_descriptors(descriptors)
            raise LinkClosed from error
        large = None
        large_bytes = header.get("large", 0)
        if len(descriptors) == 1 and isinstance(large_bytes, int) and 0 < large_bytes <= MAX_BODY_BYTES:
            large = descriptors.pop() if _is_sealed(descriptors[0]) else None
        frames.close_descriptors(descriptors)
        return Message(header, body, large, large_bytes if large is not None else 0)

    def receive_frame(self) -> tuple[dict[str, Any], bytes, list[int]]:
        try:
            return frames.receive(self._connection)
        except frames.FrameError as error:
            raise LinkClosed from error

    def require_credentials(self, require: bool) -> None:
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, require)

    def receive_pid(self) -> int | None:
        """Receive a message of a forked REPL; return the sender's pid, which the kernel has verified.

        Returns None if none has arrived. Raises LinkClosed.
        """
        try:
            _, ancillary, _, _ = self._connection.recvmsg(256, socket.CMSG_SPACE(_CREDENTIALS.size))
        except BlockingIOError:
            return None
        except OSError as error:
            raise LinkClosed from error
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                return int(_CREDENTIALS.unpack(content)[0])
        raise LinkClosed

    def close(self) -> None:
        self._connection.close()


class ShellLink:
    """The pipes and memfds to a bash."""

    def __init__(self) -> None:
        self._lines_read, self._lines = os.pipe()
        self.descriptor, self._status = os.pipe()
        os.set_blocking(self.descriptor, False)
        os.set_blocking(self._lines, False)
        self._code, self._stdin, self._state = (os.memfd_create(name, os.MFD_CLOEXEC) for name in ("c", "i", "s"))
        os.write(self._lines, shell.FIRST_LINES.encode())

    def list_private(self, error_output: int) -> list[int]:
        """Return the private descriptors for the new bash, in the order of their numbers in `shell`."""
        return [self._code, self._stdin, self._status, self._state, error_output]

    @property
    def lines_read_end(self) -> int:
        return self._lines_read

    def close_child_ends(self) -> None:
        os.close(self._lines_read)
        os.close(self._status)

    def execute(self, code: bytes, stdin: bytes | None) -> None:
        """Send a command to run. Raises LinkClosed if bash has ended."""
        try:
            _replace_content(self._code, code.replace(b"\0", b"") + b"\0")
            _replace_content(self._stdin, stdin or b"")
            os.write(self._lines, shell.CALL_LINES.encode())
        except OSError as error:
            raise LinkClosed from error

    def save_state(self) -> None:
        """Ask bash to save its state. Once bash has answered, `read_state` returns the state. Raises LinkClosed."""
        try:
            os.write(self._lines, shell.SAVE_LINES.encode())
        except OSError as error:
            raise LinkClosed from error

    def receive(self) -> Message:
        try:
            content = os.read(self.descriptor, shell.MAX_STATUS_BYTES)
            status = int(content.split(b"\0")[0])
        except (OSError, ValueError) as error:
            raise LinkClosed from error
        return Message({"done": True, "exit_code": status & 0xFF}, {})

    def read_state(self) -> bytes:
        size = os.fstat(self._state).st_size
        return os.pread(self._state, min(size, MAX_BODY_BYTES), 0)

    def close(self) -> None:
        frames.close_descriptors([self._lines, self.descriptor, self._code, self._stdin, self._state])


def _replace_content(memory_file: int, content: bytes) -> None:
    os.ftruncate(memory_file, 0)
    os.lseek(memory_file, 0, os.SEEK_SET)
    frames.write_all(memory_file, content)
    os.lseek(memory_file, 0, os.SEEK_SET)


def _is_sealed(descriptor: int) -> bool:
    """Return whether a descriptor is a sealed memfd, which nobody can change."""
    try:
        return fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) & SEALS == SEALS
    except OSError:
        return False
