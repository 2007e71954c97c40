"""Input stored in a file reaches a program unchanged, and nothing else of the file does."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from threading import Thread

import pytest

from sandbox.box.streams import StreamPlan, Streams
from sandbox.errors import BoxError
from sandbox.runner.contract import FileSpan

CONTENT = os.urandom(3 << 20)
OFFSET, SIZE = 4096, 2_500_001


@pytest.fixture
def span(tmp_path: Path) -> Iterator[FileSpan]:
    (tmp_path / "texts").write_bytes(CONTENT)
    with (tmp_path / "texts").open("rb") as file:
        yield FileSpan(file.fileno(), OFFSET, SIZE)


def read_through_stdin(span: FileSpan) -> bytes:
    """Return what a reader of stdin receives, in small pieces, while the streams are served."""
    worker_end, supervisor_end = socket.socketpair()
    read = bytearray()
    with worker_end, supervisor_end, Streams(StreamPlan(span), 1 << 10) as streams:
        stdin = os.dup(streams.program_ends[0])
        streams.close_program_ends()

        def read_stdin() -> None:
            while chunk := os.read(stdin, 50_000):
                read.extend(chunk)
            os.close(stdin)
            with suppress(OSError):  # nobody is waiting any more
                supervisor_end.send(b"ended")

        running = Thread(target=read_stdin)
        running.start()
        assert streams.wait_for(worker_end, time.monotonic() + 20)
        running.join()
    return bytes(read)


def test_a_span_of_a_file_is_read_whole_and_nothing_else(span: FileSpan) -> None:
    assert read_through_stdin(span) == CONTENT[OFFSET : OFFSET + SIZE]
    assert not span.tainted


@pytest.mark.parametrize("after", [0, 2])
def test_a_file_system_without_splice_is_read_and_written(
    span: FileSpan, after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    splice = os.splice
    calls = iter(range(1_000))

    def refuse_splice(*args: int, **options: int) -> int:
        if next(calls) >= after:
            raise OSError(errno.EINVAL, "no splice here")
        return splice(*args, **options)

    monkeypatch.setattr(os, "splice", refuse_splice)
    assert read_through_stdin(span) == CONTENT[OFFSET : OFFSET + SIZE]


def test_a_truncated_file_is_an_error_and_not_a_shorter_input(span: FileSpan, tmp_path: Path) -> None:
    os.truncate(tmp_path / "texts", OFFSET + 100_000)
    with pytest.raises(BoxError, match="cut short"):
        read_through_stdin(span)


def test_a_box_that_fails_marks_the_file_as_tainted(span: FileSpan) -> None:
    with pytest.raises(BoxError, match="gone"), Streams(StreamPlan(span), 1 << 10):
        raise BoxError("gone")
    assert span.tainted


def test_output_beyond_what_a_pipe_holds_is_read_while_the_program_runs() -> None:
    output = os.urandom(300_000)
    worker_end, supervisor_end = socket.socketpair()
    with worker_end, supervisor_end, Streams(StreamPlan(b"3 4\n"), 1 << 20) as streams:
        stdout = os.dup(streams.program_ends[1])
        streams.close_program_ends()

        def print_output() -> None:
            left = memoryview(output)
            while left:
                left = left[os.write(stdout, left) :]
            os.close(stdout)
            supervisor_end.send(b"ended")

        running = Thread(target=print_output)
        running.start()
        assert streams.wait_for(worker_end, time.monotonic() + 20)
        running.join()
        streams.drain()
        assert streams.complete_outputs()[0].content == output


def test_output_over_the_limit_is_reported_even_if_the_program_ends_at_once() -> None:
    worker_end, supervisor_end = socket.socketpair()
    with worker_end, supervisor_end, Streams(StreamPlan(), 10) as streams:
        os.write(streams.program_ends[1], b"x" * 11)
        streams.close_program_ends()
        supervisor_end.send(b"ended")
        assert streams.wait_for(worker_end, time.monotonic() + 20)
        streams.drain()
        assert streams.over_limit
