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
PATIENCE_S = 0.5
LOOK_S = 0.02


class AlreadyUp(InfrastructureError):
    """Another `sandbox up` runs on the same home folder."""


class NotUp(InfrastructureError):
    """The service could not be started, or not be stopped."""


def pid_file(home: Path) -> Path:
    return home / "up.pid"


def make_home(home: Path) -> None:
    """Make the folder, or see that only we may write there: who else could, could put a Redis of his own in place of
    ours. Raises NotUp."""
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        status = home.stat()
    except OSError as error:
        raise NotUp(f"{home} cannot be used ({error.strerror}): name a folder of your own in SANDBOX_HOME") from error
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
        raise NotUp(f"others may write to {home}: name a folder of your own in SANDBOX_HOME, or chmod 700 it")


@contextmanager
def owned_home(home: Path) -> Iterator[None]:
    """Own a home folder. Raises AlreadyUp or NotUp."""
    make_home(home)
    with pid_file(home).open("a+") as file:
        deadline = time.monotonic() + PATIENCE_S
        while not _locked(file, fcntl.LOCK_EX):
            if time.monotonic() > deadline:  # a moment's patience, for `running_pid` may be looking
                raise AlreadyUp(f"already running on {home}")
            time.sleep(LOOK_S)
        file.truncate(0)
        file.write(f"{os.getpid()} {_start_time(os.getpid())}")
        file.flush()
        yield
        file.truncate(0)


def running_pid(home: Path) -> int | None:
    """The pid of the home's owner; None when it has none. Raises NotUp for one that this process cannot see."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        words = _owner(home)
        if words is None:
            return None
        if len(words) == 2 and _start_time(int(words[0])) == words[1]:
            return int(words[0])
        if time.monotonic() > deadline:  # it was not just about to write its name
            raise NotUp(f"the service on {home} runs where this process cannot see it: in another container?")
        time.sleep(LOOK_S)


def record_settings(home: Path, settings: Mapping[str, object]) -> None:
    """Note what the owner of a home was started with, as salted hashes: some settings are secrets."""
    salt = secrets.token_hex(16)
    content = {"salt": salt, "settings": _hashed(salt, settings)}
    (home / SETTINGS_FILE).write_text(json.dumps(content), encoding="utf-8")


def changed_settings(home: Path, settings: Mapping[str, object]) -> list[str]:
    """Return the names of the settings in which `settings` differ from those of the home's owner; [] if unknown."""
    try:
        recorded = json.loads((home / SETTINGS_FILE).read_bytes())
        salt, before = recorded["salt"], recorded["settings"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return sorted(name for name, value in _hashed(salt, settings).items() if before.get(name) != value)


def _hashed(salt: str, settings: Mapping[str, object]) -> dict[str, str]:
    return {
        name: hashlib.sha256(f"{salt} {json.dumps(value, sort_keys=True)}".encode()).hexdigest()
        for name, value in settings.items()
    }


def _owner(home: Path) -> list[str] | None:
    """What the owner wrote of itself; None when nobody holds the lock."""
    try:
        with pid_file(home).open() as file:
            return None if _locked(file, fcntl.LOCK_SH) else file.read().split()
    except FileNotFoundError:
        return None


def _locked(file: TextIO, kind: int) -> bool:
    """Take a lock on a file until it is closed; False when another holds one that excludes it."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _start_time(pid: int) -> str:
    """When a process started, in clock ticks since boot, which with its pid names it for good; empty when it is
    gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (FileNotFoundError, ProcessLookupError):
        return ""
