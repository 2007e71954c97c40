"""Tests packed as data sets publish them: base64 of zlib of a pickle, or of JSON text.

LiveCodeBench packs the JSON text of its private tests, open-instruct and SandboxFusion the tests themselves. The pickle
is never unpickled: its instructions are read one by one, and any that makes something else than JSON can hold is an
error.
"""

from __future__ import annotations

import json
import pickletools
import re
import zlib
from base64 import b64decode
from typing import Any

MAX_UNPACKED_BYTES = 256 << 20
# Tests are few long strings. Memory for many small values is many times what they take in JSON or in a pickle, and zlib
# packs a thousand bytes of those into one.
MAX_STRUCTURE_CHARS = 4 << 20
MAX_INSTRUCTIONS = 1_000_000

_PICKLE = b"\x80"
_JSON_STRING = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_STRINGS = frozenset({"SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8"})
_NUMBERS = frozenset({"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT"})
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_PUTS = frozenset({"BINPUT", "LONG_BINPUT"})
_GETS = frozenset({"BINGET", "LONG_BINGET"})
_IGNORED = frozenset({"PROTO", "FRAME", "STOP"})
_MARK = object()


class NotPacked(ValueError):
    """The text is not tests in a packed form."""


def unpack_tests(text: str, limit: int = MAX_UNPACKED_BYTES) -> Any:
    """Return what is packed in a text: what JSON can hold, with JSON text parsed. Raises NotPacked."""
    try:
        compressed = b64decode("".join(text.split()), validate=True)
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(compressed, limit)
    except (ValueError, zlib.error) as error:
        raise NotPacked(f"neither JSON nor base64 of zlib ({error})") from None
    if unpacker.unconsumed_tail:
        raise NotPacked(f"over {limit} bytes once unpacked")
    if not unpacker.eof:
        raise NotPacked("the zlib data is cut short")
    try:
        value = _PickleReader(limit).read(data) if data.startswith(_PICKLE) else data.decode()
        return _parse_json(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise NotPacked(f"what is packed is not JSON: {error}") from None


def _parse_json(text: str) -> Any:
    if len(_JSON_STRING.sub("", text)) > MAX_STRUCTURE_CHARS:
        raise ValueError("too many values")
    return json.loads(text)


class _PickleReader:
    """Reads a pickle that holds strings, numbers, lists, tuples and dicts. `limit` bounds its strings together.

    A string may stand in several places, a list or a dict may not: a few bytes that repeat those make a value of any
    size.
    """

    def __init__(self, limit: int) -> None:
        self._chars_left = limit
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}

    def read(self, data: bytes) -> Any:
        """Return the value. Raises ValueError."""
        try:
            for number, (instruction, argument, _) in enumerate(pickletools.genops(data)):
                if number > MAX_INSTRUCTIONS:
                    raise ValueError("too many values")
                self._execute(instruction.name, argument)
            (value,) = self._stack
        except (IndexError, KeyError, TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"not a pickle of plain values ({error})") from None
        return value

    def _execute(self, name: str, argument: Any) -> None:
        stack = self._stack
        if name in _STRINGS:
            self._push_text(argument)
        elif name in _NUMBERS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name == "MARK":
            stack.append(_MARK)
        elif name == "EMPTY_LIST":
            stack.append([])
        elif name == "EMPTY_DICT":
            stack.append({})
        elif name in _TUPLES:
            stack.append([stack.pop() for _ in range(_TUPLES[name])][::-1])
        elif name == "TUPLE":
            items = self._pop_to_mark()
            stack.append(items)
        elif name == "APPEND":
            item = stack.pop()
            stack[-1].append(item)
        elif name == "APPENDS":
            items = self._pop_to_mark()
            stack[-1].extend(items)
        elif name in {"SETITEM", "SETITEMS"}:
            items = self._pop_to_mark() if name == "SETITEMS" else [stack.pop(), stack.pop()][::-1]
            stack[-1].update(zip(items[::2], items[1::2], strict=True))
        elif name == "MEMOIZE" or name in _PUTS:
            self._memo[len(self._memo) if name == "MEMOIZE" else argument] = stack[-1]
        elif name in _GETS:
            self._push_text(self._memo[argument])
        elif name not in _IGNORED:
            raise ValueError(f"{name} is not allowed")

    def _push_text(self, text: Any) -> None:
        if not isinstance(text, str):
            raise ValueError("a list or a dict that stands in several places")
        self._chars_left -= len(text)
        if self._chars_left < 0:
            raise ValueError("too long")
        self._stack.append(text)

    def _pop_to_mark(self) -> list[Any]:
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:
            place -= 1
        items = self._stack[place + 1 :]
        del self._stack[place:]
        return items
