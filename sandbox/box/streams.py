"""A run's stdin, stdout and stderr: pipes of ours whose far ends the program holds, so that nothing is copied on the
way.

Everything is fed and drained at once, so 64 MB each way pass without a deadlock; what is over the output limit is
counted, not kept.
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

from sandbox.box.stop import StopSignal
from sandbox.errors import BoxError
from sandbox.runner.contract import FileSpan
from sandbox.runner.kernel import GVISOR, kernel_name

IN_GVISOR = kernel_name() == GVISOR  # this process, as the local engine's worker in a pod: not the box alone
PIPE_BYTES = 65_536
LARGE_PIPE_BYTES = 1 << 20
LAST_WRITER_PATIENCE_S = 2.0
COLLECTION_PATIENCE_S = 0.01
ANSWERS_LIMIT_BYTES = 64 << 20
NO_SPLICE = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}  # from a file system that has none


@dataclass
class Collected:
    """What has been read of one output stream."""

    limit_bytes: int
    content: bytes = b""
    truncated: bool = False
    size: int = 0
    _parts: list[bytes | bytearray] = field(default_factory=list)

    def add(self, chunk: bytes) -> None:
        """Large chunks are kept as they are, small ones put together: a program may write byte by byte."""
        room = self.limit_bytes - self.size
        if len(chunk) > room:
            self.truncated = True
            chunk = chunk[:room]
        self.size += len(chunk)
        if len(chunk) >= PIPE_BYTES:
            self._parts.append(chunk)
        elif self._parts and isinstance(self._parts[-1], bytearray):
            self._parts[-1] += chunk
        else:
            self._parts.append(bytearray(chunk))

    def complete(self) -> None:
        self.content = b"".join(self._parts)


class _Written:
    """Bytes on their way into a pipe."""

    def __init__(self, content: bytes) -> None:
        self._left = memoryview(content)

    def give(self, pipe: int) -> bool:
        """Whether something is left after what the pipe has taken now. Raises BlockingIOError or BrokenPipeError."""
        if self._left:
            self._left = self._left[os.write(pipe, self._left) :]
        return bool(self._left)


class _Spliced:
    """Pages of a file on their way into a pipe: the program reads them where they lie, and the worker never does.

    What it reads is what the file has then, so the file must not be written to before the program's processes are gone.
    """

    def __init__(self, span: FileSpan) -> None:
        self.span = span
        self._done = 0
        self._instead: _Written | None = None

    def give(self, pipe: int) -> bool:
        if self._instead is not None:
            return self._instead.give(pipe)
        left, offset = self.span.size - self._done, self.span.offset + self._done
        try:
            moved = os.splice(self.span.descriptor, pipe, left, offset_src=offset, flags=os.SPLICE_F_NONBLOCK)
        except OSError as error:
            if error.errno not in NO_SPLICE:
                raise
            self._instead = _Written(self.span.read()[self._done :])
            return True
        if not moved:
            raise BoxError("the file that a program's input lies in was cut short")
        self._done += moved
        return self._done < self.span.size


@dataclass
class Spoken:
    """What a program has said to its partner: how much, the last byte of it, and when."""

    size: int = 0
    last: bytes = b""
    at: float = field(default_factory=time.monotonic)


class _Relay:
    """Passes a program's output on to its partner, at the partner's pace, up to the output limit."""

    def __init__(self, source: int, target: int, limit_bytes: int, spoken: Spoken) -> None:
        self.source, self.target = source, target
        self.truncated = False
        self._limit_bytes = limit_bytes
        self._spoken = spoken
        self._left = b""

    def take(self, chunk: bytes) -> None:
        """Note what was said. What is over the limit is not passed on."""
        self._spoken.size += len(chunk)
        self._spoken.last, self._spoken.at = chunk[-1:], time.monotonic()
        self.truncated = self.truncated or self._spoken.size > self._limit_bytes
        self._left = b"" if self.truncated else chunk

    def give(self) -> bool:
        """Whether something is left after what the partner's pipe has taken now. Raises BrokenPipeError."""
        with suppress(BlockingIOError):
            self._left = self._left[os.write(self.target, self._left) :] if self._left else b""
        return bool(self._left)


@dataclass
class _Held:
    """Calls that wait for the answers to begin as they must."""

    pipe: int
    content: bytes
    wanted: bytes
    answers: int
    received: bytes = b""


