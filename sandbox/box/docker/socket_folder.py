"""Choose the folder for the sockets of the boxes of a state directory.

A program can see in its mount table where its mounts come from. A folder for temporary files reveals nothing, while one
below the state directory would reveal a user name. An engine on another machine, or a worker in a container, may not
share the directory for temporary files. Then the sockets are placed in the state directory.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path


def get_temporary_folder(home: Path) -> Path:
    """Return the folder for this state directory below the directory for temporary files. It need not exist."""
    return Path(tempfile.gettempdir()) / f"sandbox-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"


def get_fallback_folder(home: Path) -> Path:
    return home / "boxes"


def ensure_socket_folder(home: Path) -> Path:
    """Return the temporary folder, creating it if needed, or the fallback if somebody else has taken its name."""
    folder = get_temporary_folder(home)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder if _is_private(folder) else get_fallback_folder(home)
    except OSError:
        return get_fallback_folder(home)


def remove_socket_folders(home: Path) -> None:
    shutil.rmtree(get_fallback_folder(home), ignore_errors=True)
    folder = get_temporary_folder(home)
    if folder.exists() and _is_private(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _is_private(folder: Path) -> bool:
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
