"""Empty a directory that a hostile program has filled with files of any depth, number and mode.

Nothing here recurses or keeps a list. Ten thousand nested directories would overflow the stack. The names of sixty
thousand files would need memory, and the program may have used all of it. To remove a nested directory, the supervisor
first moves its subdirectories up to the root, so every path stays short. Before that, it takes ownership of the
directory, because in a directory with the sticky bit only the owner may delete files.
"""

from __future__ import annotations

import os
import time

REMOVE_TIMEOUT_S, REMOVE_PAUSE_S = 10.0, 0.01


def clear_directory(root: str) -> None:
    """Remove everything in `root`, which the supervisor owns; return once it is empty. Raises OSError."""
    found = True
    while found:
        found = False
        with os.scandir(root) as entries:
            for entry in entries:
                found = True
                if entry.is_dir(follow_symlinks=False):
                    remove_subdirectory(entry.path, root)
                else:
                    os.unlink(entry.path)


def remove_directory(directory: str) -> None:
    """Remove a directory, whose owner's processes have been killed, with everything in it.

    The last of them may still be ending, and then creates one more file. Raises OSError after several attempts.
    """
    deadline = time.monotonic() + REMOVE_TIMEOUT_S
    while True:
        try:
            clear_directory(directory)
            os.rmdir(directory)
            return
        except OSError:
            if not os.path.exists(directory):
                return
            if time.monotonic() > deadline:
                raise
        time.sleep(REMOVE_PAUSE_S)


def remove_subdirectory(directory: str, root: str) -> None:
    """Remove a directory and its files; move its subdirectories to `root`."""
    take_ownership(directory)
    moved = f"{root}/{os.urandom(8).hex()}"  # a random name, so the program cannot have taken it
    with os.scandir(directory) as entries:
        for number, entry in enumerate(entries):
            if entry.is_dir(follow_symlinks=False):
                take_ownership(entry.path)  # moving a directory writes to it, too
                os.rename(entry.path, f"{moved}-{number}")
            else:
                os.unlink(entry.path)
    os.rmdir(directory)


def take_ownership(directory: str) -> None:
    os.chown(directory, os.geteuid(), -1)
    os.chmod(directory, 0o700)
