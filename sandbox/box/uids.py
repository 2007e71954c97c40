"""The uids of boxes: a block of them for each slot on this machine, whichever service the slot belongs to.

Programs of two boxes with the same uid would share what the kernel counts by user: processes, pending signals, pipes,
watches. A block is held by the name of an abstract unix socket, which ends with its process and needs no file. Workers
in network namespaces of their own do not see each other's names; they have the first blocks in common.
"""

from __future__ import annotations

import errno
import socket

FIRST_UID = 1_000_000
UIDS_PER_BOX = 65_536
BOXES_PER_BLOCK = 64  # a slot's boxes take turns, for the last one may still be on its way out
MAX_BLOCKS = 1_023  # of 32-bit numbers


class UidBlock:
    """The lowest block that nobody on this machine holds, held until `close`."""

    def __init__(self) -> None:
        self._lock_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.number = 0
        while self.number < MAX_BLOCKS - 1 and not self._take():
            self.number += 1

    def compute_base(self, box_index: int) -> int:
        """The box that is the `started`th one of its slot has the uids above this one."""
        return FIRST_UID + (self.number * BOXES_PER_BLOCK + box_index % BOXES_PER_BLOCK) * UIDS_PER_BOX

    def close(self) -> None:
        self._lock_socket.close()

    def _take(self) -> bool:
        try:
            self._lock_socket.bind(f"\0sandbox-uids-{self.number}")
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True
