"""Describe, create and rename entries of a branch's work directory. Paths follow the rules of `branch_files`."""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

from sandbox.runner.session.branch_files import describe_entry, open_directory, split_path


def stat_file(root: str, path: str) -> dict[str, Any]:
    """Describe one entry, without following a symbolic link; an empty path is the work directory itself."""
    names = split_path(path)
    if not names:
        return describe_entry("", os.stat(root))
    with open_directory(root, names[:-1]) as directory:
        status = os.stat(names[-1], dir_fd=directory, follow_symlinks=False)
    return describe_entry("/".join(names), status)


def make_directory(root: str, path: str) -> bool:
    """Create a directory with its parents; return False if it already exists.

    Raises FileExistsError if the path is not a directory.
    """
    *parents, name = split_path(path) or [""]
    if not name:
        return False
    with open_directory(root, parents, create=True) as directory:
        try:
            os.mkdir(name, 0o755, dir_fd=directory)
        except FileExistsError:
            if stat.S_ISDIR(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
                return False
            raise
    return True


def rename_file(root: str, path: str, target: str) -> None:
    """Rename an entry, and replace a file of the new name. The directory of the new name must exist."""
    names, new_names = split_path(path), split_path(target)
    if not names or not new_names:
        raise OSError(errno.EINVAL, "the work directory itself cannot be renamed or replaced")
    with open_directory(root, names[:-1]) as old, open_directory(root, new_names[:-1]) as new:
        os.rename(names[-1], new_names[-1], src_dir_fd=old, dst_dir_fd=new)
