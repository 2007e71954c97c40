"""Packed tests are read without unpickling anything, and within memory limits."""

from __future__ import annotations

import base64
import json
import pickle
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

import pytest

from sandbox.rewards import packed_tests
from sandbox.rewards.packed_tests import NotPacked, unpack_tests

CASES = [
    {"input": "1\n", "output": "2\n"},
    {"input": "3\n", "output": "4\n", "more": [None, True, False, -1, 2.5, 1 << 70]},
]


def _pack(data: bytes) -> str:
    return base64.b64encode(zlib.compress(data)).decode()


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_json_text_and_plain_values_are_read(protocol: int) -> None:
    assert unpack_tests(_pack(pickle.dumps(json.dumps(CASES), protocol))) == CASES
    assert unpack_tests(_pack(pickle.dumps(CASES, protocol))) == CASES
    assert unpack_tests(_pack(pickle.dumps([("a", ()), ("b", (1, 2, 3, 4)), ("c", {})], protocol))) == [
        ["a", []],
        ["b", [1, 2, 3, 4]],
        ["c", {}],
    ]


def test_json_without_a_pickle_and_base64_in_lines_are_read() -> None:
    text = _pack(json.dumps(CASES).encode())
    assert unpack_tests("\n".join(text[i : i + 20] for i in range(0, len(text), 20))) == CASES


SHARED = ["x"]


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (Path("/"), "STACK_GLOBAL"),
        (print, "STACK_GLOBAL"),
        (OrderedDict(a=1), "STACK_GLOBAL"),
        ({1, 2}, "EMPTY_SET"),
        (b"bytes", "BINBYTES"),
        ([SHARED, SHARED], "more than once"),
        ("[1", "not JSON"),
    ],
)
def test_anything_but_plain_values_is_refused(value: Any, why: str) -> None:
    with pytest.raises(NotPacked, match=why):
        unpack_tests(_pack(pickle.dumps(value)))


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80", b"\x80\x04", b"\x80\x04.", b"\x80\x04s.", b"\x80\x04e.", b"\x80\x04((u.", b"\x80\x04N", b"\xff"],
)
def test_broken_pickles_are_refused(data: bytes) -> None:
    with pytest.raises(NotPacked):
        unpack_tests(_pack(data))


@pytest.mark.parametrize("text", ["", "garbage", "QUJD", base64.b64encode(zlib.compress(b"[1]")[:-4]).decode()])
def test_what_is_not_packed_is_refused(text: str) -> None:
    with pytest.raises(NotPacked):
        unpack_tests(text)


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotPacked, match="larger than 1048576 bytes"):
        unpack_tests(_pack(b'["' + b"0" * (2 << 20) + b'"]'), limit=1 << 20)
    repeated = b"\x80\x04(\x8c\xff" + b"a" * 255 + b"\x94" + b"h\x00" * 50_000 + b"t."
    with pytest.raises(NotPacked, match="too long"):
        unpack_tests(_pack(repeated), limit=1 << 20)
    monkeypatch.setattr(packed_tests, "MAX_STRUCTURE_CHARS", 1_000)
    monkeypatch.setattr(packed_tests, "MAX_INSTRUCTIONS", 1_000)
    for many in (b"[" + b"[]," * 500 + b"[]]", b"\x80\x04(" + b"]" * 2_000 + b"t.", b"[" * 100_000):
        with pytest.raises(NotPacked):
            unpack_tests(_pack(many))
    assert len(unpack_tests(_pack(json.dumps(["[" * 5_000, '\\"' * 50]).encode()))[0]) == 5_000
