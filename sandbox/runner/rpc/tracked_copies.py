"""Track the copies of lists and dicts that a test reads from attributes and globals of its program.

In a single process, `node.children.append(child)` changes the program's list. Here the test changes a copy, so these
changes are applied to the program's list before the next request. Tracking ends when the test no longer refers to the
copy.
"""

from __future__ import annotations

import sys
from typing import Any, NamedTuple

from sandbox.runner.rpc import container_changes
from sandbox.runner.rpc.codec import ReferenceCodec

MAX_TRACKED_COPIES = 32
MAX_TRACKED_ITEMS = 10_000
OWN_REFERENCE_COUNT = 3  # references to the copy: from the tracked copy, its snapshot, and the call that counts them


class TrackedCopy(NamedTuple):
    """The program's number for the container, the test's copy, and its last known content."""

    number: int
    copy: Any
    snapshot: container_changes.ContainerSnapshot


def is_trackable(value: Any) -> bool:
    """Return whether to track a container. Large containers are too expensive to compare before each request."""
    return container_changes.is_container(value) and len(value) <= MAX_TRACKED_ITEMS


class TrackedCopies:
    """The tracked copies of one test."""

    def __init__(self) -> None:
        self._copies: list[TrackedCopy] = []

    def add(self, number: int, copy: Any) -> None:
        self._copies.append(TrackedCopy(number, copy, container_changes.ContainerSnapshot([copy])))
        del self._copies[:-MAX_TRACKED_COPIES]

    def collect_changes(self, references: ReferenceCodec) -> list[tuple[int, list[Any]]]:
        """Return the changes of each copy since the last check."""
        tracked_copies, self._copies = self._copies, []
        changes = []
        for tracked in tracked_copies:
            changed = tracked.snapshot.encode_changes(references)
            if changed:
                changes.append((tracked.number, changed))
            if sys.getrefcount(tracked.copy) > OWN_REFERENCE_COUNT:
                self._copies.append(
                    TrackedCopy(tracked.number, tracked.copy, container_changes.ContainerSnapshot([tracked.copy]))
                    if changed
                    else tracked
                )
        return changes

    def __bool__(self) -> bool:
        return bool(self._copies)
