"""Set up the supervisor's own process, before any program runs."""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_CHILD_SUBREAPER = 36
MCL_CURRENT, MCL_ONFAULT = 1, 4


def set_up_process() -> None:
    """Make this process adopt orphans, lock its memory, and pass no inherited descriptors to its children."""
    close_descriptors_on_exec()
    lock_memory()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    os.umask(0o022)


def lock_memory() -> None:
    """Lock this process's pages in memory, so that a program that fills the box cannot evict them.

    The supervisor has to end such a program. Without CAP_IPC_LOCK the lock fails, and the supervisor then ends it only
    slowly.
    """
    ctypes.CDLL(None).mlockall(MCL_CURRENT | MCL_ONFAULT)


def close_descriptors_on_exec() -> None:
    """Make sure that no inherited descriptor is passed on to child processes."""
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > sys.stderr.fileno():
                os.set_inheritable(int(name), False)
        except OSError:  # the descriptor of the listing itself, which is closed by now
            continue


def deny_pseudo_terminals() -> None:
    """Make pseudo-terminals unavailable. No cgroup limits their buffers, and the machine has only a few of them."""
    try:
        os.chmod("/dev/ptmx", 0o600)
    except OSError:  # the device does not exist
        return
