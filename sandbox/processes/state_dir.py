"""A home folder and the one process tree that owns it.

The owner holds a lock on `up.pid` as long as it lives. The kernel drops the lock however the owner ends, so no stale
file ever stands in the way; the owner's pid in the file is believed only together with its start time.
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
    """Another `sandbox up` runs on the same home folder."""


class LifecycleError(InfrastructureError):
    """The service could not be started, or not be stopped."""


def get_pid_file(home: Path) -> Path:
    return home / "up.pid"


def create_state_dir(home: Path) -> None:
    """Make the folder, or see that only we may write there: who else could, could put a Redis of his own in place of
    ours. Raises NotUp."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = home.stat()
    except OSError as error:
        raise LifecycleError(
            f"{home} cannot be used ({error.strerror}): name a folder of your own in SANDBOX_HOME"
        ) from error
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
        raise LifecycleError(f"others may write to {home}: name a folder of your own in SANDBOX_HOME, or chmod 700 it")


@contextmanager
def lock_state_dir(home: Path) -> Iterator[None]:
    """Own a home folder. Raises AlreadyUp or NotUp."""
    create_state_dir(home)
    with get_pid_file(home).open("a+") as file:
        deadline = time.monotonic() + LOCK_TIMEOUT_S
        while not _try_lock(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:  # a moment's patience, for `running_pid` may be looking
                raise AlreadyRunning(f"already running on {home}")
            time.sleep(POLL_INTERVAL_S)
        file.truncate(0)
        file.write(f"{os.getpid()} {_read_start_time(os.getpid())}")
        file.flush()
        yield
        file.truncate(0)


def find_running_pid(home: Path) -> int | None:
    """The pid of the home's owner; None when it has none. Raises NotUp for one that this process cannot see."""
    deadline = time.monotonic() + LOCK_TIMEOUT_S
    while True:
        words = _read_owner(home)
        if words is None:
            return None
        if len(words) == 2 and _read_start_time(int(words[0])) == words[1]:
            return int(words[0])
        if time.monotonic() > deadline:  # it was not just about to write its name
            raise LifecycleError(f"the service on {home} runs where this process cannot see it: in another container?")
        time.sleep(POLL_INTERVAL_S)


def record_settings(home: Path, settings: Mapping[str, object]) -> None:
    """Note what the owner of a home was started with, as salted hashes: some settings are secrets."""
    salt = secrets.token_hex(16)
    content = {"salt": salt, "settings": _hash_settings(salt, settings)}
    (home / SETTINGS_FILE).write_text(json.dumps(content), encoding="utf-8")


def find_changed_settings(home: Path, settings: Mapping[str, object]) -> list[str]:
    """Return the names of the settings in which `settings` differ from those of the home's owner; [] if unknown."""
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
    """What the owner wrote of itself; None when nobody holds the lock."""
    try:
        with get_pid_file(home).open() as file:
            return None if _try_lock(file, fcntl.LOCK_SH) else file.read().split()
    except FileNotFoundError:
        return None


def _try_lock(file: TextIO, kind: int) -> bool:
    """Take a lock on a file until it is closed; False when another holds one that excludes it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot, which with its pid names it for good; empty when it is
    gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""
