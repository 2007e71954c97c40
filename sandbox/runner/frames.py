"""The wire protocol between a worker and the supervisor in a box.

Each frame is one datagram with a JSON header, raw bytes, and open descriptors. The connection is a Unix SOCK_SEQPACKET
socket, so a frame arrives whole or not at all. It contains a four-byte length, the header and the payload. A header
that is too large for a datagram travels in a memfd, the frame's first descriptor. Only a supervisor accepts such a
frame, because a worker must not accept large untrusted data. Parts too large for a payload also travel in a memfd. A
frame carries a program's stdin, stdout and stderr as pipe ends, so the supervisor never copies their bytes. A round
trip takes 0.03 ms (measured).
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
MAX_INLINE_BYTES = 32_768  # parts up to this size travel in the frame itself: a memfd costs six system calls
MAX_DESCRIPTORS = 128  # a run's three streams and lent files, or the files fetched from it
_DESCRIPTOR_BYTES = array.array("i").itemsize
_RIGHTS_SPACE = socket.CMSG_SPACE(MAX_DESCRIPTORS * _DESCRIPTOR_BYTES)
_LENGTH = struct.Struct("=I")
_encode_json = json.JSONEncoder(separators=(",", ":")).encode  # `json.dumps` would build an encoder for each frame
_decode_json = json.JSONDecoder().raw_decode  # `json.loads` would guess the encoding and skip white space
_TRUNCATED = int(socket.MSG_TRUNC | socket.MSG_CTRUNC)  # operations on flags of an enum take microseconds
_HEADER_IN_MEMORY_FILE = 1 << 31  # flag in the length field: the header is in a memfd, not in the datagram


PartIndex = Sequence[tuple[str, int]]


class FrameError(Exception):
    """Raised if the other side closed the connection or sent an invalid frame."""


class ConnectionClosed(FrameError):
    """The other side closed the connection."""


class FrameTooLarge(FrameError):
    """Raised if a frame exceeds a size limit. Nothing was sent, and the connection is still usable."""


def encode_header(header: Mapping[str, Any]) -> bytes:
    return _encode_json(header).encode()


def send(
    connection: socket.socket, header: Mapping[str, Any] | bytes, descriptors: Sequence[int] = (), payload: bytes = b""
) -> None:
    """Send one frame. The descriptors stay open in this process; the receiver gets copies.

    A header that is sent repeatedly may be given as `encode_header` returned it.
    """
    text = header if isinstance(header, bytes) else encode_header(header)
    if len(text) > MAX_HEADER_BYTES:
        raise FrameTooLarge(f"the frame header has {len(text)} bytes, the maximum is {MAX_HEADER_BYTES}")
    if len(payload) > MAX_FRAME_BYTES:
        raise FrameTooLarge(f"the frame payload has {len(payload)} bytes, the maximum is {MAX_FRAME_BYTES}")
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
    """Wait for one frame and return its header, its payload and its descriptors, which the caller must close.

    With `allow_large_header`, the header may be in a memfd. Raises ConnectionClosed or FrameError.
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
        if flags & _TRUNCATED:
            raise FrameError("frame truncated")
        length, end = _LENGTH.unpack_from(datagram)[0], _LENGTH.size
        if allow_large_header and length & _HEADER_IN_MEMORY_FILE and descriptors:
            text = read_memory_file(descriptors.pop(0), min(length ^ _HEADER_IN_MEMORY_FILE, MAX_HEADER_BYTES))
        else:
            text, end = datagram[end : end + length], end + length
        json_text = text.decode()
        header, json_end = _decode_json(json_text)
        if not isinstance(header, dict) or json_end != len(json_text):
            raise FrameError("frame header is not an object")
    except (OSError, ValueError, RecursionError, struct.error, FrameError) as error:
        close_descriptors(descriptors)
        raise FrameError(f"invalid frame: {error}") from error
    return header, datagram[end:], descriptors


def create_memory_file(name: str, content: bytes) -> int:
    """Create a memfd that holds `content` and return its descriptor."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    write_all(descriptor, content)
    return descriptor


def write_all(descriptor: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(descriptor, view) :]


def read_memory_file(descriptor: int, size: int) -> bytes:
    """Read the first `size` bytes of a memfd and close it."""
    try:
        content = bytearray()
        while len(content) < size and (chunk := os.pread(descriptor, size - len(content), len(content))):
            content += chunk
        return bytes(content)
    finally:
        os.close(descriptor)


def extract_descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """Return the file descriptors in the ancillary data of one recvmsg call."""
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % _DESCRIPTOR_BYTES])
    return list(descriptors)


def close_descriptors(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def pack_inline(parts: Mapping[str, bytes]) -> tuple[bytes, PartIndex] | None:
    """Pack parts into a payload and a list of (name, size in bytes); return None if they are too large for a frame."""
    if sum(map(len, parts.values())) > MAX_INLINE_BYTES:
        return None
    return b"".join(parts.values()), [(name, len(content)) for name, content in parts.items()]


def pack_memory_file(name: str, parts: Mapping[str, bytes]) -> tuple[int, PartIndex]:
    """Write parts to a new memfd; return its descriptor and a list of (name, size in bytes)."""
    descriptor = create_memory_file(name, b"")
    index = []
    for part, content in parts.items():
        write_all(descriptor, content)
        index.append((part, len(content)))
    return descriptor, index


def split_payload(payload: bytes, index: PartIndex) -> dict[str, bytes]:
    """Split a payload into its parts, by name."""
    parts: dict[str, bytes] = {}
    offset = 0
    for name, size in index:
        parts[name] = payload[offset : offset + size]
        offset += size
    return parts


class Span(NamedTuple):
    """The location of a part in a memfd. The part can be passed on without reading it into memory."""

    descriptor: int
    offset: int
    size: int


def locate_parts(descriptor: int, index: PartIndex, max_bytes: int) -> dict[str, Span]:
    """Locate the parts of a memfd that the other side packed. Their sizes are not trusted."""
    total = sum(size for _, size in index)
    if total > max_bytes or any(size < 0 for _, size in index):
        raise FrameError(f"the files have {total} bytes, the maximum is {max_bytes}")
    found: dict[str, Span] = {}
    offset = 0
    for part, size in index:
        found[part] = Span(descriptor, offset, size)
        offset += size
    return found


def unpack_memory_file(descriptor: int, index: PartIndex, max_bytes: int) -> dict[str, bytes]:
    """Read the parts of a memfd into memory; see `locate_parts`."""
    parts: dict[str, bytes] = {}
    for part, (_, offset, size) in locate_parts(descriptor, index, max_bytes).items():
        content = bytearray()
        while len(content) < size:
            chunk = os.pread(descriptor, min(size - len(content), 1 << 20), offset + len(content))
            if not chunk:
                raise FrameError(f"file {part!r} is {size - len(content)} bytes shorter than announced")
            content += chunk
        parts[part] = bytes(content)
    return parts
