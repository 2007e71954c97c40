"""Where the sockets of a home's boxes lie.

A program can read in its own mount table where its mounts come from. A folder among the temporary files tells it
nothing; below the home it would tell the name of a user. An engine on another machine, or a worker in a container, may
have no temporary files in common with us: then the sockets lie in the home.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path


def get_temporary_folder(home: Path) -> Path:
    """The folder of this home below the directory for temporary files; it need not exist."""
    return Path(tempfile.gettempdir()) / f"sandbox-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"


def get_fallback_folder(home: Path) -> Path:
    return home / "boxes"


def ensure_socket_folder(home: Path) -> Path:
    """The temporary folder, made here if it is not there; the one at home if somebody else has taken that name."""
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
