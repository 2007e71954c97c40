"""Drop Linux capabilities: the supervisor of a box keeps only a few, and programs have none."""

from __future__ import annotations

import ctypes
import os
import signal
from collections.abc import Sequence
from pathlib import Path

CAPABILITY_NUMBERS = {
    "CHOWN": 0,
    "DAC_OVERRIDE": 1,
    "KILL": 5,
    "SETGID": 6,
    "SETUID": 7,
    "IPC_LOCK": 14,
    "SYS_ADMIN": 21,
}
CAPABILITY_VERSION = 0x2008_0522
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 4, 24, 38

_libc = ctypes.PyDLL(None, use_errno=True)


def has_capability(name: str) -> bool:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return bool(int(line.split()[1], 16) >> CAPABILITY_NUMBERS[name] & 1)
    return False


def give_up_capabilities(names: Sequence[str]) -> None:
    """Drop all capabilities except the named ones, and prevent children from gaining more."""
    for number in range(64):
        if number not in {CAPABILITY_NUMBERS[name] for name in names}:
            # fails without CAP_SETPCAP, but no_new_privs below has the same effect
            _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    mask = sum(1 << CAPABILITY_NUMBERS[name] for name in names if has_capability(name))
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)(mask, mask, 0, 0, 0, 0)
    if _libc.capset(header, sets) != 0 or _libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"capset: {os.strerror(ctypes.get_errno())}")
    _libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)  # other processes cannot read this memory
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
