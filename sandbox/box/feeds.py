"""Sources of data that a worker writes to a program's pipes: bytes in memory, or pages of a file."""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass

from sandbox.errors import BoxError
from sandbox.runner.contract import FileSpan

SPLICE_UNSUPPORTED_ERRNOS = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}  # from a file system without splice


class BytesFeed:
    """Bytes to be written to a pipe."""

    def __init__(self, content: bytes) -> None:
        self._left = memoryview(content)

    def write_some(self, pipe: int) -> bool:
        """Write as much as the pipe accepts without blocking; return whether anything is left.

        Raises BlockingIOError or BrokenPipeError.
        """
        if self._left:
            self._left = self._left[os.write(pipe, self._left) :]
        return bool(self._left)


class SpliceFeed:
    """Pages of a file to be spliced into a pipe. The program reads them in place; the worker never reads them.

    The program sees the file's current content, so nobody may write to the file until the program's processes are gone.
    """

    def __init__(self, span: FileSpan) -> None:
        self.span = span
        self._done = 0
        self._fallback: BytesFeed | None = None

    def write_some(self, pipe: int) -> bool:
        if self._fallback is not None:
            return self._fallback.write_some(pipe)
        left, offset = self.span.size - self._done, self.span.offset + self._done
        try:
            moved = os.splice(self.span.descriptor, pipe, left, offset_src=offset, flags=os.SPLICE_F_NONBLOCK)
        except OSError as error:
            if error.errno not in SPLICE_UNSUPPORTED_ERRNOS:
                raise
            self._fallback = BytesFeed(self.span.read()[self._done :])
            return True
        if not moved:
            raise BoxError("the file with a program's input was cut short")
        self._done += moved
        return self._done < self.span.size


@dataclass
class DeferredCalls:
    """Calls that are held back until the answers begin with the expected prefix."""

    pipe: int
    content: bytes
    expected_prefix: bytes
    answers_pipe: int
    received: bytes = b""


def write_to_pipe(feed: BytesFeed | SpliceFeed, pipe: int) -> bool:
    """Write as much as the pipe accepts now; return whether there is more that the program may still read."""
    try:
        return feed.write_some(pipe)
    except BlockingIOError:
        return True
    except BrokenPipeError:  # the program does not read the rest
        return False
