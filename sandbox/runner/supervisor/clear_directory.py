"""Empty a directory of whatever a hostile program left in it: any depth, any number, any mode.

Nothing here recurses or keeps a list: ten thousand nested directories would end the stack, and the names of sixty
thousand files the memory, which the program may have used up to the last page. A directory found inside is taken apart
by moving its own directories up beside it, so every path stays short. It is first made ours: in one with the sticky bit
set nobody but its owner may delete.
"""

from __future__ import annotations

import os


def clear_directory(root: str) -> None:
    """Remove all that is in `place`, a directory of ours; return once a look at it finds nothing. Raises OSError."""
    found = True
    while found:
        found = False
        with os.scandir(root) as entries:
            for entry in entries:
                found = True
                if entry.is_dir(follow_symlinks=False):
                    _remove_subdirectory(entry.path, root)
                else:
                    os.unlink(entry.path)


def _remove_subdirectory(directory: str, root: str) -> None:
    """Remove a directory with its files; the directories in it move to `place`."""
    take_ownership(directory)
    moved = f"{root}/{os.urandom(8).hex()}"  # a name the program cannot have guessed and taken
    with os.scandir(directory) as entries:
        for number, entry in enumerate(entries):
            if entry.is_dir(follow_symlinks=False):
                take_ownership(entry.path)  # moving a directory writes into it, too
                os.rename(entry.path, f"{moved}-{number}")
            else:
                os.unlink(entry.path)
    os.rmdir(directory)


def take_ownership(directory: str) -> None:
    os.chown(directory, os.geteuid(), -1)
    os.chmod(directory, 0o700)
