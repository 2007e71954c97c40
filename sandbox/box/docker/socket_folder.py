"""Choose the folder that holds the sockets of boxes.

A program can see in its mount table where its mounts come from. The path of a temporary folder reveals nothing, whereas
a path in the state directory may contain a user name. An engine on another machine or a worker in a container may have
a different directory for temporary files. In this case the sockets are placed in the state directory.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from pathlib import Path


def get_temporary_folder(home: Path) -> Path:
    """Return the path of the temporary folder for this state directory. The folder need not exist."""
    return Path(tempfile.gettempdir()) / f"sandbox-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"


def get_fallback_folder(home: Path) -> Path:
    return home / "boxes"


def ensure_socket_folder(home: Path) -> Path:
    """Create the temporary folder if needed and return it; return the fallback if another user owns that path."""
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


def remove_old_box_folders(home: Path, min_age_s: float) -> int:
    """Remove folders of boxes that are at least that old; return how many. A box has one only while it starts."""
    parents, temporary = [get_fallback_folder(home)], get_temporary_folder(home)
    if temporary.exists() and _is_private(temporary):
        parents.append(temporary)
    removed = 0
    for folder in (folder for parent in parents for folder in parent.glob("sandbox-*")):
        with suppress(OSError):  # another worker may remove it, too
            if time.time() - folder.lstat().st_mtime >= min_age_s:
                shutil.rmtree(folder)
                removed += 1
    return removed


def _is_private(folder: Path) -> bool:
    status = folder.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