class Streams:
    """Use as a context manager; `theirs` are the ends to give away: stdin to read, stdout and stderr to write."""

    def __init__(
        self,
        stdin: bytes | FileSpan,
        output_limit_bytes: int,
        calls: bytes | None = None,
        channel: Sequence[int] = (),
        partner: Sequence[int] = (),
        spoken: Spoken | None = None,
        calls_after: bytes = b"",
    ) -> None:
        """`calls` opens two more pipes, for calls to the program and its answers; `channel` lends two instead. With
        `calls_after`, the calls are written when the answers begin with it, and not at all when they begin otherwise.

        `partner` lends stdin and stdout, for a program that speaks with another one; its stdout is not collected. With
        `spoken` its stdout passes through here on the way, which holds it to the output limit and notes what it says.
        """
        self._open: set[int] = set()
        self._readers: dict[int, Collected] = {}
        self._feeds: dict[int, _Written | _Spliced] = {}
        self._span = stdin if isinstance(stdin, FileSpan) else None
        self._told_over_limit = False
        self._told_to_stop = False
        self._poll = select.poll()
        self._relay: _Relay | None = None
        if partner and spoken is not None:
            self.theirs = [self._relayed(partner[1], output_limit_bytes, spoken)]
            partner = partner[:1]
        else:
            self.theirs = [] if partner else [self._fed(stdin), self._drained(output_limit_bytes)]
        self.theirs.append(self._drained(output_limit_bytes))
        self._held: _Held | None = None
        if calls is not None and calls_after:
            theirs, ours = self._pipe()
            self.theirs += [theirs, self._drained(ANSWERS_LIMIT_BYTES)]
            self._held = _Held(ours, calls, calls_after, answers=list(self._readers)[-1])
        elif calls is not None:
            self.theirs += [self._fed(calls), self._drained(ANSWERS_LIMIT_BYTES)]
        self._ours_to_close = list(self.theirs)
        self.theirs = [*partner, *self.theirs, *channel]

    def _fed(self, content: bytes | FileSpan) -> int:
        """A pipe that gives `content`; returns its reading end."""
        theirs, ours = self._pipe()
        self._begin_feed(ours, content)
        return theirs

    def _begin_feed(self, ours: int, content: bytes | FileSpan) -> None:
        os.set_blocking(ours, False)
        if len(content) > PIPE_BYTES:
            _enlarge(ours)
        self._feeds[ours] = _Spliced(content) if isinstance(content, FileSpan) else _Written(content)
        self._poll.register(ours, select.POLLOUT)
        self._feed(ours)

    def _drained(self, limit_bytes: int) -> int:
        """A pipe whose content is collected; returns its writing end."""
        ours, theirs = self._pipe()
        os.set_blocking(ours, False)
        self._readers[ours] = Collected(limit_bytes)
        self._poll.register(ours, select.POLLIN)
        return theirs

    def _relayed(self, partner: int, limit_bytes: int, spoken: Spoken) -> int:
        """A pipe whose content goes on to `partner`; returns its writing end."""
        ours, theirs = self._pipe()
        target = os.dup(partner)
        self._open.add(target)
        for descriptor in (ours, target):
            os.set_blocking(descriptor, False)
        self._relay = _Relay(ours, target, limit_bytes, spoken)
        self._poll.register(ours, select.POLLIN)
        return theirs

    def _pipe(self) -> tuple[int, int]:
        ends = os.pipe()
        self._open.update(ends)
        if not IN_GVISOR:  # where a pipe's mode is fixed
            os.fchmod(ends[0], 0o666)  # so that the program's uid may open /dev/stdin and /dev/stdout by name
        return ends

    def __enter__(self) -> Streams:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._span is not None:
            self._span.in_doubt = True
        for descriptor in list(self._open):
            self._close(descriptor)

    @property
    def over_limit(self) -> bool:
        relayed = self._relay is not None and self._relay.truncated
        return relayed or any(reader.truncated for reader in self._readers.values())

    def close_theirs(self) -> None:
        for descriptor in self._ours_to_close:
            self._close(descriptor)

    def collected(self) -> list[Collected]:
        """stdout, stderr and, where there were calls, their answers; complete."""
        for reader in self._readers.values():
            reader.complete()
        return list(self._readers.values())

    def wait_for(self, connection: socket.socket, deadline: float, stop: StopSignal | None = None) -> bool:
        """Feed and drain until `connection` has an answer (True), or the program has to be killed (False).

        That is when its output has just gone over its limit, or `stop` was set; each is told once.
        """
        self._poll.register(connection, select.POLLIN)
        if stop is not None and not self._told_to_stop:
            self._poll.register(stop, select.POLLIN)
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
                if stop is not None and stop.is_set and not self._told_to_stop:
                    self._told_to_stop = True
                    self._poll.unregister(stop)
                    return False
        finally:
            self._poll.unregister(connection)
            if stop is not None and not self._told_to_stop:
                self._poll.unregister(stop)

    def drain(self) -> None:
        """Read what is left in the pipes once the program is gone; every writer must be gone with it."""
        deadline = time.monotonic() + LAST_WRITER_PATIENCE_S
        if self._relay is not None:
            self._pass_on_the_rest(self._relay, deadline)
        for descriptor in [one for one in self._readers if one in self._open]:
            while self._read(descriptor):
                pass
            while descriptor in self._open:
                _wait_for_last_writer(descriptor, deadline)
                self._read(descriptor)

    def _serve(self, events: list[tuple[int, int]], answer: int) -> bool:
        answered = False
        for descriptor, _ in events:
            if descriptor == answer:
                answered = True
            elif descriptor in self._feeds:
                self._feed(descriptor)
            elif self._relay is not None and descriptor in {self._relay.source, self._relay.target}:
                self._pass_on(self._relay, descriptor)
            elif descriptor in self._readers:
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
            if self._held is not None and descriptor == self._held.answers:
                self._close(self._held.pipe)
            return False
        if len(chunk) == PIPE_BYTES:
            _enlarge(descriptor)
        self._readers[descriptor].add(chunk)
        if self._held is not None and descriptor == self._held.answers:
            self._release(self._held, chunk)
        return True

    def _pass_on(self, relay: _Relay, ready: int) -> None:
        """Read from the program, or write to its partner, whichever is ready: one at a time, so nothing piles up."""
        try:
            if ready == relay.source:
                chunk = os.read(relay.source, PIPE_BYTES)
                if not chunk:
                    self._poll.unregister(relay.source)
                    self._close(relay.source)
                    return
                relay.take(chunk)
            if relay.give() == (ready == relay.target):
                return
        except BlockingIOError:
            return
        except BrokenPipeError:  # the partner is gone, and nobody reads in its place: so the program learns
            self._poll.unregister(ready)
            self._close(relay.source)
            return
        other = relay.target if ready == relay.source else relay.source
        self._poll.unregister(ready)
        self._poll.register(other, select.POLLOUT if other == relay.target else select.POLLIN)

    def _pass_on_the_rest(self, relay: _Relay, deadline: float) -> None:
        """Give the partner all that the program left behind. The partner's own limits end this."""
        if relay.source not in self._open:
            return
        os.set_blocking(relay.target, True)
        try:
            while relay.give():
                pass
            while chunk := self._read_late(relay.source, deadline):
                relay.take(chunk)
                while relay.give():
                    pass
        except BrokenPipeError:
            pass

    def _read_late(self, descriptor: int, deadline: float) -> bytes:
        """What a program that is gone has left in a pipe; empty at the end."""
        while True:
            try:
                return os.read(descriptor, PIPE_BYTES)
            except BlockingIOError:
                _wait_for_last_writer(descriptor, deadline)

    def _release(self, held: _Held, chunk: bytes) -> None:
        """Write the calls, or close their pipe, once enough has been answered to know which."""
        held.received += chunk[: len(held.wanted)]
        if not held.wanted.startswith(held.received[: len(held.wanted)]):
            self._held = None
            self._close(held.pipe)
        elif len(held.received) >= len(held.wanted):
            self._held = None
            self._begin_feed(held.pipe, held.content)

    def _feed(self, descriptor: int) -> None:
        try:
            more = self._feeds[descriptor].give(descriptor)
        except BlockingIOError:
            return
        except BrokenPipeError:  # the program does not want the rest
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
    """Wait a moment for more to read in a pipe, or its end. Raises BoxError after the deadline.

    The kernel may be later than the program's end: descriptors that two unix sockets hold of each other, sent and never
    received, are closed by its garbage collector, which runs when some unix socket is closed.
    """
    for one in socket.socketpair():
        one.close()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(COLLECTION_PATIENCE_S * 1000) and time.monotonic() > deadline:
        raise BoxError("a process of the program outlived it and still holds its output")


def _enlarge(descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, LARGE_PIPE_BYTES)
    except OSError:  # over the user's share of pipe memory: slower, not wrong
        return
