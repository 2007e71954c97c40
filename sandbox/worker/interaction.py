"""Run a program and its interactor concurrently, connected by pipes, and record how their interaction ended."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from sandbox.box.box import Box
from sandbox.box.relay import RelayStats
from sandbox.runner.contract import Outcome, Run, Usage
from sandbox.verify.checkers.program_checker import FirstToEnd

PIPE_CHUNK_BYTES = 65_536
PIPE_POLL_TIMEOUT_S = 0.1
BUSY_CPU_FRACTION = 0.9  # of its wall time: above this CPU usage, an interactor is busy


@dataclass
class InteractionRecord:
    """A record of the data between a program and its interactor, and of the order in which they ended."""

    relay_stats: RelayStats = field(default_factory=RelayStats)
    end_order: list[FirstToEnd] = field(default_factory=list)
    withheld_bytes: int = 0  # bytes for the program that it had not read when it ended
    _silent_s: float = 0.0
    _program_read_all: bool = False
    _unread_by_interactor: int = 0

    def record_program_end(self, program_pipe: int, interactor_pipe: int) -> None:
        """Record the state when the program ends. The arguments are the pipes to the program and to the interactor."""
        self._silent_s = time.monotonic() - self.relay_stats.last_write_at
        self._program_read_all, self._unread_by_interactor = (
            not _count_buffered_bytes(program_pipe),
            _count_buffered_bytes(interactor_pipe),
        )

    def is_program_owed_answer(self, patience_s: float) -> bool:
        """Return whether the program wrote a whole line, read all its input, and waited for an answer in vain.

        Either the interactor buffered its answer and flushed it only after the program ended, or it did not read the
        question. A question asked at the last moment proves nothing, so the program must have waited for `patience_s`.
        """
        asked = (
            self.relay_stats.size_bytes > 0 and self.relay_stats.last_byte.isspace() and self._silent_s >= patience_s
        )
        return asked and self._program_read_all and (self._unread_by_interactor > 0 or self.withheld_bytes > 0)


def connect_and_run(
    program_box: Box, program_run: Run, interactor_box: Box, interactor_run: Run
) -> tuple[Outcome, Outcome, InteractionRecord]:
    """Run the program and the interactor connected by pipes; return both outcomes and a record of the interaction.

    This process also holds the pipe ends of each side until it knows that the side has ended. Otherwise the other side
    could notice the closed pipe and end too, before the order of the ends is known. Data written to a side that has
    ended is discarded, so that the write does not kill an interactor, or a program whose interactor ended well.
    """
    to_program, from_interactor = os.pipe()
    to_interactor, from_program = os.pipe()
    program_pipe, interactor_pipe = os.dup(to_program), os.dup(to_interactor)
    end_of = {FirstToEnd.PROGRAM: os.dup(from_program), FirstToEnd.INTERACTOR: os.dup(from_interactor)}
    record = InteractionRecord()

    def run_side(who: FirstToEnd, where: Box, run: Run, streams: list[int]) -> Outcome:
        try:
            return where.run_interactive(run, streams, record.relay_stats if who is FirstToEnd.PROGRAM else None)
        finally:
            if who is FirstToEnd.PROGRAM and not record.end_order:
                record.record_program_end(program_pipe, interactor_pipe)
            record.end_order.append(who)
            os.close(end_of[who])

    def discard(stream: int) -> int:
        """Read and discard data until all writers are closed, or until both sides have ended and no data arrives.

        Returns the number of discarded bytes.
        """
        read = 0
        with open(stream, "rb", buffering=0) as pipe:
            while True:
                if _is_readable(pipe.fileno()):
                    chunk = pipe.read(PIPE_CHUNK_BYTES)
                    if not chunk:
                        return read
                    read += len(chunk)
                elif len(record.end_order) == 2:
                    return read

    def run_program() -> Outcome:
        try:
            return run_side(FirstToEnd.PROGRAM, program_box, program_run, [to_program, from_program])
        finally:
            record.withheld_bytes = discard(program_pipe)

    with ThreadPoolExecutor(2) as side:
        running = side.submit(run_program)
        try:
            interactor = run_side(
                FirstToEnd.INTERACTOR, interactor_box, interactor_run, [to_interactor, from_interactor]
            )
        except BaseException:
            os.close(interactor_pipe)
            raise
        if interactor.ended_well:
            side.submit(discard, interactor_pipe)
        else:
            os.close(interactor_pipe)
    return running.result(), interactor, record


def is_busy(usage: Usage) -> bool:
    return usage.cpu_time_s > BUSY_CPU_FRACTION * usage.wall_time_s


def _count_buffered_bytes(pipe: int) -> int:
    """Return the number of bytes in a pipe."""
    count: int = struct.unpack("i", fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4))[0]
    return count


def _is_readable(pipe: int) -> bool:
    """Return whether the pipe has data or is closed, now or within `PIPE_POLL_TIMEOUT_S`."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    return bool(poll.poll(PIPE_POLL_TIMEOUT_S * 1000))
