"""Streamed responses, parsed from chunks that break anywhere."""

from __future__ import annotations

import pytest

from sandbox.client.streams import BatchStream, BlockSplitter
from sandbox.errors import Cancelled, InfrastructureError
from sandbox.schema import ExecuteResult


def _encode_line(index: int, stdout: str) -> bytes:
    result = ExecuteResult.model_validate({"id": "a", "status": "ok", "stdout": stdout})
    return b'{"index":%d,"result":%s}\n' % (index, result.model_dump_json().encode())


@pytest.mark.parametrize("size", [1, 2, 3, 7, 10_000])
@pytest.mark.parametrize("separator", [b"\n", b"\n\n"])
def test_blocks_are_the_same_however_the_bytes_are_cut(separator: bytes, size: int) -> None:
    data = separator.join([b"one", b"", b"two\rthree", "\u2028".encode(), b"unfinished"])
    splitter = BlockSplitter(separator)
    blocks = [block for at in range(0, len(data), size) for block in splitter.split(data[at : at + size])]
    assert blocks == data.split(separator)[:-1]


@pytest.mark.parametrize("size", [1, 5, 10_000])
def test_output_may_contain_characters_that_other_readers_take_for_line_ends(size: int) -> None:
    stdout = "a\u2028b\u2029c\x85d\x0be\x0cf\r\ng"
    stream = BatchStream("execute", {7: b"{}", 9: b"{}"}, ExecuteResult)
    stream.start_request()
    data = _encode_line(1, stdout) + _encode_line(0, "")
    pairs = [pair for at in range(0, len(data), size) for pair in stream.parse_chunk(data[at : at + size])]
    assert [(index, result.stdout) for index, result in pairs] == [(9, stdout), (7, "")]
    assert stream.ended


def test_a_line_that_the_last_connection_cut_off_is_dropped() -> None:
    stream = BatchStream("execute", {0: b"{}", 1: b"{}"}, ExecuteResult)
    stream.start_request()
    assert len(list(stream.parse_chunk(_encode_line(0, "") + _encode_line(1, "")[:20]))) == 1
    assert stream.start_request()[1] == b'{"items":[{}]}'
    assert [index for index, _ in stream.parse_chunk(_encode_line(0, ""))] == [1]


def test_results_before_a_failed_item_of_the_same_chunk_arrive() -> None:
    stream = BatchStream("execute", {0: b"{}", 1: b"{}"}, ExecuteResult)
    stream.start_request()
    problem = b'{"index":1,"problem":{"type":"urn:sandbox:cancelled","title":"Cancelled","status":409}}\n'
    pairs = stream.parse_chunk(_encode_line(0, "") + problem)
    assert next(pairs)[0] == 0
    with pytest.raises(Cancelled):
        next(pairs)
    with pytest.raises(InfrastructureError, match="/execute/batch: cannot parse"):
        list(stream.parse_chunk(b"<html>\n"))
