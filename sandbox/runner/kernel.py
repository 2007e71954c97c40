"""Detect which kernel a box runs on.

gVisor is a separate kernel that lacks some of Linux's limits and counters. Each missing one is listed here with its
replacement.
"""

from __future__ import annotations

import os

GVISOR = "gvisor"
# gVisor's answer to uname(2), the same in all its versions: pkg/sentry/syscalls/linux/linux64.go.
_GVISOR_VERSION = "#1 SMP Sun Jan 10 15:06:54 PST 2016"

GVISOR_MISSING_ISOLATION = (
    "gVisor: memory is polled 20 times a second, not limited by the kernel; exceeding the host's limit ends the box",
    "gVisor: CPU time is counted in steps of 10 ms, and wall time includes waiting for a free CPU",
    "gVisor: programs can read the environment, the memory map and the list of descriptors of the box's own processes",
    "gVisor: the host limits socket and pipe buffers for the whole box, not for each program",
    "gVisor: no limit on POSIX message queues; the system-call filter denies all their calls",
)


def detect_kernel() -> str:
    """Return `gvisor` on gVisor and an empty string on Linux."""
    return GVISOR if os.uname().version == _GVISOR_VERSION else ""
