"""A run's stdin, stdout and stderr: pipes that connect the worker directly to the program, without copies in between.

All pipes are fed and drained at the same time, so 64 MB in each direction pass without a deadlock. Output over the
limit is counted but not kept.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Sequence
from types import TracebackType
from typing import NamedTuple

from sandbox.box.feeds import BytesFeed, DeferredCalls, SpliceFeed, write_to_pipe
from sandbox.box.output_buffer import OutputBuffer
from sandbox.box.pipes import LARGE_PIPE_BYTES, PIPE_BYTES, enlarge_pipe, wait_for_last_writer
from sandbox.box.relay import Relay, RelayStats
from sandbox.box.stop_signal import StopSignal
from sandbox.errors import BoxError
from sandbox.runner import frames
from sandbox.runner.contract import FileSpan
from sandbox.runner.kernel import GVISOR, detect_kernel

# whether this process itself runs in gVisor, as a worker with the local engine in a pod does
IN_GVISOR = detect_kernel() == GVISOR
LAST_WRITER_TIMEOUT_S = 2.0
ANSWERS_LIMIT_BYTES = 64 << 20
QUIET_MS = 5  # the output of a program that has just started is not read for this long


class StreamPlan(NamedTuple):
    """The plan for the streams of a run: the source of stdin, and the destinations of the outputs.

    `calls` opens two more pipes, for calls to the program and their answers; `channel` passes existing descriptors
    instead. With `answer_prefix`, the calls are written once the answers begin with it, and never if they begin
    differently.

    `partner` holds the stdin and stdout of a program that is connected to another program; its stdout is not collected.
    With `relay_stats`, its stdout passes through the worker, which applies the output limit and records statistics.
    """

    stdin: bytes | FileSpan = b""
    calls: bytes | None = None
    channel: Sequence[int] = ()
    partner: Sequence[int] = ()
    relay_stats: RelayStats | None = None
    answer_prefix: bytes = b""


class Streams:
    """The pipes of a run. Use as a context manager.

    `program_ends` are the ends to pass to the program: stdin for reading, stdout and stderr for writing.
    """

    def __init__(self, plan: StreamPlan, output_limit_bytes: int) -> None:
        self._open: set[int] = set()
        self._adopted: list[int] = []
        self._readers: dict[int, OutputBuffer] = {}
        self._feeds: dict[int, BytesFeed | SpliceFeed] = {}
        self._span = plan.stdin if isinstance(plan.stdin, FileSpan) else None
        self._is_truncated = False
        self._reported_over_limit = False
        self._reported_stop = False
        self._polls_outputs = False  # not until the program has run for a moment (`QUIET_MS`)
        self._poll = select.poll()
        self._relay: Relay | None = None
        partner = plan.partner
        if partner and plan.relay_stats is not None:
            self._owned_program_ends = [self._open_relay(partner[1], output_limit_bytes, plan.relay_stats)]
            partner = partner[:1]
        elif partner:
            self._owned_program_ends = []
        else:
            self._owned_program_ends = [self._open_feed(plan.stdin), self._open_drain(output_limit_bytes)]
        self._owned_program_ends.append(self._open_drain(output_limit_bytes))
        self._deferred_calls: DeferredCalls | None = None
        if plan.calls is not None:
            self._owned_program_ends += self._open_calls(plan.calls, plan.answer_prefix)
        self.program_ends = [*partner, *self._owned_program_ends, *plan.channel]

    def _open_calls(self, calls: bytes, answer_prefix: bytes) -> list[int]:
        """Open the pipes for calls and their answers; return the program's ends."""
        if not answer_prefix:
            return [self._open_feed(calls), self._open_drain(ANSWERS_LIMIT_BYTES)]
        program_end, write_end = self._open_pipe()
        ends = [program_end, self._open_drain(ANSWERS_LIMIT_BYTES)]
        self._deferred_calls = DeferredCalls(write_end, calls, answer_prefix, answers_pipe=list(self._readers)[-1])
        return ends

    def _open_feed(self, content: bytes | FileSpan) -> int:
        """Open a pipe that supplies `content`; return its read end."""
        program_end, write_end = self._open_pipe()
        self._begin_feed(write_end, content)
        return program_end

    def _begin_feed(self, write_end: int, content: bytes | FileSpan) -> None:
        os.set_blocking(write_end, False)
        if len(content) > PIPE_BYTES:
            enlarge_pipe(write_end)
        feed = SpliceFeed(content) if isinstance(content, FileSpan) else BytesFeed(content)
        if write_to_pipe(feed, write_end):
            self._feeds[write_end] = feed
            self._poll.register(write_end, select.POLLOUT)
        else:
            self._close(write_end)

    def _open_drain(self, limit_bytes: int) -> int:
        """Open a pipe whose content is collected; return its write end."""
        read_end, program_end = self._open_pipe()
        os.set_blocking(read_end, False)
        self._readers[read_end] = OutputBuffer(limit_bytes)
        return program_end

    def _open_relay(self, partner: int, limit_bytes: int, stats: RelayStats) -> int:
        """Open a pipe whose content is relayed to `partner`; return its write end."""
        read_end, program_end = self._open_pipe()
        target = os.dup(partner)
        self._open.add(target)
        for descriptor in (read_end, target):
            os.set_blocking(descriptor, False)
        self._relay = Relay(read_end, target, limit_bytes, stats)
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
        frames.close_descriptors([*self._open, *self._adopted])

    def adopt(self, descriptors: Sequence[int]) -> None:
        """Close these descriptors at the end, too."""
        self._adopted += descriptors

    @property
    def over_limit(self) -> bool:
        return self._is_truncated or (self._relay is not None and self._relay.truncated)

    def close_program_ends(self) -> None:
        self._open.difference_update(self._owned_program_ends)
        frames.close_descriptors(self._owned_program_ends)

    def complete_outputs(self) -> list[OutputBuffer]:
        """Return the complete output: stdout, stderr, and the answers if there were calls."""
        for reader in self._readers.values():
            reader.complete()
        return list(self._readers.values())

    def wait_for(self, connection: socket.socket, deadline: float, stop: StopSignal | None = None) -> bool:
        """Feed and drain; return True once `connection` has an answer, or False if the program must be killed.

        The program must be killed if its output exceeds the limit or `stop` is set. Each reason is reported only once.
        """
        answer_descriptor = connection.fileno()
        self._poll.register(answer_descriptor, select.POLLIN)
        if stop is not None and not self._reported_stop:
            self._poll.register(stop, select.POLLIN)
        while True:
            if self._handle_events(self._poll_events(deadline), answer_descriptor):
                return True
            if self.over_limit and not self._reported_over_limit:
                self._reported_over_limit = True
                return False
            if stop is not None and stop.is_set and not self._reported_stop:
                self._reported_stop = True
                self._poll.unregister(stop)
                return False

    def _poll_events(self, deadline: float) -> list[tuple[int, int]]:
        """Wait for events; for the first `QUIET_MS`, not for those of the outputs.

        Most programs end within that time, and their output fits into the pipes. This worker then wakes up once instead
        of three times. A program that exchanges data with this worker while it runs has no such time.
        """
        if not self._polls_outputs:
            is_passive = not self._feeds and self._relay is None and self._deferred_calls is None
            if is_passive and (events := self._poll.poll(QUIET_MS)):
                return events
            self._polls_outputs = True
            for descriptor in self._readers:
                self._poll.register(descriptor, select.POLLIN)
        events = self._poll.poll(max(0.0, deadline - time.monotonic()) * 1000)
        if not events:
            raise BoxError("the supervisor did not answer in time, so it no longer enforces limits")
        return events

    def drain(self) -> None:
        """Read the rest of the output after the program has ended.

        Every process that could write must have ended, too.
        """
        deadline = time.monotonic() + LAST_WRITER_TIMEOUT_S
        if self._relay is not None and self._relay.source in self._open:
            self._relay.forward_rest(deadline)
        for descriptor in [one for one in self._readers if one in self._open]:
            while self._read(descriptor):
                pass
            while descriptor in self._open:
                wait_for_last_writer(descriptor, deadline)
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
        """Read once; return False if no data is available or the end has been reached."""
        try:
            chunk = os.read(descriptor, LARGE_PIPE_BYTES)
        except BlockingIOError:
            return False
        if not chunk:
            if self._polls_outputs:
                self._poll.unregister(descriptor)
            self._close(descriptor)
            if self._deferred_calls is not None and descriptor == self._deferred_calls.answers_pipe:
                self._close(self._deferred_calls.pipe)
            return False
        if len(chunk) == PIPE_BYTES:
            enlarge_pipe(descriptor)
        reader = self._readers[descriptor]
        reader.add(chunk)
        self._is_truncated = self._is_truncated or reader.truncated
        if self._deferred_calls is not None and descriptor == self._deferred_calls.answers_pipe:
            self._release(self._deferred_calls, chunk)
        return True

    def _forward(self, relay: Relay, ready: int) -> None:
        """Read from the program or write to its partner, whichever is ready.

        Never do both in one call, so that no data accumulates.
        """
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

    def _release(self, deferred: DeferredCalls, chunk: bytes) -> None:
        """Write the deferred calls if the answers begin with the prefix; close their pipe if they do not.

        Do nothing until enough of the answers has arrived to decide.
        """
        deferred.received += chunk[: len(deferred.expected_prefix)]
        if not deferred.expected_prefix.startswith(deferred.received[: len(deferred.expected_prefix)]):
            self._deferred_calls = None
            self._close(deferred.pipe)
        elif len(deferred.received) >= len(deferred.expected_prefix):
            self._deferred_calls = None
            self._begin_feed(deferred.pipe, deferred.content)

    def _feed(self, descriptor: int) -> None:
        if not write_to_pipe(self._feeds[descriptor], descriptor):
            del self._feeds[descriptor]
            self._poll.unregister(descriptor)
            self._close(descriptor)

    def _close(self, descriptor: int) -> None:
        if descriptor in self._open:
            self._open.discard(descriptor)
            os.close(descriptor)
