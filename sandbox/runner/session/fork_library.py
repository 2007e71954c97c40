"""Load `detached_fork.c`, which forks a REPL's branches."""

from __future__ import annotations

import ctypes
import functools
import os

LIBRARY = f"{os.path.dirname(__file__)}/detached_fork.so"


@functools.cache
def load() -> ctypes.PyDLL:
    """Load the library. The supervisor does so for all REPLs. Raises OSError."""
    return ctypes.PyDLL(LIBRARY)


def fork_detached(count: int) -> int | None:
    """Fork `count` processes that are not children of this one.

    In each of them, return its number, which counts from 0. In this process, return None. Raises OSError if not all of
    them could be forked.
    """
    number: int = load().fork_detached(count)
    if number < 0:
        raise OSError(-number, os.strerror(-number))
    return number if number < count else None
