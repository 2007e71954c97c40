"""The output read so far from one stream of a program, up to a limit."""

from __future__ import annotations

from dataclasses import dataclass, field

_LARGE_CHUNK_BYTES = 65_536


@dataclass
class OutputBuffer:
    """The output read so far from one stream."""

    limit_bytes: int
    content: bytes = b""
    truncated: bool = False
    size_bytes: int = 0
    _parts: list[bytes | bytearray] = field(default_factory=list)

    def add(self, chunk: bytes) -> None:
        """Store a chunk of output.

        Small chunks are merged, because a program may write one byte at a time. Large chunks are stored separately.
        """
        room = self.limit_bytes - self.size_bytes
        if len(chunk) > room:
            self.truncated = True
            chunk = chunk[:room]
        self.size_bytes += len(chunk)
        if len(chunk) >= _LARGE_CHUNK_BYTES:
            self._parts.append(chunk)
        elif self._parts and isinstance(self._parts[-1], bytearray):
            self._parts[-1] += chunk
        else:
            self._parts.append(bytearray(chunk))

    def complete(self) -> None:
        self.content = b"".join(self._parts)
