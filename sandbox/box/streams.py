"""A run's stdin, stdout and stderr: pipes of ours whose far ends the program holds, so that nothing is copied on the
way.

Everything is fed and drained at once, so 64 MB each way pass without a deadlock; what is over the output limit is
counted, not kept.
"""

from __future__ import annotations

import fcntl
import os
import select
import socket
import time
from dataclasses import dataclass, field
from types import TracebackType

from sandbox.errors import BoxError

PIPE_BYTES = 65_536
LARGE_PIPE_BYTES = 1 << 20
LAST_WRITER_PATIENCE_S = 2.0
COLLECTION_PATIENCE_S = 0.01


@dataclass
class Collected:
    """What has been read of one output stream."""

    limit_bytes: int
    content: bytes = b""
    truncated: bool = False
    read: bytearray = field(default_factory=bytearray)  # not a list: a program that writes byte by byte would fill it

    def add(self, chunk: bytes) -> None:
        room = self.limit_bytes - len(self.read)
        if len(chunk) > room:
            self.truncated = True
            chunk = chunk[:room]
        self.read += chunk


class Streams:
    """Use as a context manager; `theirs` are the ends to give away: stdin to read, stdout and stderr to write."""

    def __init__(self, stdin: bytes, output_limit_bytes: int) -> None:
        self._stdin_read, self._stdin = os.pipe()
        self._out, self._out_write = os.pipe()
        self._err, self._err_write = os.pipe()
        self._open = {self._stdin, self._out, self._err, self._stdin_read, self._out_write, self._err_write}
        self.theirs = [self._stdin_read, self._out_write, self._err_write]
        for descriptor in self.theirs:
            os.fchmod(descriptor, 0o666)  # so that the program's uid may open /dev/stdin and /dev/stdout by name
        self._readers = {self._out: Collected(output_limit_bytes), self._err: Collected(output_limit_bytes)}
        self._told_over_limit = False
        self._poll = select.poll()
        self._feed(stdin)
        for descriptor in self._readers:
            os.set_blocking(descriptor, False)
            self._poll.register(descriptor, select.POLLIN)

    def __enter__(self) -> Streams:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for descriptor in list(self._open):
            self._close(descriptor)

    @property
    def over_limit(self) -> bool:
        return any(reader.truncated for reader in self._readers.values())

    def close_theirs(self) -> None:
        for descriptor in self.theirs:
            self._close(descriptor)

    def collected(self) -> tuple[Collected, Collected]:
        """stdout and stderr, complete."""
        for reader in self._readers.values():
            reader.content = bytes(reader.read)
        return self._readers[self._out], self._readers[self._err]

    def wait_for(self, connection: socket.socket, deadline: float) -> bool:
        """Feed and drain until `connection` has an answer (True), or the output has just gone over its limit
        (False).
        """
        self._poll.register(connection, select.POLLIN)
        try:
            while True:
                left = deadline - time.monotonic()
                events = self._poll.poll(max(0.0, left) * 1000)
                if not events:
                    raise BoxError("the supervisor holds no limits any more: no answer within the watchdog's time")
                if self._serve(events, connection.fileno()):
                    return True
                if self.over_limit and not self._told_over_limit:
                    self._told_over_limit = True
                    return False
        finally:
            self._poll.unregister(connection)

    def drain(self) -> None:
        """Read what is left in the pipes once the program is gone; every writer must be gone with it.

        The kernel may be a little later: descriptors that two unix sockets hold of each other, sent and never received,
        are closed by its garbage collector, which runs when some unix socket is closed.
        """
        deadline = time.monotonic() + LAST_WRITER_PATIENCE_S
        for descriptor in [one for one in self._readers if one in self._open]:
            while self._read(descriptor):
                pass
            while descriptor in self._open:
                for one in socket.socketpair():
                    one.close()
                if _readable(descriptor, COLLECTION_PATIENCE_S):
                    self._read(descriptor)
                elif time.monotonic() > deadline:
                    raise BoxError("a process of the program outlived it and still holds its output")

    def _serve(self, events: list[tuple[int, int]], answer: int) -> bool:
        answered = False
        for descriptor, _ in events:
            if descriptor == answer:
                answered = True
            elif descriptor == self._stdin:
                self._write_stdin()
            else:
                self._read(descriptor)
        return answered

    def _read(self, descriptor: int) -> bool:
        """Read once; False when there is nothing to read now, or no more."""
        try:
            chunk = os.read(descriptor, LARGE_PIPE_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._poll.unregister(descriptor)
            self._close(descriptor)
            return False
        if len(chunk) == PIPE_BYTES:
            _enlarge(descriptor)
        self._readers[descriptor].add(chunk)
        return True

    def _feed(self, stdin: bytes) -> None:
        self._left = memoryview(stdin)
        os.set_blocking(self._stdin, False)
        if len(stdin) > PIPE_BYTES:
            _enlarge(self._stdin)
        self._poll.register(self._stdin, select.POLLOUT)
        self._write_stdin()

    def _write_stdin(self) -> None:
        try:
            if self._left:
                self._left = self._left[os.write(self._stdin, self._left) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # the program does not want the rest
            self._left = self._left[:0]
        if not self._left:
            self._poll.unregister(self._stdin)
            self._close(self._stdin)

    def _close(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.discard(descriptor)
            os.close(descriptor)


def _readable(descriptor: int, patience_s: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(patience_s * 1000))


def _enlarge(descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, LARGE_PIPE_BYTES)
    except OSError:  # over the user's share of pipe memory: slower, not wrong
        return
