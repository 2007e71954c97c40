"""Unpack tests as data sets publish them: base64 of zlib of a pickle, or of JSON text.

LiveCodeBench packs the JSON text of its private tests; open-instruct and SandboxFusion pack the tests themselves.
Nothing is ever unpickled: a reader interprets the pickle's opcodes one by one and rejects any that could build a value
outside JSON.
"""

from __future__ import annotations

import json
import pickletools
import re
import zlib
from base64 import b64decode
from typing import Any

MAX_UNPACKED_BYTES = 256 << 20
# Tests are a few long strings. Many small values need far more memory than their JSON or pickle does, and zlib
# compresses a thousand bytes of them into one.
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
    """The text does not hold packed tests."""


def unpack_tests(text: str, limit: int = MAX_UNPACKED_BYTES) -> Any:
    """Return the packed value. JSON text inside is parsed as well. Raises NotPacked."""
    try:
        compressed = b64decode("".join(text.split()), validate=True)
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(compressed, limit)
    except (ValueError, zlib.error) as error:
        raise NotPacked(f"the text is neither JSON nor base64 of zlib data ({error})") from None
    if unpacker.unconsumed_tail:
        raise NotPacked(f"the tests are larger than {limit} bytes once unpacked")
    if not unpacker.eof:
        raise NotPacked("the zlib data is truncated")
    try:
        value = _PickleReader(limit).read(data) if data.startswith(_PICKLE) else data.decode()
        return _parse_json(value) if isinstance(value, str) else value
    except (ValueError, RecursionError) as error:
        raise NotPacked(f"the packed value is not JSON: {error}") from None


def _parse_json(text: str) -> Any:
    if len(_JSON_STRING.sub("", text)) > MAX_STRUCTURE_CHARS:
        raise ValueError("too many values")
    return json.loads(text)


class _PickleReader:
    """Reads a pickle that holds strings, numbers, lists, tuples and dicts. `limit` bounds the total size of its
    strings.

    A string may be referenced several times; a list or dict may not, because a few bytes of repeated references could
    build a value of any size.
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
            raise ValueError("a list or dict is referenced more than once")
        self._chars_left -= len(text)
        if self._chars_left < 0:
            raise ValueError("the strings are too long")
        self._stack.append(text)

    def _pop_to_mark(self) -> list[Any]:
        place = len(self._stack) - 1
        while self._stack[place] is not _MARK:
            place -= 1
        items = self._stack[place + 1 :]
        del self._stack[place:]
        return items
