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

import fcntl
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from sandbox.queue.job_batch import Item
from sandbox.queue.large_texts import (
    RequestT,
    encode_utf8,
    find_large_texts,
    has_payload,
    insert_texts,
    remove_texts,
)
from sandbox.request_context import generate_id
from sandbox.runner.contract import FileSpan

PAYLOAD_MISSING = b"{}"  # the message of a worker that does not find the file of an item
CANCELLED_MESSAGE = b""  # the message for an item that will have no result
FILE_TTL_S = {".item": 86_400.0, ".kept": 3_600.0}
MAX_REUSABLE_FILES = 16
MAX_REUSABLE_FILE_BYTES = 32 << 20
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
Span = tuple[int, int]  # offset and size in bytes


class PayloadMissing(Exception):
    """The payload file does not exist on this host, or is incomplete."""


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
        return remove_texts(request, texts), spans

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
                yield insert_texts(request, found)
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
