"""The CPU time that carrying a test's calls takes in the program's process: allowed on top of the program's limit.

A program must read the arguments it is passed and write the values it returns, and neither is its own work. Only the
test's process can say how much that was: it counts the calls, the bytes and the collections in them, and the files that
both share. It writes what they cost into a pipe that the supervisor of the program's box reads. The program has no end
of that pipe. What it makes the test do counts as well, but only up to a second in all: it could send any number of
bytes and call back forever, and its iterators need not end.
"""

from __future__ import annotations

import fcntl
import os
import struct

ACCOUNT = 5  # the descriptor of the pipe in the test's process
CALL_NS, BYTE_NS, COLLECTION_NS, FILE_NS = 25_000, 30, 4_000, 15_000
MOST_DRIVEN_NS = 1_000_000_000
MOST_S = 30.0
RECORD_FROM_NS = 500_000
_RECORD = struct.Struct("<I")  # microseconds
_READ_BYTES = 4_096


class Account:
    """The test's side: what was carried and not yet written down."""

    def __init__(self, descriptor: int) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._pending_ns = 0
        self._driven_ns = 0

    def sent(self, line: bytes, driven: bool) -> None:
        """Count a message to the program. `driven`: it is the program that made the test send it."""
        cost = CALL_NS + _cost_ns(line)
        self._pending_ns += self._driven(cost) if driven else cost
        if self._pending_ns >= RECORD_FROM_NS:
            self._write()

    def received(self, line: bytes) -> None:
        self._pending_ns += self._driven(_cost_ns(line))

    def looked_at_files(self, count: int) -> None:
        """Count a look at all shared files. The program may have made them, so it counts as driven."""
        self._pending_ns += self._driven(count * FILE_NS)

    def _driven(self, cost: int) -> int:
        cost = min(cost, MOST_DRIVEN_NS - self._driven_ns)
        self._driven_ns += cost
        return cost

    def _write(self) -> None:
        try:
            os.write(self._descriptor, _RECORD.pack(min(self._pending_ns // 1_000, (1 << 32) - 1)))
            self._pending_ns = 0
        except BlockingIOError:  # the pipe is full: the next record holds this one, too
            pass
        except OSError:  # the program's box is done
            self._pending_ns = 0


def _cost_ns(line: bytes) -> int:
    return len(line) * BYTE_NS + (line.count(b"[") + line.count(b"{")) * COLLECTION_NS


def open_account() -> Account | None:
    """The account of this process; None where it has no pipe for one."""
    try:
        writable = fcntl.fcntl(ACCOUNT, fcntl.F_GETFL) & os.O_ACCMODE == os.O_WRONLY
        return Account(ACCOUNT) if writable else None
    except OSError:
        return None


class Allowance:
    """The supervisor's side: how much has been allowed so far. Without a descriptor it is nothing."""

    def __init__(self, descriptor: int | None = None) -> None:
        self._descriptor = descriptor
        self._total_s = 0.0
        if descriptor is not None:
            os.set_blocking(descriptor, False)

    def read_s(self) -> float:
        while self._descriptor is not None and self._total_s < MOST_S:
            try:
                records = os.read(self._descriptor, _READ_BYTES)
            except BlockingIOError:
                break
            if not records:
                self._descriptor = None
            records = records[: len(records) - len(records) % _RECORD.size]
            self._total_s += sum(value for (value,) in _RECORD.iter_unpack(records)) * 1e-6
        return min(self._total_s, MOST_S)

    @property
    def most_s(self) -> float:
        """How much it may become."""
        return 0.0 if self._descriptor is None else MOST_S
