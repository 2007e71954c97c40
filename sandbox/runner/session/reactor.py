"""The supervisor's event loop, which handles readable descriptors, timers, and frames queued for the worker."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sandbox.runner import frames

Callback = Callable[[], None]
MAX_QUEUED_FRAMES = 64


class Reactor:
    """Calls back when a descriptor is readable or a timer is due."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._readers: dict[int, Callback] = {}
        self._timers: dict[object, tuple[float, Callback]] = {}
        self.writable: Callback | None = None

    def add_reader(self, descriptor: int, callback: Callback) -> None:
        if descriptor not in self._readers:
            self._epoll.register(descriptor, select.EPOLLIN)
        self._readers[descriptor] = callback

    def remove_reader(self, descriptor: int) -> None:
        if self._readers.pop(descriptor, None) is not None:
            self._epoll.unregister(descriptor)

    def watch_writable(self, descriptor: int, watch: bool) -> None:
        self._epoll.modify(descriptor, select.EPOLLIN | (select.EPOLLOUT if watch else 0))

    def set_timer(self, key: object, delay_s: float, callback: Callback) -> None:
        """Call `callback` after a delay. A timer with the same key is replaced."""
        self._timers[key] = (time.monotonic() + delay_s, callback)

    def cancel_timer(self, key: object) -> None:
        self._timers.pop(key, None)

    def run_once(self) -> None:
        timeout = -1.0
        if self._timers:
            timeout = max(0.0, min(due for due, _ in self._timers.values()) - time.monotonic())
        for descriptor, events in self._epoll.poll(timeout):
            if events & select.EPOLLOUT and self.writable is not None:
                self.writable()
            if events & ~select.EPOLLOUT and (callback := self._readers.get(descriptor)):
                callback()
        now = time.monotonic()
        for key, (due, callback) in list(self._timers.items()):
            if due <= now and self._timers.get(key, (0.0, None))[1] is callback:
                del self._timers[key]
                callback()


class FrameSender:
    """Sends frames to the worker in order, and queues them while its socket is full."""

    def __init__(self, connection: socket.socket, reactor: Reactor) -> None:
        self._connection = connection
        self._reactor = reactor
        self._queue: deque[tuple[Mapping[str, Any], Sequence[int], bytes]] = deque()
        reactor.writable = self._continue

    @property
    def is_congested(self) -> bool:
        return len(self._queue) > MAX_QUEUED_FRAMES

    def send(self, header: Mapping[str, Any], payload: bytes = b"", descriptors: Sequence[int] = ()) -> None:
        """Send a frame and close its descriptors. Raises FrameError if the worker has disconnected."""
        self._queue.append((header, descriptors, payload))
        if len(self._queue) == 1 and not self._flush():
            self._reactor.watch_writable(self._connection.fileno(), True)

    def _continue(self) -> None:
        if self._flush():
            self._reactor.watch_writable(self._connection.fileno(), False)

    def _flush(self) -> bool:
        """Send as many frames as the socket accepts; return whether the queue is empty."""
        while self._queue:
            header, descriptors, payload = self._queue[0]
            try:
                frames.send(self._connection, header, descriptors, payload)
            except frames.ConnectionClosed as error:
                if isinstance(error.__cause__, BlockingIOError):
                    return False
                raise
            frames.close_descriptors(descriptors)
            self._queue.popleft()
        return True
