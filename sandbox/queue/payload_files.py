"""Files that carry the large texts of items between processes of one host, instead of JSON and Redis.

A test with 8 MB of stdin and 8 MB of expected output costs 250 ms of CPU time as JSON, which is written, sent, stored,
fetched, and parsed. That is more than running the program. If all workers share the home folder of the API, the texts
go into a file there, and the item holds their positions in the file. This applies only to items whose client waits.
Stored items must outlive the machine, so Redis holds them completely. If a worker does not find the file, it reports
that, and the item is sent again with its texts.

A program reads its stdin directly from the pages of the file, through a pipe that holds them. A file may therefore be
overwritten only when no program can still hold its pages. To ensure that, a worker locks the file while it uses it and
deletes the file if a box failed, and each text starts on a page of its own. If a worker dies, the programs in its boxes
end with it, long before another worker has a result for the item.
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

MIN_PAYLOAD_CHARS = 1 << 16  # smaller texts stay in the item
PAYLOAD_MISSING = b"{}"  # the message of a worker that does not find the file of an item
CANCELLED_MESSAGE = b""  # the message for an item that will have no result
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
    """The payload file does not exist on this host, or is incomplete."""


def has_payload(request: object) -> TypeGuard[ExecuteRequest | VerifyRequest]:
    """Return whether this kind of request may have large texts."""
    return isinstance(request, ExecuteRequest | VerifyRequest)


class ExternalizedItems:
    """The items of one process whose large texts are in files, until their results arrive. Thread-safe."""

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
            logger.warning("cannot write payload files, sending large texts through Redis: %s", error)

    def externalize(self, item: Item) -> Item:
        """Return the item to send: without its large texts if all workers can read them from a file.

        Raises RedisError.
        """
        request = item.work
        if self._payload_files is None or not has_payload(request) or not find_large_texts(request):
            return item
        if not self._is_shared():
            return item
        try:
            externalized = self._payload_files.externalize_item(item)
        except OSError as error:
            logger.warning("cannot write payload files, sending large texts through Redis: %s", error)
            return item
        self._originals[item.id] = item
        return externalized

    def take_original(self, item_id: str) -> Item | None:
        """Return the original item so that it can be sent again, and drop its file; return None if it is unknown."""
        self._drop_file(item_id)
        return self._originals.pop(item_id, None)

    def forget(self, item_ids: Iterable[str]) -> None:
        """Drop the files of items that have a result or that nobody waits for."""
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
        """Return whether every live worker shares this process's payload files. Checks at most once per second."""
        now = time.monotonic()
        if now - self._checked_at > WORKER_CHECK_INTERVAL_S and self._payload_files is not None:
            names = leases.list_alive(self._redis, self._lease_s)
            descriptions = self._redis.mget([redis_keys.worker(name) for name in names]) if names else []
            identities = {json.loads(text).get("spool") for text in descriptions if text}
            self._all_workers_share = identities == {self._payload_files.identity}
            self._checked_at = now
        return self._all_workers_share


class PayloadFiles:
    """The payload files in one folder. Two processes share the folder if their `identity` is the same. Thread-safe.

    Up to `MAX_REUSABLE_FILES` dropped files of at most 32 MiB are reused for later items. Overwriting existing pages
    takes a third of the time that the kernel needs to allocate new ones.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "spool"
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._reusable: deque[Path] = deque()
        self.identity = self._read_identity()

    def externalize_item(self, item: Item) -> Item:
        """Move the large texts of an item into a file, and return the item without them. Raises OSError."""
        if not has_payload(item.work):
            return item
        request, spans = self.externalize(item.id, item.work)
        return item.model_copy(update={item.kind: request, "spooled": spans})

    def externalize(self, item_id: str, request: RequestT) -> tuple[RequestT, dict[str, Span]]:
        """Move the large texts of a request into a file; return the request without them, and their spans in the file.

        Raises OSError; no file is left in that case.
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
        """Yield the item with its large texts, which are valid inside the context. Raises PayloadMissing."""
        if not item.spooled or not has_payload(item.work):
            yield item
            return
        with self.restore(item.id, item.work, item.spooled) as request:
            yield item.model_copy(update={item.kind: request})

    @contextmanager
    def restore(self, item_id: str, request: RequestT, spans: Mapping[str, Span]) -> Iterator[RequestT]:
        """Yield the request with its large texts, which are valid inside the context. Raises PayloadMissing."""
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
        """Remove the reusable files."""
        while self._reusable:
            with suppress(OSError):
                self._reusable.pop().unlink()

    def sweep(self) -> None:
        """Remove old files of killed processes. A process that misses its reusable file creates a new one."""
        for path in self._folder.iterdir():
            with suppress(OSError):
                if time.time() - path.stat().st_mtime > FILE_TTL_S.get(path.suffix, float("inf")):
                    path.unlink()

    def _open_file(self, item_id: str) -> FileIO:
        """Open the item's file for writing from its start: a reusable file, or a new one. Raises OSError."""
        path = self._build_path(item_id)
        while self._reusable:
            with suppress(IndexError, OSError):  # another thread took it, or a sweep removed it
                self._reusable.pop().rename(path)
                file = FileIO(path, "r+")
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    return file
                except OSError:  # a program may still hold pages of it
                    path.unlink()
                    file.close()
        return FileIO(path, "x")

    def _remove_own_files(self, item_id: str) -> None:
        """Free disk space after a failed write: remove the item's file and all reusable files."""
        with suppress(OSError):
            self._build_path(item_id).unlink()
        self.close()

    def _build_path(self, item_id: str) -> Path:
        return self._folder / f"{item_id}.item"

    def _read_identity(self) -> str:
        """Return the content of the identity file, which the first process creates."""
        candidate = self._folder / f"identity.{generate_id()}"
        candidate.write_text(candidate.name)
        with suppress(FileExistsError):
            os.link(candidate, self._folder / "identity")
        candidate.unlink()
        return (self._folder / "identity").read_text()


def encode_utf8(text: str) -> memoryview:
    """Return the text in UTF-8. For ASCII, the result is a view of the string's own memory; keep the string alive."""
    if not text.isascii():
        return memoryview(text.encode())
    size = ctypes.c_ssize_t()
    address = _as_utf8(text, ctypes.byref(size))
    return memoryview((ctypes.c_char * size.value).from_address(address)).cast("B")


def find_large_texts(request: ExecuteRequest | VerifyRequest) -> dict[str, str]:
    """Return the large texts by their place, such as `stdin`, or `3.expected` for a test."""
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
    """Lock an open file against writers, and return the spans of its texts. Raises PayloadMissing."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        status = os.fstat(descriptor)
        # A locked file that still has this name belongs to this item, because a file is renamed before it is reused.
        there = os.path.samestat(status, path.stat())
    except OSError as error:
        raise PayloadMissing(f"{path.name}: {error}") from error
    if not there or any(offset + size > status.st_size for offset, size in spans.values()):
        raise PayloadMissing(f"{path.name} is incomplete")
    return {place: FileSpan(descriptor, offset, size) for place, (offset, size) in spans.items()}


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


def _insert_texts(request: RequestT, found: Mapping[str, FileSpan]) -> RequestT:
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
