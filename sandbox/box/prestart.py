"""Start boxes in advance for the isolation level `fresh`, where each box is used once and then destroyed.

Theory of operation. Starting a container takes hundreds of milliseconds, and so does removing it. One background thread
does both, so that runs need not wait, and nothing else uses the engine. If a caller is waiting for a box, the thread
starts that box first. It then refills the stock, which holds a few boxes for each image requested so far, and for the
environments that were requested last. In between it destroys returned boxes.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections import deque
from collections.abc import Callable

from sandbox.box.engine import BoxHandle, Engine
from sandbox.box.environment import is_environment
from sandbox.errors import BoxError, EnvironmentFailed, InfrastructureError

logger = logging.getLogger(__name__)

PAUSE_AFTER_FAILURE_S = 1.0
CLOSE_TIMEOUT_S = 60.0
MAX_ENVIRONMENTS = 2  # for which boxes are started in advance: those that were used last


class PrestartPool:
    """An `Engine` that wraps another one. Only one thread at a time may call `start`."""

    def __init__(self, engine: Engine, ready_count: int) -> None:
        self._engine = engine
        self._ready_count = ready_count
        self._boxes: dict[str, deque[BoxHandle]] = {}
        self._used: deque[BoxHandle] = deque()
        self._awaited_image = ""
        self._failure: InfrastructureError | None = None
        self._closed = False
        self._state_changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="pool", daemon=True)
        self._thread.start()

    def start(self, image: str) -> BoxHandle:
        """Return a box that is ready, or wait until one has started. Raises EngineUnavailable or BoxError."""
        with self._state_changed:
            boxes = self._boxes.pop(image, deque())
            self._boxes[image] = boxes  # at the end: images are in the order of their last use
            self._drop_old_environments()
            self._awaited_image, self._failure = image, None
            self._state_changed.notify_all()
            self._state_changed.wait_for(lambda: boxes or self._failure is not None or self._closed)
            self._awaited_image = ""
            if boxes:
                handle = boxes.popleft()
                self._state_changed.notify_all()  # one box has to be replaced
                return PooledBoxHandle(handle, self._release)
            raise self._build_start_error()

    def _drop_old_environments(self) -> None:
        environments = [image for image in self._boxes if is_environment(image)]
        for image in environments[:-MAX_ENVIRONMENTS]:
            self._used += self._boxes.pop(image)

    def _build_start_error(self) -> InfrastructureError:
        return BoxError("the pool is closed") if self._failure is None else self._failure

    def lacks(self, tool: str) -> bool:
        return self._engine.lacks(tool)

    def lacks_image(self, image: str) -> bool:
        return self._engine.lacks_image(image)

    def list_missing_isolation(self) -> list[str]:
        return self._engine.list_missing_isolation()

    def close(self) -> None:
        with self._state_changed:
            self._closed = True
            self._state_changed.notify_all()
        self._thread.join(CLOSE_TIMEOUT_S)
        self._engine.close()

    def _release(self, handle: BoxHandle) -> None:
        with self._state_changed:
            self._used.append(handle)
            self._state_changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._state_changed:
                self._state_changed.wait_for(lambda: self._closed or self._used or self._choose_next_image())
                if self._closed:
                    break
                image = self._choose_next_image()
                used = self._used.popleft() if self._used and not (image and image == self._awaited_image) else None
            if used is not None:
                _destroy(used)
            elif image:
                self._start_one(image)
        for handle in (*self._used, *(handle for boxes in self._boxes.values() for handle in boxes)):
            _destroy(handle)

    def _choose_next_image(self) -> str:
        """Return the image from which to start the next box, or an empty string if there are enough boxes."""
        if self._awaited_image and not self._boxes.get(self._awaited_image):
            return self._awaited_image
        return next((image for image, boxes in self._boxes.items() if len(boxes) < self._ready_count), "")

    def _start_one(self, image: str) -> None:
        try:
            handle = self._engine.start(image)
        except InfrastructureError as error:
            logger.warning("could not start a box in advance: %s", error, extra={"image": image})
            with self._state_changed:
                if image == self._awaited_image:  # otherwise the caller waits for a box of another image
                    self._awaited_image, self._failure = "", error
                if isinstance(error, EnvironmentFailed):  # starting such a box again would fail in the same way
                    self._used += self._boxes.pop(image, ())
                self._state_changed.notify_all()
                self._state_changed.wait_for(lambda: self._closed or self._awaited_image, PAUSE_AFTER_FAILURE_S)
            return
        with self._state_changed:
            self._boxes.get(image, self._used).append(handle)
            self._state_changed.notify_all()


class PooledBoxHandle:
    """The handle of a box from the pool. The pool's thread destroys the box."""

    def __init__(self, handle: BoxHandle, release: Callable[[BoxHandle], None]) -> None:
        self._handle = handle
        self._release: Callable[[BoxHandle], None] | None = release

    @property
    def connection(self) -> socket.socket:
        return self._handle.connection

    def limit_memory(self, memory_mb: int) -> None:
        self._handle.limit_memory(memory_mb)

    def measure_own_memory(self) -> None:
        self._handle.measure_own_memory()

    def begin_run(self) -> None:
        self._handle.begin_run()

    def read_peak_memory_mb(self) -> float | None:
        return self._handle.read_peak_memory_mb()

    def ran_out_of_memory(self) -> bool:
        return self._handle.ran_out_of_memory()

    def destroy(self) -> None:
        """End the box's processes immediately by closing their connection.

        The pool's thread removes the container later.
        """
        if self._release is not None:
            self._handle.connection.close()
            self._release(self._handle)
            self._release = None


def _destroy(handle: BoxHandle) -> None:
    try:
        handle.destroy()
    except BoxError as error:
        logger.warning("could not destroy a box: %s", error)
