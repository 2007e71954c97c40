"""The large texts of a request: stdin and expected outputs, which may be stored in a file instead of the request."""

from __future__ import annotations

import ctypes
from collections.abc import Mapping
from typing import TypeGuard, TypeVar, cast

from pydantic import PrivateAttr

from sandbox.runner.contract import FileSpan
from sandbox.schema import ExecuteRequest, TestCase, VerifyRequest
from sandbox.schema.programs import ProgramInput

MIN_PAYLOAD_CHARS = 1 << 16  # smaller texts stay in the item
_as_utf8 = ctypes.pythonapi.PyUnicode_AsUTF8AndSize
_as_utf8.argtypes, _as_utf8.restype = [ctypes.py_object, ctypes.c_void_p], ctypes.c_void_p
RequestT = TypeVar("RequestT", bound=ExecuteRequest | VerifyRequest)


def has_payload(request: object) -> TypeGuard[ExecuteRequest | VerifyRequest]:
    """Return whether this kind of request may have large texts."""
    return isinstance(request, ExecuteRequest | VerifyRequest)


def encode_utf8(text: str) -> memoryview:
    """Return the text in UTF-8. For ASCII, the result is a view of the string's own memory; keep the string alive."""
    if not text.isascii():
        return memoryview(text.encode())
    size = ctypes.c_ssize_t()
    address = _as_utf8(text, ctypes.byref(size))
    return memoryview((ctypes.c_char * size.value).from_address(address)).cast("B")


def find_large_texts(request: ExecuteRequest | VerifyRequest) -> dict[str, str]:
    """Return the large texts of a request, keyed by their position: `stdin`, or `3.expected` for a test."""
    if isinstance(request, ExecuteRequest):
        return {"stdin": request.stdin} if len(request.stdin) >= MIN_PAYLOAD_CHARS else {}
    texts = {}
    for position, test in enumerate(request.tests):
        if isinstance(test, TestCase):
            if len(test.stdin) >= MIN_PAYLOAD_CHARS:
                texts[f"{position}.stdin"] = test.stdin
            if len(test.expected) >= MIN_PAYLOAD_CHARS:
                texts[f"{position}.expected"] = test.expected
    return texts


def remove_texts(request: RequestT, texts: Mapping[str, str]) -> RequestT:
    if isinstance(request, ExecuteRequest):
        return request.model_copy(update={"stdin": ""})
    tests = list(request.tests)
    for place in texts:
        position, _, field = place.partition(".")
        tests[int(position)] = tests[int(position)].model_copy(update={field: ""})
    return request.model_copy(update={"tests": tests})


class _FileBacked(ProgramInput):
    """A mixin for a request or a test whose stdin is in a file."""

    _span: FileSpan = PrivateAttr()

    @property
    def stdin_bytes(self) -> bytes:
        return self._span.read()

    @property
    def stdin_source(self) -> FileSpan:
        return self._span


class _FileBackedExecute(_FileBacked, ExecuteRequest):
    pass


class _FileBackedCase(_FileBacked, TestCase):
    pass


FileBackedT = TypeVar("FileBackedT", _FileBackedExecute, _FileBackedCase)


def insert_texts(request: RequestT, found: Mapping[str, FileSpan]) -> RequestT:
    """Return the request with its texts: stdin as a reference into the file, expected outputs as bytes."""
    if isinstance(request, ExecuteRequest):
        return cast("RequestT", _build_file_backed(_FileBackedExecute, request, found["stdin"]))
    tests = list(request.tests)
    for place, span in found.items():
        position, _, field = place.partition(".")
        test = tests[int(position)]
        assert isinstance(test, TestCase)
        if field == "stdin":
            tests[int(position)] = _build_file_backed(_FileBackedCase, test, span)
        else:
            tests[int(position)] = test.model_copy(update={"expected_base64": span.read()})
    return request.model_copy(update={"tests": tests})


def _build_file_backed(kind: type[FileBackedT], request: ProgramInput, span: FileSpan) -> FileBackedT:
    file_backed = kind.model_construct(request.model_fields_set, **request.__dict__)
    file_backed._span = span
    return file_backed
