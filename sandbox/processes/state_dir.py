"""A state directory and the one process tree that owns it.

The owner holds a lock on `up.pid` as long as it lives. The kernel releases the lock however the owner ends, so a stale
file is never a problem. The pid in the file counts only together with the start time of its process.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from sandbox.errors import InfrastructureError

SETTINGS_FILE = "up.settings.json"
LOCK_TIMEOUT_S = 0.5
POLL_INTERVAL_S = 0.02


class AlreadyRunning(InfrastructureError):
    """Another `sandbox up` runs on the same home directory."""


class LifecycleError(InfrastructureError):
    """The service could not be started or stopped."""


def get_pid_file(home: Path) -> Path:
    return home / "up.pid"


def create_state_dir(home: Path) -> None:
    """Create the directory, and check that other users cannot write to it: they could replace its Redis with theirs.

    Raises LifecycleError.
    """
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = home.stat()
    except OSError as error:
        raise LifecycleError(
            f"cannot use {home} ({error.strerror}): set SANDBOX_HOME to a directory that you own"
        ) from error
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
        raise LifecycleError(
            f"other users may write to {home}: run chmod 700 on it, or set SANDBOX_HOME to a directory that you own"
        )


@contextmanager
def lock_state_dir(home: Path) -> Iterator[None]:
    """Own a home directory within this context. Raises AlreadyRunning or LifecycleError."""
    create_state_dir(home)
    with get_pid_file(home).open("a+") as file:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while not _try_lock(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:  # retries, because `find_running_pid` may hold the lock for a moment
                raise AlreadyRunning(f"already running on {home}")
            time.sleep(POLL_INTERVAL_S)
        file.truncate(0)
        file.write(f"{os.getpid()} {_read_start_time(os.getpid())}")
        file.flush()
        yield
        file.truncate(0)


def find_running_pid(home: Path) -> int | None:
    """Return the pid of the home's owner; None if it has none. Raises LifecycleError if the owner is not visible."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        words = _read_owner(home)
        if words is None:
            return None
        if len(words) == 2 and _read_start_time(int(words[0])) == words[1]:
            return int(words[0])
        if time.monotonic() > deadline:  # long enough for a new owner to write its pid
            raise LifecycleError(
                f"a service runs on {home} but its process is not visible; perhaps it runs in another container"
            )
        time.sleep(POLL_INTERVAL_S)


def record_settings(home: Path, settings: Mapping[str, object]) -> None:
    """Store the settings that the owner started with, as salted hashes because some are secret."""
    salt = secrets.token_hex(16)
    content = {"salt": salt, "settings": _hash_settings(salt, settings)}
    (home / SETTINGS_FILE).write_text(json.dumps(content), encoding="utf-8")


def find_changed_settings(home: Path, settings: Mapping[str, object]) -> list[str]:
    """Return the names of settings that differ from those of the home's owner; [] if unknown."""
    try:
        recorded = json.loads((home / SETTINGS_FILE).read_bytes())
        salt, before = recorded["salt"], recorded["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return sorted(name for name, value in _hash_settings(salt, settings).items() if before.get(name) != value)


def _hash_settings(salt: str, settings: Mapping[str, object]) -> dict[str, str]:
    return {
        name: hashlib.sha256(f"{salt} {json.dumps(value, sort_keys=True)}".encode()).hexdigest()
        for name, value in settings.items()
    }


def _read_owner(home: Path) -> list[str] | None:
    """Return the words that the owner wrote into its pid file; None if no process holds the lock."""
    try:
        with get_pid_file(home).open() as file:
            return None if _try_lock(file, fcntl.LOCK_SH) else file.read().split()
    except FileNotFoundError:
        return None


def _try_lock(file: TextIO, kind: int) -> bool:
    """Lock a file until it is closed. Returns False if another process holds a conflicting lock."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_start_time(pid: int) -> str:
    """Return a process's start time in clock ticks since boot, or an empty string if it has ended.

    Pid and start time together identify a process uniquely.
    """
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""
