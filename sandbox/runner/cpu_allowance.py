"""Grant a program extra CPU time, on top of its limit, for exchanging calls with a test.

A program spends CPU time on decoding arguments and encoding return values, which is not its own work. Only the test's
process can measure this cost. It counts the calls, the bytes and collections in them, and the shared files, and writes
the cost to a pipe. The supervisor of the program's box reads this pipe, to which the program has no access.

Work that the program causes in the test also counts, but only up to one second per test. Without this cap a program
could send any number of bytes, call back forever, or return iterators that never end.
"""

from __future__ import annotations

import fcntl
import os
import struct

ALLOWANCE_DESCRIPTOR = 5  # the descriptor of the pipe in the test's process
CALL_NS, BYTE_NS, COLLECTION_NS, FILE_NS = 25_000, 30, 4_000, 15_000
MAX_PROGRAM_CAUSED_NS = 1_000_000_000
MAX_ALLOWANCE_S = 30.0
MIN_RECORD_NS = 500_000
_RECORD = struct.Struct("<I")  # microseconds
_READ_BYTES = 4_096


class AllowanceRecorder:
    """The test's side of the pipe: adds up costs and writes them to it."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._pending_ns = 0
        self._program_caused_ns = 0

    def count_sent(self, line: bytes, caused_by_program: bool) -> None:
        """Count a message to the program. `caused_by_program` is True if the program made the test send it."""
        cost = CALL_NS + _estimate_cost_ns(line)
        self._pending_ns += self._cap_program_caused(cost) if caused_by_program else cost
        if self._pending_ns >= MIN_RECORD_NS:
            self._write()

    def count_received(self, line: bytes) -> None:
        self._pending_ns += self._cap_program_caused(_estimate_cost_ns(line))

    def count_files(self, count: int) -> None:
        """Count one scan of `count` shared files. The program may have created them, so it counts as the cause."""
        self._pending_ns += self._cap_program_caused(count * FILE_NS)

    def _cap_program_caused(self, cost: int) -> int:
        cost = min(cost, MAX_PROGRAM_CAUSED_NS - self._program_caused_ns)
        self._program_caused_ns += cost
        return cost

    def _write(self) -> None:
        try:
            os.write(self._descriptor, _RECORD.pack(min(self._pending_ns // 1_000, (1 << 32) - 1)))
            self._pending_ns = 0
        except BlockingIOError:  # the pipe is full: the next record includes this cost
            pass
        except OSError:  # the program's box has ended
            self._pending_ns = 0


def _estimate_cost_ns(line: bytes) -> int:
    return len(line) * BYTE_NS + (line.count(b"[") + line.count(b"{")) * COLLECTION_NS


def open_recorder() -> AllowanceRecorder | None:
    """Return the recorder of this process, or None if the process has no allowance pipe."""
    try:
        writable = fcntl.fcntl(ALLOWANCE_DESCRIPTOR, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        return AllowanceRecorder(ALLOWANCE_DESCRIPTOR) if writable else None
    except OSError:
        return None


class CpuAllowance:
    """The supervisor's side of the pipe: the extra CPU time granted so far. It is always zero without a descriptor."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._total_s = 0.0
        if descriptor is not None:
            os.set_blocking(descriptor, False)

    def read_s(self) -> float:
        while self._descriptor is not None and self._total_s < MAX_ALLOWANCE_S:
            try:
                records = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                break
            if not records:
                self._descriptor = None
            records = records[: len(records) - len(records) % _RECORD.size]
            self._total_s += sum(value for (value,) in _RECORD.iter_unpack(records)) * 1e-6
        return min(self._total_s, MAX_ALLOWANCE_S)

    @property
    def max_s(self) -> float:
        """Return the largest allowance in seconds that the run can reach."""
        return 0.0 if self._descriptor is None else MAX_ALLOWANCE_S
