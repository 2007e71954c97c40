"""Large texts of items on their way between processes of one host: in a file, not through JSON and Redis.

A test's 8 MB of stdin and 8 MB of expected output cost 250 ms of CPU as JSON that is written, sent, stored, fetched and
parsed again, more than running the program. Where all workers share the API's home folder, such texts go into a file
there instead, and the item says where they lie in it. Only items whose client waits travel so: what is kept has to
outlive the machine, and is in Redis whole. A worker that does not find the file says so, and the item is sent again
with everything in it.

A program reads its stdin from the file's own pages, which its pipe holds. So a file is written to again only when no
program can have pages of it: the worker has it locked while it is lent, and removes it where a box ended badly; and the
texts lie on pages of their own. A worker that dies takes its boxes' programs with it, long before its item has a result
from another one.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import logging
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path
from typing import TypeGuard, TypeVar, cast

from pydantic import PrivateAttr
from redis import Redis

from sandbox.queue import leases, redis_keys
from sandbox.queue.job_batch import Item
from sandbox.request_context import generate_id
from sandbox.runner.contract import FileSpan
from sandbox.schema import ExecuteRequest, TestCase, VerifyRequest
from sandbox.schema.programs import ProgramInput

logger = logging.getLogger(__name__)

MIN_PAYLOAD_CHARS = 1 << 16  # a text of this size is worth a file
PAYLOAD_MISSING = b"{}"  # a worker's letter for an item whose file it does not find
CANCELLED_MESSAGE = b""  # the letter for an item that gets no result any more
WORKER_CHECK_INTERVAL_S = 1.0
FILE_TTL_S = {".item": 86_400.0, ".kept": 3_600.0}
MAX_REUSABLE_FILES = 16
MAX_REUSABLE_FILE_BYTES = 32 << 20
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_as_utf8 = ctypes.pythonapi.PyUnicode_AsUTF8AndSize
_as_utf8.argtypes, _as_utf8.restype = [ctypes.py_object, ctypes.c_void_p], ctypes.c_void_p
Span = tuple[int, int]  # offset and size in bytes
RequestT = TypeVar("RequestT", bound=ExecuteRequest | VerifyRequest)


class PayloadMissing(Exception):
    """This host has no such file."""


def has_payload(request: object) -> TypeGuard[ExecuteRequest | VerifyRequest]:
    """Tell whether a request is of a kind whose large texts may be in a file."""
    return isinstance(request, ExecuteRequest | VerifyRequest)


class ExternalizedItems:
    """The items of one process whose large texts are in the spool, until their results are there. Thread-safe."""

    def __init__(self, home: Path, redis: Redis, lease_s: float) -> None:
        self._redis = redis
        self._lease_s = lease_s
        self._originals: dict[str, Item] = {}
        self._all_workers_share = False
        self._checked_at = float("-inf")
        self._payload_files: PayloadFiles | None = None
        try:
            self._payload_files = PayloadFiles(home)
            self._payload_files.sweep()
        except OSError as error:
            logger.warning("large texts travel through Redis: %s", error)

    def externalize(self, item: Item) -> Item:
        """The item to send: without its large texts where every worker finds them in the spool. Raises RedisError."""
        request = item.work
        if self._payload_files is None or not has_payload(request) or not find_large_texts(request):
            return item
        if not self._is_shared():
            return item
        try:
            externalized = self._payload_files.externalize_item(item)
        except OSError as error:
            logger.warning("large texts travel through Redis: %s", error)
            return item
        self._originals[item.id] = item
        return externalized

    def take_original(self, item_id: str) -> Item | None:
        """The item as it was, to be sent again; it does not count as spooled any more."""
        self._drop_file(item_id)
        return self._originals.pop(item_id, None)

    def forget(self, item_ids: Iterable[str]) -> None:
        """These have their results, or nobody waits for them."""
        for item_id in item_ids:
            if self._originals.pop(item_id, None) is not None:
                self._drop_file(item_id)

    def close(self) -> None:
        if self._payload_files is not None:
            self._payload_files.close()

    def _drop_file(self, item_id: str) -> None:
        if self._payload_files is not None:
            self._payload_files.drop(item_id)

    def _is_shared(self) -> bool:
        """Whether every worker has the same spool as this process, as of a moment ago."""
        now = time.monotonic()
        if now - self._checked_at > WORKER_CHECK_INTERVAL_S and self._payload_files is not None:
            names = leases.list_alive(self._redis, self._lease_s)
            descriptions = self._redis.mget([redis_keys.worker(name) for name in names]) if names else []
            identities = {json.loads(text).get("spool") for text in descriptions if text}
            self._all_workers_share = identities == {self._payload_files.identity}
            self._checked_at = now
        return self._all_workers_share


class PayloadFiles:
    """The files below one folder; `identity` tells whether two processes have the same one. Thread-safe.

    A file that is dropped is kept for the next item, up to `KEPT_FILES` of at most 32 MiB: to write over pages that are
    there takes a third of the time that the kernel needs to find new ones.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "spool"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._reusable: deque[Path] = deque()
        self.identity = self._read_identity()

    def externalize_item(self, item: Item) -> Item:
        """The item without its large texts, which are in a file now. Raises OSError."""
        if not has_payload(item.work):
            return item
        request, spans = self.externalize(item.id, item.work)
        return item.model_copy(update={item.kind: request, "spooled": spans})

    def externalize(self, item_id: str, request: RequestT) -> tuple[RequestT, dict[str, Span]]:
        """The request without its large texts, which are in a file now, and where in that file each is.

        Raises OSError, and then there is no file.
        """
        texts = find_large_texts(request)
        if not texts:
            return request, {}
        spans: dict[str, Span] = {}
        try:
            with self._open_file(item_id) as file:
                for place, text in texts.items():
                    written = encode_utf8(text)
                    spans[place] = (file.seek(-(-file.tell() // PAGE_BYTES) * PAGE_BYTES), len(written))
                    while written:
                        written = written[file.write(written) or 0 :]
        except OSError:
            self._remove_own_files(item_id)
            raise
        return _remove_texts(request, texts), spans

    @contextmanager
    def restore_item(self, item: Item) -> Iterator[Item]:
        """The item with its large texts, as long as the context lasts. Raises NotHere."""
        if not item.spooled or not has_payload(item.work):
            yield item
            return
        with self.restore(item.id, item.work, item.spooled) as request:
            yield item.model_copy(update={item.kind: request})

    @contextmanager
    def restore(self, item_id: str, request: RequestT, spans: Mapping[str, Span]) -> Iterator[RequestT]:
        """The request as it was, as long as the context lasts. Raises NotHere."""
        path = self._build_path(item_id)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise PayloadMissing(f"{item_id}: {error}") from error
        try:
            found = _open_spans(descriptor, path, spans)
            try:
                yield _insert_texts(request, found)
            finally:
                if any(span.tainted for span in found.values()):
                    path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)

    def drop(self, item_id: str) -> None:
        path = self._build_path(item_id)
        with suppress(OSError):
            if len(self._reusable) < MAX_REUSABLE_FILES and path.stat().st_size <= MAX_REUSABLE_FILE_BYTES:
                reusable = path.with_name(f"{generate_id()}.kept")
                path.rename(reusable)
                self._reusable.append(reusable)
            else:
                path.unlink()

    def close(self) -> None:
        """Remove the files that are kept."""
        while self._reusable:
            with suppress(OSError):
                self._reusable.pop().unlink()

    def sweep(self) -> None:
        """Remove what processes left that were killed; a kept file that somebody misses is made anew."""
        for path in self._folder.iterdir():
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > FILE_TTL_S.get(path.suffix, float("inf")):
                    path.unlink()

    def _open_file(self, item_id: str) -> FileIO:
        """The item's file, to be written from its start: a kept one, or a new one. Raises OSError."""
        path = self._build_path(item_id)
        while self._reusable:
            with suppress(IndexError, OSError):  # none is kept any more, or another process has swept it away
                self._reusable.pop().rename(path)
                file = FileIO(path, "r+")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return file
                except OSError:  # a program has pages of it still
                    path.unlink()
                    file.close()
        return FileIO(path, "x")

    def _remove_own_files(self, item_id: str) -> None:
        """Give a disk that is full what it can have back."""
        with suppress(OSError):
            self._build_path(item_id).unlink()
        self.close()

    def _build_path(self, item_id: str) -> Path:
        return self._folder / f"{item_id}.item"

    def _read_identity(self) -> str:
        """The content of a file that whoever comes first writes."""
        candidate = self._folder / f"identity.{generate_id()}"
        candidate.write_text(candidate.name)
        with suppress(FileExistsError):
            os.link(candidate, self._folder / "identity")
        candidate.unlink()
        return (self._folder / "identity").read_text()


def encode_utf8(text: str) -> memoryview:
    """The text in UTF-8; where it is ASCII these are the bytes it has in memory, not copied, as long as it lives."""
    if not text.isascii():
        return memoryview(text.encode())
    size = ctypes.c_ssize_t()
    address = _as_utf8(text, ctypes.byref(size))
    return memoryview((ctypes.c_char * size.value).from_address(address)).cast("B")


def find_large_texts(request: ExecuteRequest | VerifyRequest) -> dict[str, str]:
    """By their place: `stdin`, or `3.expected` for that of a test."""
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


def _remove_texts(request: RequestT, texts: Mapping[str, str]) -> RequestT:
    if isinstance(request, ExecuteRequest):
        return request.model_copy(update={"stdin": ""})
    tests = list(request.tests)
    for place in texts:
        position, _, field = place.partition(".")
        tests[int(position)] = tests[int(position)].model_copy(update={field: ""})
    return request.model_copy(update={"tests": tests})


def _open_spans(descriptor: int, path: Path, spans: Mapping[str, Span]) -> dict[str, FileSpan]:
    """The texts in an open file that nobody writes to from now on. Raises NotHere."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        # A file that has its name still, and is locked, belongs to this item: it loses that name before it is reused.
        there = os.path.samestat(status, path.stat())
    except OSError as error:
        raise PayloadMissing(f"{path.name}: {error}") from error
    if not there or any(offset + size > status.st_size for offset, size in spans.values()):
        raise PayloadMissing(f"{path.name} is incomplete")
    return {place: FileSpan(descriptor, offset, size) for place, (offset, size) in spans.items()}


class _FileBacked(ProgramInput):
    """What a request or a test with its stdin in a file has beside its other fields."""

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


def _insert_texts(request: RequestT, found: Mapping[str, FileSpan]) -> RequestT:
    """Inputs where they lie, and expected outputs as bytes: it is so that they are needed."""
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
