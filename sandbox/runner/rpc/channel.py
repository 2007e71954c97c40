"""Exchange messages between two processes and route each message to the thread that waits for it.

A message names the thread it belongs to in `at`. The main threads of the test and of the program count as one thread,
0. While each side has a single thread, that thread reads its own messages. Once a side has more threads, it announces
this in each message. Both sides then use a separate thread that always reads and dispatches messages. Otherwise a busy
main thread would block the others.
"""

from __future__ import annotations

import json
import threading
from collections import defaultdict, deque
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any, NoReturn

from sandbox.runner.rpc.shared_files import SharedFiles

if TYPE_CHECKING:
    from sandbox.runner.cpu_allowance import AllowanceRecorder

MAX_THREADS = 128
MAIN_THREAD = 0
PROGRAM_SIDE, TEST_SIDE = "program", "test"
Message = dict[str, Any]


class MessageChannel:
    """One side's end of the two pipes between a test and its program."""

    def __init__(
        self,
        incoming: IO[bytes],
        outgoing: IO[bytes],
        answer: Callable[[Message], Message],
        end_process: Callable[[str], NoReturn],
        side: str,
        recorder: AllowanceRecorder | None = None,
    ) -> None:
        """Connect to the other side.

        `side` prefixes the names of this side's threads. The program's side exits after the last message.

        `recorder` counts the cost of the messages.
        """
        self._in, self._out = incoming, outgoing
        self._answer, self._end_process = answer, end_process
        self._side, self._recorder = side, recorder
        self._main = threading.get_ident()
        self._threads: ThreadQueues | None = None
        self._files: SharedFiles | None = None

    def share_files(self, files: SharedFiles) -> None:
        """Share the temporary files of the test from now on."""
        self._files = files

    def exchange(self, request: Message) -> Message:
        """Send a request and return its answer; answer the other side's requests in the meantime."""
        thread_name = (
            MAIN_THREAD
            if self._threads is None and threading.get_ident() == self._main
            else self._ensure_threads().assign_name(self._side)
        )
        self._write(request, thread_name)
        while True:
            message = self._receive(thread_name)
            if message is None:
                self._end_process("")
            if "do" not in message:
                return message
            self._write(self._answer(message), thread_name)

    def answer_all(self, first: bytes) -> None:
        """Answer requests, starting with `first`, until there are no more."""
        message: Message | None = self._parse(first)
        if (
            message is not None and message.get("at", MAIN_THREAD) != MAIN_THREAD
        ):  # the test's first request comes from a thread other than the main one
            self._dispatch(message)
            message = self._receive(MAIN_THREAD)
        while message is not None:
            self._write(self._answer(message), MAIN_THREAD)
            message = self._receive(MAIN_THREAD)

    def _receive(self, thread_name: Any) -> Message | None:
        """Return the next message for a thread, or None if there are no more."""
        if self._threads is not None:
            return self._threads.wait_for_message(thread_name)
        # The only thread waits here, so no other thread can begin.
        message = self._read()
        if message is None or message.get("at", MAIN_THREAD) == thread_name:
            return message
        self._dispatch(message)
        return self._ensure_threads().wait_for_message(thread_name)

    def _dispatch(self, message: Message) -> None:
        """Pass a message to its thread; start a thread if its name is new."""
        thread_name, threads = message.get("at", MAIN_THREAD), self._ensure_threads()
        if thread_name not in threads.known_threads:
            if "do" not in message or not isinstance(thread_name, str) or len(threads.known_threads) >= MAX_THREADS:
                self._end_process("protocol error: unexpected message from the other side")
            threads.known_threads.add(thread_name)
            threading.Thread(target=self._serve_thread, args=(thread_name,), daemon=True).start()
        threads.put(thread_name, message)

    def _serve_thread(self, thread_name: Any) -> None:
        """Answer the requests of one thread of the other side, until there are no more."""
        threads = self._ensure_threads()
        threads.names[threading.get_ident()] = thread_name
        while (message := threads.wait_for_message(thread_name)) is not None:
            self._write(self._answer(message), thread_name)

    def _keep_reading(self) -> None:
        """Read messages for all threads."""
        while (message := self._read()) is not None:
            self._dispatch(message)
        self._ensure_threads().close()
        if self._side == PROGRAM_SIDE:
            self._end_process("")

    def _ensure_threads(self) -> ThreadQueues:
        """Return the state shared by the threads.

        The first call creates it and starts the thread that reads all messages.
        """
        if self._threads is None:
            self._threads = ThreadQueues(self._main)
            threading.Thread(target=self._keep_reading, daemon=True).start()
        return self._threads

    def _write(self, message: Message, thread_name: Any) -> None:
        if thread_name != MAIN_THREAD:
            message["at"] = thread_name
        if self._threads is not None or threading.active_count() > 1:
            message["threads"] = True
            self._ensure_threads()
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        try:
            if self._threads is None:
                self._send(line, message)
                return
            with self._threads.write_lock:
                self._send(line, message)
        except BrokenPipeError:
            self._end_process("")

    def _send(self, line: bytes, message: Message) -> None:
        if self._files is not None:
            line = self._attach_files(self._files, line, "do" in message)
        if self._recorder is not None:
            self._recorder.count_sent(line, caused_by_program=message.get("do", "next") == "next")
        self._out.write(line)
        self._out.flush()

    def _attach_files(self, files: SharedFiles, line: bytes, is_request: bool) -> bytes:
        """Return the line of a message with the changes in the shared folders added."""
        line = files.attach_to_request(line) if is_request else files.attach(line)
        if self._recorder is not None:
            self._recorder.count_files(files.count)
        return line

    def _apply_files(self, files: Any) -> None:
        if self._files is None:
            if self._side != PROGRAM_SIDE:
                self._end_process("protocol error: unexpected message from the other side")
            self._files = SharedFiles()
        self._files.apply(files)

    def _read(self) -> Message | None:
        line = self._in.readline()
        if self._recorder is not None:
            self._recorder.count_received(line)
        return self._parse(line) if line.endswith(b"\n") else None

    def _parse(self, line: bytes) -> Message:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            self._end_process("protocol error: unexpected message from the other side")
        if "files" in message:
            self._apply_files(message.pop("files"))
        if self._files is not None:
            self._files.note_message(line, message)
        if message.get("threads"):
            self._ensure_threads()
        return message


class ThreadQueues:
    """The state shared by the threads of one side: their names and their unread messages."""

    def __init__(self, main: int) -> None:
        self.names: dict[int, Any] = {main: MAIN_THREAD}
        self.known_threads: set[Any] = {MAIN_THREAD}
        self.write_lock = threading.Lock()
        self._inbox: dict[Any, deque[Message]] = defaultdict(deque)
        self._is_closed = False
        self._changed = threading.Condition()

    def assign_name(self, side: str) -> Any:
        """Return the name of the calling thread; assign one if it has none."""
        ident = threading.get_ident()
        if ident not in self.names:
            self.names[ident] = f"{side} {ident}"
            self.known_threads.add(self.names[ident])
        return self.names[ident]

    def put(self, thread_name: Any, message: Message) -> None:
        with self._changed:
            self._inbox[thread_name].append(message)
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def wait_for_message(self, thread_name: Any) -> Message | None:
        """Wait for the next message for a thread; return None if there are no more."""
        with self._changed:
            while not self._inbox[thread_name] and not self._is_closed:
                self._changed.wait()
            return self._inbox[thread_name].popleft() if self._inbox[thread_name] else None
