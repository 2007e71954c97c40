"""Parse the columns of data sets that hold tests as text: JSON, a Python literal, or packed text."""

from __future__ import annotations

import ast
import binascii
import json
import pickletools
import zlib
from base64 import b64decode
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sandbox.errors import BadRequest

_MAX_LITERAL_CHARS = 1 << 20
_MAX_PACK_BYTES = 256 << 20
_UNPACK_BUDGET: ContextVar[list[int] | None] = ContextVar("bytes left to unpack", default=None)
_TEXT_OPCODES = frozenset({"BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE"})
_OTHER_OPCODES = frozenset({"PROTO", "FRAME", "MEMOIZE", "BINPUT", "LONG_BINPUT", "STOP"})
_MAX_NESTING = 4


def to_plain(value: Any) -> Any:
    """Return `value` with text parsed and NumPy, Arrow and Torch arrays turned into lists."""
    for _ in range(_MAX_NESTING):
        if not isinstance(value, str | bytes):
            break
        value = _parse_text(value)
    return value.tolist() if hasattr(value, "tolist") else value


def _parse_text(text: str | bytes) -> Any:
    """Parse JSON, packed tests or a Python literal. Raises BadRequest."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        problem = f"tests are text that is not JSON: {error}"
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    text = text.strip()
    if text.startswith("eJ") or text.startswith("eN"):  # base64 of zlib data starts like this
        return _unpack(text)
    if text[:1] in {"[", "{", "("} and len(text) <= _MAX_LITERAL_CHARS:
        try:
            return _to_json_value(ast.literal_eval(text))
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            pass
    raise BadRequest(problem, "tests") from None


@contextmanager
def limit_unpacking(max_bytes: int) -> Iterator[None]:
    """Limit the total size to which packed tests may unpack in this context. Use it for untrusted input."""
    token = _UNPACK_BUDGET.set([max_bytes])
    try:
        yield
    finally:
        _UNPACK_BUDGET.reset(token)


def _unpack(text: str) -> Any:
    """Unpack base64 of zlib of JSON, or of a pickled string. Raises BadRequest."""
    left = _UNPACK_BUDGET.get()
    limit = min(_MAX_PACK_BYTES, left[0] if left is not None else _MAX_PACK_BYTES)
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(b64decode(text, validate=True), max(1, limit))
        if not unpacker.eof:
            raise BadRequest(f"packed tests are truncated, or larger than {limit >> 20} MiB", "tests")
        if left is not None:
            left[0] -= len(data)
        return _read_pickled_text(data) if data[:1] == b"\x80" else json.loads(data)
    except (binascii.Error, zlib.error, ValueError, RecursionError) as error:
        raise BadRequest(f"cannot unpack the tests: {error}", "tests") from None


def _read_pickled_text(data: bytes) -> str:
    """Return the string that a pickle holds. Raises ValueError for any other pickle; nothing is ever unpickled."""
    text = None
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name in _TEXT_OPCODES and text is None:
            text = argument
        elif opcode.name not in _OTHER_OPCODES:
            raise ValueError(f"the pickle must hold a single string, but it contains {opcode.name}")
    return str(text or "")


def _to_json_value(value: Any) -> Any:
    """Convert a Python value to its JSON form: tuples to lists, keys to text. Raises TypeError and ValueError."""
    return value if isinstance(value, str | bytes) else json.loads(json.dumps(value))
