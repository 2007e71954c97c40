"""A run's stdin, stdout and stderr: pipes that connect the worker directly to the program, without copies in between.

All pipes are fed and drained at the same time, so 64 MB in each direction pass without a deadlock. Output over the
limit is counted but not kept.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType

from sandbox.box.stop_signal import StopSignal
from sandbox.errors import BoxError
from sandbox.runner.contract import FileSpan
from sandbox.runner.kernel import GVISOR, detect_kernel

# whether this process itself runs in gVisor, as a worker with the local engine in a pod does
IN_GVISOR = detect_kernel() == GVISOR
PIPE_BYTES = 65_536
LARGE_PIPE_BYTES = 1 << 20
LAST_WRITER_TIMEOUT_S = 2.0
GC_POLL_INTERVAL_S = 0.01
ANSWERS_LIMIT_BYTES = 64 << 20
SPLICE_UNSUPPORTED_ERRNOS = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}  # from a file system without splice


@dataclass
class OutputBuffer:
    """The output read so far from one stream."""

    limit_bytes: int
    content: bytes = b""
    truncated: bool = False
    size_bytes: int = 0
    _parts: list[bytes | bytearray] = field(default_factory=list)

    def add(self, chunk: bytes) -> None:
        """Store a chunk. Small chunks are merged, because a program may write byte by byte; large ones are kept as they
        are.
        """
        room = self.limit_bytes - self.size_bytes
        if len(chunk) > room:
            self.truncated = True
            chunk = chunk[:room]
        self.size_bytes += len(chunk)
        if len(chunk) >= PIPE_BYTES:
            self._parts.append(chunk)
        elif self._parts and isinstance(self._parts[-1], bytearray):
            self._parts[-1] += chunk
        else:
            self._parts.append(bytearray(chunk))

    def complete(self) -> None:
        self.content = b"".join(self._parts)


class _BytesFeed:
    """Bytes to be written to a pipe."""

    def __init__(self, content: bytes) -> None:
        self._left = memoryview(content)

    def write_some(self, pipe: int) -> bool:
        """Write what the pipe accepts now; return whether anything is left.

        Raises BlockingIOError or BrokenPipeError.
        """
        if self._left:
            self._left = self._left[os.write(pipe, self._left) :]
        return bool(self._left)


class _SpliceFeed:
    """Pages of a file to be spliced into a pipe. The program reads them in place; the worker never reads them.

    The program sees the file's current content, so nobody may write to the file until the program's processes are gone.
    """

    def __init__(self, span: FileSpan) -> None:
        self.span = span
        self._done = 0
        self._fallback: _BytesFeed | None = None

    def write_some(self, pipe: int) -> bool:
        if self._fallback is not None:
            return self._fallback.write_some(pipe)
        left, offset = self.span.size - self._done, self.span.offset + self._done
        try:
            moved = os.splice(self.span.descriptor, pipe, left, offset_src=offset, flags=os.SPLICE_F_NONBLOCK)
        except OSError as error:
            if error.errno not in SPLICE_UNSUPPORTED_ERRNOS:
                raise
            self._fallback = _BytesFeed(self.span.read()[self._done :])
            return True
        if not moved:
            raise BoxError("the file with a program's input was cut short")
        self._done += moved
        return self._done < self.span.size


@dataclass
class RelayStats:
    """How much a program has written to its partner, the last byte, and when."""

    size_bytes: int = 0
    last_byte: bytes = b""
    last_write_at: float = field(default_factory=time.monotonic)


class _Relay:
    """Passes a program's output to its partner, as fast as the partner reads it, up to the output limit."""

    def __init__(self, source: int, target: int, limit_bytes: int, stats: RelayStats) -> None:
        self.source, self.target = source, target
        self.truncated = False
        self._limit_bytes = limit_bytes
        self._stats = stats
        self._left = b""

    def accept_chunk(self, chunk: bytes) -> None:
        """Record a chunk of output. Output over the limit is not passed on."""
        self._stats.size_bytes += len(chunk)
        self._stats.last_byte, self._stats.last_write_at = chunk[-1:], time.monotonic()
        self.truncated = self.truncated or self._stats.size_bytes > self._limit_bytes
        self._left = b"" if self.truncated else chunk

    def write_some(self) -> bool:
        """Write what the partner's pipe accepts now; return whether anything is left. Raises BrokenPipeError."""
        with suppress(BlockingIOError):
            self._left = self._left[os.write(self.target, self._left) :] if self._left else b""
        return bool(self._left)


@dataclass
class _DeferredCalls:
    """Calls that are sent only after the answers start with the expected prefix."""

    pipe: int
    content: bytes
    expected_prefix: bytes
    answers_pipe: int
    received: bytes = b""


