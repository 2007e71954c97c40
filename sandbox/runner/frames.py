"""Frames between a worker and the supervisor in a box: one datagram each, a JSON header, raw bytes, open descriptors.

The socket is a unix SOCK_SEQPACKET pair, so a frame arrives whole or not at all: four bytes of length, the header, the
payload. A header too large for a datagram travels in a memfd, which is the frame's first descriptor; only a supervisor
accepts such a frame, for what a worker receives is hostile and stays small. Parts too large for a payload travel in a
memfd; a program's stdin, stdout and stderr are pipe ends, so none of their bytes is ever copied through the supervisor.
Measured: 0.03 ms for a round trip.
"""

from __future__ import annotations

import array
import json
import os
import socket
import struct
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

MAX_FRAME_BYTES = 131_072
MAX_HEADER_BYTES = 16 << 20
MAX_INLINE_BYTES = 32_768  # parts up to here travel in the frame itself: a memfd costs six system calls
MAX_DESCRIPTORS = 128  # a run's three streams and lent files, or the files fetched from it
_DESCRIPTOR_BYTES = array.array("i").itemsize
_RIGHTS_SPACE = socket.CMSG_SPACE(MAX_DESCRIPTORS * _DESCRIPTOR_BYTES)
_LENGTH = struct.Struct("=I")
_HEADER_IN_MEMORY_FILE = 1 << 31  # set in the length of a header that is not in the datagram


PartIndex = Sequence[tuple[str, int]]


class FrameError(Exception):
    """The other side closed the connection, or sent what is not a frame."""


class ConnectionClosed(FrameError):
    """The other side is gone."""


class FrameTooLarge(FrameError):
    """The frame was not sent, and the connection is as it was."""


def send(
    connection: socket.socket, header: Mapping[str, Any], descriptors: Sequence[int] = (), payload: bytes = b""
) -> None:
    """Send one frame. The descriptors stay open here; the receiver gets copies."""
    text = json.dumps(header, separators=(",", ":")).encode()
    if len(text) > MAX_HEADER_BYTES:
        raise FrameTooLarge(f"a header of {len(text)} bytes is over {MAX_HEADER_BYTES}")
    if len(payload) > MAX_FRAME_BYTES:
        raise FrameTooLarge(f"a payload of {len(payload)} bytes is over {MAX_FRAME_BYTES}")
    if len(text) + len(payload) <= MAX_FRAME_BYTES:
        _send(connection, [_LENGTH.pack(len(text)), text, payload], descriptors)
        return
    memory_descriptor = create_memory_file("header", text)
    try:
        _send(
            connection, [_LENGTH.pack(len(text) | _HEADER_IN_MEMORY_FILE), payload], [memory_descriptor, *descriptors]
        )
    finally:
        os.close(memory_descriptor)


def _send(connection: socket.socket, parts: Sequence[bytes], descriptors: Sequence[int]) -> None:
    try:
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))] if descriptors else []
        connection.sendmsg(parts, ancillary)
    except OSError as error:
        raise ConnectionClosed(f"frame not sent: {error}") from error


def receive(connection: socket.socket, allow_large_header: bool = False) -> tuple[dict[str, Any], bytes, list[int]]:
    """Wait for one frame; its header, its payload, and the descriptors that came with it, which the caller must
    close. `large` accepts a header in a memfd.
    """
    try:
        datagram, ancillary, flags, _ = connection.recvmsg(
            MAX_FRAME_BYTES + _LENGTH.size, _RIGHTS_SPACE, socket.MSG_CMSG_CLOEXEC
        )
    except OSError as error:
        raise ConnectionClosed(f"frame not received: {error}") from error
    descriptors = extract_descriptors(ancillary)
    if not datagram:
        close_descriptors(descriptors)
        raise ConnectionClosed("connection closed")
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise FrameError("frame truncated")
        length, end = _LENGTH.unpack_from(datagram)[0], _LENGTH.size
        if allow_large_header and length & _HEADER_IN_MEMORY_FILE and descriptors:
            text = read_memory_file(descriptors.pop(0), min(length ^ _HEADER_IN_MEMORY_FILE, MAX_HEADER_BYTES))
        else:
            text, end = datagram[end : end + length], end + length
        header = json.loads(text)
        if not isinstance(header, dict):
            raise FrameError("frame header is not an object")
    except (OSError, ValueError, RecursionError, struct.error, FrameError) as error:
        close_descriptors(descriptors)
        raise FrameError(f"not a frame: {error}") from error
    return header, datagram[end:], descriptors


def create_memory_file(name: str, content: bytes) -> int:
    """A new memfd that holds `content`."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    write_all(descriptor, content)
    return descriptor


def write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def read_memory_file(descriptor: int, size: int) -> bytes:
    """The first `size` bytes of a memfd, which is closed."""
    try:
        content = bytearray()
        while len(content) < size and (chunk := os.pread(descriptor, size - len(content), len(content))):
            content += chunk
        return bytes(content)
    finally:
        os.close(descriptor)


def extract_descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """The file descriptors in the ancillary data of one recvmsg call."""
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % _DESCRIPTOR_BYTES])
    return list(descriptors)


def close_descriptors(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def pack_inline(parts: Mapping[str, bytes]) -> tuple[bytes, PartIndex] | None:
    """Parts as a payload and the (name, size in bytes) list that splits it; None when they are too large for a
    frame.
    """
    if sum(map(len, parts.values())) > MAX_INLINE_BYTES:
        return None
    return b"".join(parts.values()), [(name, len(content)) for name, content in parts.items()]


def pack_memory_file(name: str, parts: Mapping[str, bytes]) -> tuple[int, PartIndex]:
    """Write parts into a new memfd; its descriptor and the (part name, size in bytes) list that unpacks it."""
    descriptor = create_memory_file(name, b"")
    index = []
    for part, content in parts.items():
        write_all(descriptor, content)
        index.append((part, len(content)))
    return descriptor, index


def split_payload(payload: bytes, index: PartIndex) -> dict[str, bytes]:
    """The parts of a payload."""
    parts: dict[str, bytes] = {}
    offset = 0
    for name, size in index:
        parts[name] = payload[offset : offset + size]
        offset += size
    return parts


class Span(NamedTuple):
    """A part that lies in a memfd still, so that it takes no memory of whoever passes it on."""

    descriptor: int
    offset: int
    size: int


def locate_parts(descriptor: int, index: PartIndex, max_bytes: int) -> dict[str, Span]:
    """The parts of a memfd packed by the other side, which is not trusted to tell the truth about sizes."""
    total = sum(size for _, size in index)
    if total > max_bytes or any(size < 0 for _, size in index):
        raise FrameError(f"{total} bytes of files are over {max_bytes}")
    found: dict[str, Span] = {}
    offset = 0
    for part, size in index:
        found[part] = Span(descriptor, offset, size)
        offset += size
    return found


def unpack_memory_file(descriptor: int, index: PartIndex, max_bytes: int) -> dict[str, bytes]:
    """Read the parts of a memfd; see `spans`."""
    parts: dict[str, bytes] = {}
    for part, (_, offset, size) in locate_parts(descriptor, index, max_bytes).items():
        content = bytearray()
        while len(content) < size:
            chunk = os.pread(descriptor, min(size - len(content), 1 << 20), offset + len(content))
            if not chunk:
                raise FrameError(f"file {part!r} ends {size - len(content)} bytes early")
            content += chunk
        parts[part] = bytes(content)
    return parts
