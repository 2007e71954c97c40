"""Whose turn it is: the messages of two processes, and the threads that wait for them.

A message carries the thread it belongs to, as `at`; the main thread of the test and that of the program are one, 0. As
long as each side has one thread, it reads what comes. Once a side has more, it says so with each message, and both keep
a thread that always reads and hands messages to those they are for: a main thread that is at work would leave the
others waiting.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, NoReturn

from sandbox.runner.shared_files import SharedFiles, TestFiles

if TYPE_CHECKING:
    from sandbox.runner.allowance import Account

MAX_THREADS = 128
MAIN = 0
PROGRAM, TEST = "program", "test"
Message = dict[str, Any]


class Turns:
    """One side's end of the two pipes."""

    def __init__(
        self,
        incoming: IO[bytes],
        outgoing: IO[bytes],
        answer: Callable[[Message], Message],
        leave: Callable[[str], NoReturn],
        side: str,
        account: Account | None = None,
    ) -> None:
        """`side` begins the names of this side's threads. A program's side ends with the last message. `account` is
        told what is carried.
        """
        self._in, self._out = incoming, outgoing
        self._answer, self._leave = answer, leave
        self._side, self._account = side, account
        self._main = threading.get_ident()
        self._threads: Threads | None = None
        self._files: SharedFiles | None = None

    def share_files(self, files: TestFiles) -> None:
        """Share the temporary files of the test from now on."""
        self._files = files

    def exchange(self, request: Message) -> Message:
        """Send a request, and answer the other side's until its answer comes."""
        at = MAIN if self._threads is None and threading.get_ident() == self._main else self._shared().name(self._side)
        self._write(request, at)
        while True:
            message = self._next(at)
            if message is None:
                self._leave("")
            if "do" not in message:
                return message
            self._write(self._answer(message), at)

    def answer_all(self, first: bytes) -> None:
        """Answer requests until there are no more. The first was read already."""
        message: Message | None = self._parsed(first)
        if message is not None and message.get("at", MAIN) != MAIN:  # the test's first request is of another thread
            self._hand_over(message)
            message = self._next(MAIN)
        while message is not None:
            self._write(self._answer(message), MAIN)
            message = self._next(MAIN)

    def _next(self, at: Any) -> Message | None:
        """The next message for a thread; None when there are no more."""
        if self._threads is not None:
            return self._threads.next(at)
        # No other thread can begin while the only one waits here.
        message = self._read()
        if message is None or message.get("at", MAIN) == at:
            return message
        self._hand_over(message)
        return self._shared().next(at)

    def _hand_over(self, message: Message) -> None:
        """Give a message to the thread it is for; one that is new gets a thread here."""
        at, threads = message.get("at", MAIN), self._shared()
        if at not in threads.served:
            if "do" not in message or not isinstance(at, str) or len(threads.served) >= MAX_THREADS:
                self._leave("the other side does not speak as agreed")
            threads.served.add(at)
            threading.Thread(target=self._serve, args=(at,), daemon=True).start()
        threads.put(at, message)

    def _serve(self, at: Any) -> None:
        """Be the thread that answers one of the other side's."""
        threads = self._shared()
        threads.names[threading.get_ident()] = at
        while (message := threads.next(at)) is not None:
            self._write(self._answer(message), at)

    def _keep_reading(self) -> None:
        """Be the thread that reads for all others."""
        while (message := self._read()) is not None:
            self._hand_over(message)
        self._shared().end()
        if self._side == PROGRAM:
            self._leave("")

    def _shared(self) -> Threads:
        """What the threads share. From now on, a thread of its own reads."""
        if self._threads is None:
            self._threads = Threads(self._main)
            threading.Thread(target=self._keep_reading, daemon=True).start()
        return self._threads

    def _write(self, message: Message, at: Any) -> None:
        if at != MAIN:
            message["at"] = at
        if self._threads is not None or threading.active_count() > 1:
            message["threads"] = True
            self._shared()
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            if self._threads is None:
                self._send(line, message)
                return
            with self._threads.writing:
                self._send(line, message)
        except BrokenPipeError:
            self._leave("")

    def _send(self, line: bytes, message: Message) -> None:
        if self._files is not None:
            line = self._with_files(self._files, line, "do" in message)
        if self._account is not None:
            self._account.sent(line, driven=message.get("do", "next") == "next")
        self._out.write(line)
        self._out.flush()

    def _with_files(self, files: SharedFiles, line: bytes, is_request: bool) -> bytes:
        """Add to a message what has changed in the shared folders."""
        line = files.attach_to_request(line) if is_request else files.attach(line)
        if self._account is not None:
            self._account.looked_at_files(files.count)
        return line

    def _take_files(self, files: Any) -> None:
        if self._files is None:
            if self._side != PROGRAM:
                self._leave("the other side does not speak as agreed")
            self._files = SharedFiles()
        self._files.apply(files)

    def _read(self) -> Message | None:
        line = self._in.readline()
        if self._account is not None:
            self._account.received(line)
        return self._parsed(line) if line.endswith(b"\n") else None

    def _parsed(self, line: bytes) -> Message:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            self._leave("the other side does not speak as agreed")
        if "files" in message:
            self._take_files(message.pop("files"))
        if self._files is not None:
            self._files.received(line, message)
        if message.get("threads"):
            self._shared()
        return message


class Threads:
    """What the threads of one side share: the messages for each that it has not taken yet, and their names."""

    def __init__(self, main: int) -> None:
        self.names: dict[int, Any] = {main: MAIN}
        self.served: set[Any] = {MAIN}
        self.writing = threading.Lock()
        self._inbox: dict[Any, deque[Message]] = defaultdict(deque)
        self._ended = False
        self._changed = threading.Condition()

    def name(self, side: str) -> Any:
        """The name of the thread that asks; it gets one where it has none."""
        ident = threading.get_ident()
        if ident not in self.names:
            self.names[ident] = f"{side} {ident}"
            self.served.add(self.names[ident])
        return self.names[ident]

    def put(self, at: Any, message: Message) -> None:
        with self._changed:
            self._inbox[at].append(message)
            self._changed.notify_all()

    def end(self) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def next(self, at: Any) -> Message | None:
        """Wait for the next message for a thread; None when there are no more."""
        with self._changed:
            while not self._inbox[at] and not self._ended:
                self._changed.wait()
            return self._inbox[at].popleft() if self._inbox[at] else None