class Streams:
    """The pipes of a run. Use as a context manager.

    `program_ends` are the ends to pass to the program: stdin for reading, stdout and stderr for writing.
    """

    def __init__(
        self,
        stdin: bytes | FileSpan,
        output_limit_bytes: int,
        calls: bytes | None = None,
        channel: Sequence[int] = (),
        partner: Sequence[int] = (),
        relay_stats: RelayStats | None = None,
        answer_prefix: bytes = b"",
    ) -> None:
        """`calls` opens two more pipes, for calls to the program and their answers; `channel` passes two existing
        descriptors instead. With `answer_prefix`, the calls are written once the answers begin with it, and never if
        they begin differently.

        `partner` passes stdin and stdout for a program that talks to another one; its stdout is not collected. With
        `relay_stats` its stdout is relayed here, which applies the output limit and records what it writes.
        """
        self._open: set[int] = set()
        self._readers: dict[int, OutputBuffer] = {}
        self._feeds: dict[int, _BytesFeed | _SpliceFeed] = {}
        self._span = stdin if isinstance(stdin, FileSpan) else None
        self._reported_over_limit = False
        self._reported_stop = False
        self._poll = select.poll()
        self._relay: _Relay | None = None
        if partner and relay_stats is not None:
            self.program_ends = [self._open_relay(partner[1], output_limit_bytes, relay_stats)]
            partner = partner[:1]
        else:
            self.program_ends = [] if partner else [self._open_feed(stdin), self._open_drain(output_limit_bytes)]
        self.program_ends.append(self._open_drain(output_limit_bytes))
        self._deferred_calls: _DeferredCalls | None = None
        if calls is not None and answer_prefix:
            program_end, write_end = self._open_pipe()
            self.program_ends += [program_end, self._open_drain(ANSWERS_LIMIT_BYTES)]
            self._deferred_calls = _DeferredCalls(write_end, calls, answer_prefix, answers_pipe=list(self._readers)[-1])
        elif calls is not None:
            self.program_ends += [self._open_feed(calls), self._open_drain(ANSWERS_LIMIT_BYTES)]
        self._owned_program_ends = list(self.program_ends)
        self.program_ends = [*partner, *self.program_ends, *channel]

    def _open_feed(self, content: bytes | FileSpan) -> int:
        """Open a pipe that supplies `content`; return its read end."""
        program_end, write_end = self._open_pipe()
        self._begin_feed(write_end, content)
        return program_end

    def _begin_feed(self, write_end: int, content: bytes | FileSpan) -> None:
        os.set_blocking(write_end, False)
        if len(content) > PIPE_BYTES:
            _enlarge_pipe(write_end)
        self._feeds[write_end] = _SpliceFeed(content) if isinstance(content, FileSpan) else _BytesFeed(content)
        self._poll.register(write_end, select.POLLOUT)
        self._feed(write_end)

    def _open_drain(self, limit_bytes: int) -> int:
        """Open a pipe whose content is collected; return its write end."""
        read_end, program_end = self._open_pipe()
        os.set_blocking(read_end, False)
        self._readers[read_end] = OutputBuffer(limit_bytes)
        self._poll.register(read_end, select.POLLIN)
        return program_end

    def _open_relay(self, partner: int, limit_bytes: int, stats: RelayStats) -> int:
        """Open a pipe whose content is relayed to `partner`; return its write end."""
        read_end, program_end = self._open_pipe()
        target = os.dup(partner)
        self._open.add(target)
        for descriptor in (read_end, target):
            os.set_blocking(descriptor, False)
        self._relay = _Relay(read_end, target, limit_bytes, stats)
        self._poll.register(read_end, select.POLLIN)
        return program_end

    def _open_pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self._open.update(ends)
        if not IN_GVISOR:  # gVisor does not allow changing a pipe's mode
            os.fchmod(ends[0], 0o666)  # lets the program's uid open /dev/stdin and /dev/stdout by name
        return ends

    def __enter__(self) -> Streams:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._span is not None:
            self._span.tainted = True
        for descriptor in list(self._open):
            self._close(descriptor)

    @property
    def over_limit(self) -> bool:
        relayed = self._relay is not None and self._relay.truncated
        return relayed or any(reader.truncated for reader in self._readers.values())

    def close_program_ends(self) -> None:
        for descriptor in self._owned_program_ends:
            self._close(descriptor)

    def complete_outputs(self) -> list[OutputBuffer]:
        """Return the complete output: stdout, stderr, and the answers if there were calls."""
        for reader in self._readers.values():
            reader.complete()
        return list(self._readers.values())

    def wait_for(self, connection: socket.socket, deadline: float, stop: StopSignal | None = None) -> bool:
        """Feed and drain until `connection` has an answer (True) or the program must be killed (False).

        It must be killed when its output exceeds the limit or `stop` is set. Each of these is reported only once.
        """
        self._poll.register(connection, select.POLLIN)
        if stop is not None and not self._reported_stop:
            self._poll.register(stop, select.POLLIN)
        try:
            while True:
                left = deadline - time.monotonic()
                events = self._poll.poll(max(0.0, left) * 1000)
                if not events:
                    raise BoxError("the supervisor did not answer in time, so it no longer enforces limits")
                if self._handle_events(events, connection.fileno()):
                    return True
                if self.over_limit and not self._reported_over_limit:
                    self._reported_over_limit = True
                    return False
                if stop is not None and stop.is_set and not self._reported_stop:
                    self._reported_stop = True
                    self._poll.unregister(stop)
                    return False
        finally:
            self._poll.unregister(connection)
            if stop is not None and not self._reported_stop:
                self._poll.unregister(stop)

    def drain(self) -> None:
        """Read the rest from the pipes after the program has ended. Every writer must have ended, too."""
        deadline = time.monotonic() + LAST_WRITER_TIMEOUT_S
        if self._relay is not None:
            self._forward_rest(self._relay, deadline)
        for descriptor in [one for one in self._readers if one in self._open]:
            while self._read(descriptor):
                pass
            while descriptor in self._open:
                _wait_for_last_writer(descriptor, deadline)
                self._read(descriptor)

    def _handle_events(self, events: list[tuple[int, int]], answer_descriptor: int) -> bool:
        answered = False
        for descriptor, _ in events:
            if descriptor == answer_descriptor:
                answered = True
            elif descriptor in self._feeds:
                self._feed(descriptor)
            elif self._relay is not None and descriptor in {self._relay.source, self._relay.target}:
                self._forward(self._relay, descriptor)
            elif descriptor in self._readers:
                self._read(descriptor)
        return answered

    def _read(self, descriptor: int) -> bool:
        """Read once; return False if there is nothing to read now or at the end."""
        try:
            chunk = os.read(descriptor, LARGE_PIPE_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            self._poll.unregister(descriptor)
            self._close(descriptor)
            if self._deferred_calls is not None and descriptor == self._deferred_calls.answers_pipe:
                self._close(self._deferred_calls.pipe)
            return False
        if len(chunk) == PIPE_BYTES:
            _enlarge_pipe(descriptor)
        self._readers[descriptor].add(chunk)
        if self._deferred_calls is not None and descriptor == self._deferred_calls.answers_pipe:
            self._release(self._deferred_calls, chunk)
        return True

    def _forward(self, relay: _Relay, ready: int) -> None:
        """Read from the program or write to its partner, whichever is ready; never both, so no data piles up."""
        try:
            if ready == relay.source:
                chunk = os.read(relay.source, PIPE_BYTES)
                if not chunk:
                    self._poll.unregister(relay.source)
                    self._close(relay.source)
                    return
                relay.accept_chunk(chunk)
            if relay.write_some() == (ready == relay.target):
                return
        except BlockingIOError:
            return
        except BrokenPipeError:  # the partner is gone; closing the pipe lets the program notice
            self._poll.unregister(ready)
            self._close(relay.source)
            return
        other = relay.target if ready == relay.source else relay.source
        self._poll.unregister(ready)
        self._poll.register(other, select.POLLOUT if other == relay.target else select.POLLIN)

    def _forward_rest(self, relay: _Relay, deadline: float) -> None:
        """Pass everything the program left behind to the partner. The partner's own limits end this."""
        if relay.source not in self._open:
            return
        os.set_blocking(relay.target, True)
        try:
            while relay.write_some():
                pass
            while chunk := self._read_leftover(relay.source, deadline):
                relay.accept_chunk(chunk)
                while relay.write_some():
                    pass
        except BrokenPipeError:
            pass

    def _read_leftover(self, descriptor: int, deadline: float) -> bytes:
        """Return the output that an ended program left in a pipe; empty at the end."""
        while True:
            try:
                return os.read(descriptor, PIPE_BYTES)
            except BlockingIOError:
                _wait_for_last_writer(descriptor, deadline)

    def _release(self, deferred: _DeferredCalls, chunk: bytes) -> None:
        """Write the calls or close their pipe, once enough of the answers has arrived to decide."""
        deferred.received += chunk[: len(deferred.expected_prefix)]
        if not deferred.expected_prefix.startswith(deferred.received[: len(deferred.expected_prefix)]):
            self._deferred_calls = None
            self._close(deferred.pipe)
        elif len(deferred.received) >= len(deferred.expected_prefix):
            self._deferred_calls = None
            self._begin_feed(deferred.pipe, deferred.content)

    def _feed(self, descriptor: int) -> None:
        try:
            more = self._feeds[descriptor].write_some(descriptor)
        except BlockingIOError:
            return
        except BrokenPipeError:  # the program does not read the rest
            more = False
        if not more:
            del self._feeds[descriptor]
            self._poll.unregister(descriptor)
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.discard(descriptor)
            os.close(descriptor)


def _wait_for_last_writer(descriptor: int, deadline: float) -> None:
    """Wait briefly for more data in a pipe or its end. Raises BoxError after the deadline.

    The end can come later than that of the program. If two Unix sockets hold descriptors of each other that were sent
    but never received, the kernel's garbage collector closes them. It runs when any Unix socket is closed.
    """
    for one in socket.socketpair():
        one.close()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(GC_POLL_INTERVAL_S * 1000) and time.monotonic() > deadline:
        raise BoxError("a process of the program outlived it and keeps its output open")


def _enlarge_pipe(descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, LARGE_PIPE_BYTES)
    except OSError:  # over the user's limit of pipe memory, so the pipe stays small but works
        return
