"""Assign uids to boxes: one block of uids for each slot on this machine, across all services.

The kernel counts processes, pending signals, pipes and watches per user. Programs of two boxes with the same uid would
share these counts. To lock a block, a worker binds an abstract Unix socket whose name contains the block's number. The
lock needs no file and ends with its process. Workers in different network namespaces do not see each other's sockets,
so they use the same blocks.
"""

from __future__ import annotations

import errno
import socket

FIRST_UID = 1_000_000
UIDS_PER_BOX = 65_536
# consecutive boxes of a slot use different uids, because the previous box may still be shutting down
BOXES_PER_BLOCK = 64
MAX_BLOCKS = 1_023  # the uids fit in 32-bit numbers


class UidBlock:
    """A block of uids. The constructor locks the lowest free block on this machine; `close` unlocks it."""

    def __init__(self) -> None:
        self._lock_socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.number = 0
        while self.number < MAX_BLOCKS - 1 and not self._take():
            self.number += 1

    def compute_base(self, box_index: int) -> int:
        """Return the base of the uids of the slot's box number `box_index`; its uids are the ones above this base."""
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
