"""A socket before the Docker engine's that a test can close and open again, so that the engine itself stays up."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from pathlib import Path

ENGINE_SOCKET_PATH = "/var/run/docker.sock"
CHUNK_BYTES = 1 << 16


class EngineSocket:
    """Passes bytes on while it is open. A context manager."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listener: socket.socket | None = None
        self._connections: list[socket.socket] = []
        self._hangs = False

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    def __enter__(self) -> EngineSocket:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def open(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen()
        threading.Thread(target=self._accept, args=[self._listener], daemon=True).start()

    def hang(self) -> None:
        """From here on the engine takes connections and says nothing."""
        self.close()
        self._hangs = True
        self.open()

    def close(self) -> None:
        """From here on there is no engine for whoever uses this socket."""
        self._hangs = False
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
        self.path.unlink(missing_ok=True)
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        self._connections.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                if self._hangs:
                    self._connections.append(near)
                    continue
                far = socket.socket(socket.AF_UNIX)
                far.connect(ENGINE_SOCKET_PATH)
                self._connections += [near, far]
                for source, target in ((near, far), (far, near)):
                    threading.Thread(target=_forward, args=[source, target], daemon=True).start()


def _forward(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while content := source.recv(CHUNK_BYTES):
            target.sendall(content)
        target.shutdown(socket.SHUT_WR)
