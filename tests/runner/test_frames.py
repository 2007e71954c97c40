"""Frames between a worker and a supervisor, and the handling of invalid ones."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.runner import frames

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    yield ours, theirs
    ours.close()
    theirs.close()


def _count_open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_frame_arrives_as_it_was_sent(pair: Pair) -> None:
    payload = bytes(range(256))
    frames.send(pair[0], {"do": "run", "name": "ü"}, payload=payload)
    assert frames.receive(pair[1]) == ({"do": "run", "name": "ü"}, payload, [])


def test_frames_keep_their_boundaries(pair: Pair) -> None:
    for number in range(5):
        frames.send(pair[0], {"number": number}, payload=b"x" * number)
    assert [frames.receive(pair[1])[0]["number"] for _ in range(5)] == list(range(5))


def test_descriptors_travel_with_a_frame_and_are_not_inherited(pair: Pair) -> None:
    reader, writer = os.pipe()
    frames.send(pair[0], {}, [reader])
    _, _, (received,) = frames.receive(pair[1])
    assert received != reader
    assert not os.get_inheritable(received)
    os.write(writer, b"through")
    assert os.read(received, 99) == b"through"
    frames.close_descriptors([reader, writer, received])


def test_a_frame_that_is_too_large_is_not_sent(pair: Pair) -> None:
    with pytest.raises(frames.FrameError, match="maximum"):
        frames.send(pair[0], {}, payload=b"x" * (frames.MAX_FRAME_BYTES + 1))


def test_a_header_larger_than_a_datagram_arrives(pair: Pair) -> None:
    header = {"args": ["\N{GRINNING FACE}" * 16_384, "x" * (4 << 20)]}
    reader, writer = os.pipe()
    frames.send(pair[0], header, [reader, writer], payload=b"y" * frames.MAX_INLINE_BYTES)
    received, payload, descriptors = frames.receive(pair[1], allow_large_header=True)
    assert (received, payload) == (header, b"y" * frames.MAX_INLINE_BYTES)
    os.write(descriptors[1], b"through")
    assert os.read(descriptors[0], 99) == b"through"
    frames.close_descriptors([reader, writer, *descriptors])


def test_a_worker_refuses_a_large_header_from_a_box(pair: Pair) -> None:
    before = _count_open_descriptors()
    frames.send(pair[0], {"x": "x" * frames.MAX_FRAME_BYTES})
    with pytest.raises(frames.FrameError):
        frames.receive(pair[1])
    assert _count_open_descriptors() == before


@pytest.mark.parametrize("length", [10, 1 << 31 | 10, 1 << 31 | 2, 0xFFFF_FFFF])
def test_a_wrong_size_of_a_large_header_is_detected(pair: Pair, length: int) -> None:
    before = _count_open_descriptors()
    descriptor = frames.create_memory_file("header", b"{]")
    socket.send_fds(pair[0], [struct.pack("=I", length)], [descriptor])
    os.close(descriptor)
    with pytest.raises(frames.FrameError):
        frames.receive(pair[1], allow_large_header=True)
    assert _count_open_descriptors() == before


def test_a_header_over_the_limit_is_not_sent_and_the_connection_stays_usable(pair: Pair) -> None:
    with pytest.raises(frames.FrameTooLarge):
        frames.send(pair[0], {"x": "x" * frames.MAX_HEADER_BYTES})
    frames.send(pair[0], {"fine": 1})
    assert frames.receive(pair[1])[0] == {"fine": 1}


@pytest.mark.parametrize(
    "datagram",
    [
        b"\0",
        b"\0\0\0",
        struct.pack("=I", 5) + b"{]}{}",
        struct.pack("=I", 2) + b"[]",
        struct.pack("=I", 4) + b"null",
        struct.pack("=I", 4_000_000_000) + b"not json",
        struct.pack("=I", 60_000) + b"[" * 60_000,
        struct.pack("=I", 4) + b"\xff\xfe\0\0",
    ],
)
def test_an_invalid_frame_is_an_error_and_leaks_no_descriptor(pair: Pair, datagram: bytes) -> None:
    before = _count_open_descriptors()
    reader, writer = os.pipe()
    socket.send_fds(pair[0], [datagram], [reader, writer])
    frames.close_descriptors([reader, writer])
    with pytest.raises(frames.FrameError):
        frames.receive(pair[1])
    assert _count_open_descriptors() == before


def test_a_datagram_larger_than_any_frame_is_an_error(pair: Pair) -> None:
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    pair[0].send(struct.pack("=I", 2) + b"{}" + b"x" * (frames.MAX_FRAME_BYTES + 10))
    with pytest.raises(frames.FrameError, match="truncated"):
        frames.receive(pair[1])


def test_more_descriptors_than_allowed_are_an_error_and_none_stays_open(pair: Pair) -> None:
    before = _count_open_descriptors()
    many = [os.open("/dev/null", os.O_RDONLY) for _ in range(frames.MAX_DESCRIPTORS + 10)]
    socket.send_fds(pair[0], [struct.pack("=I", 2) + b"{}"], many)
    frames.close_descriptors(many)
    with pytest.raises(frames.FrameError, match="truncated"):
        frames.receive(pair[1])
    assert _count_open_descriptors() == before


def test_a_closed_connection_is_not_confused_with_an_invalid_frame(pair: Pair) -> None:
    pair[0].close()
    with pytest.raises(frames.ConnectionClosed):
        frames.receive(pair[1])
    with pytest.raises(frames.ConnectionClosed):
        frames.send(pair[1], {})


def test_small_parts_travel_in_the_frame_and_large_ones_in_a_memfd() -> None:
    small = {"main.py": b"print(1)", "empty": b"", "bytes": bytes(range(256))}
    inline = frames.pack_inline(small)
    assert inline is not None
    assert frames.split_payload(*inline) == small
    large = {"big": os.urandom(1 << 20), "empty": b"", "little": b"x"}
    assert frames.pack_inline(large) is None
    descriptor, index = frames.pack_memory_file("large", large)
    assert frames.unpack_memory_file(descriptor, index, 2 << 20) == large
    os.close(descriptor)


@pytest.mark.parametrize("index", [[("a", 1 << 40)], [("a", -1)], [("a", 5), ("b", -5)], [("a", 11)]])
def test_wrong_sizes_are_detected(index: list[tuple[str, int]]) -> None:
    descriptor, _ = frames.pack_memory_file("short", {"a": b"0123456789"})
    with pytest.raises(frames.FrameError):
        frames.unpack_memory_file(descriptor, index, 1 << 20)
    os.close(descriptor)
