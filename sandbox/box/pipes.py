"""Pipes between a worker and a program: their size, and waiting for their last writer."""

from __future__ import annotations

import fcntl
import select
import socket
import time

from sandbox.errors import BoxError

PIPE_BYTES = 65_536
LARGE_PIPE_BYTES = 1 << 20
GC_POLL_INTERVAL_S = 0.01


def wait_for_last_writer(descriptor: int, deadline: float) -> None:
    """Wait briefly for more data in a pipe or its end. Raises BoxError after the deadline.

    A pipe can stay open after its program has ended. For example, two Unix sockets may hold descriptors of each other
    that were sent but never received. Only the kernel's garbage collector closes these, and it runs when any Unix
    socket is closed.
    """
    for one in socket.socketpair():
        one.close()
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(GC_POLL_INTERVAL_S * 1000) and time.monotonic() > deadline:
        raise BoxError("a process of the program outlived it and keeps its output open")


def enlarge_pipe(descriptor: int) -> None:
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, LARGE_PIPE_BYTES)
    except OSError:  # over the user's limit of pipe memory, so the pipe stays small but works
        return
