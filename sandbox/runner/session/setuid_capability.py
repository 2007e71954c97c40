"""Let a REPL change its uid, which a copy-on-write fork requires. The supervisor allows or denies each use.

Theory of operation. A forked branch must switch to another uid, and no other process can do this for it. A REPL
therefore keeps CAP_SETUID, and its system-call filter sends each call that could use it (set*uid, set*gid, setgroups,
capset) to a listener, which only the supervisor holds (seccomp user notification). The supervisor denies every such
call, except the one `setresuid` that it expects from the child of a fork that it asked for. Its arguments are numbers
in registers, so no other thread can change them after the check.

The capability allows nothing else. It is permitted and effective, but neither inheritable nor ambient, so exec drops
it. Forged credentials of a Unix socket message could only lie to a receiver that trusts the sender's uid: the
supervisor reads only the pid, which CAP_SETUID cannot forge. CAP_SETUID also allows writing the uid map of a new user
namespace, but the filter denies creating one. It grants no access to files, signals or other processes. Processes of
the same uid without the capability cannot open the REPL's memory, because the kernel requires at least the target's
capabilities.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct

from sandbox.runner.zygote import confinement

CAP_SETUID = 7
_CAPABILITY_VERSION = 0x2008_0522
_PR_SET_KEEPCAPS = 8
_SECCOMP_SET_MODE_FILTER = 1
_NEW_LISTENER = 1 << 3
_SECCOMP_NUMBERS = {"x86_64": 317, "aarch64": 277}
_libc = ctypes.CDLL(None, use_errno=True)


def switch_user_keeping_setuid(uid: int) -> None:
    """Switch from root to `uid`, but keep CAP_SETUID. Raises OSError."""
    _call(_libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _set_capabilities(1 << CAP_SETUID)
    _call(_libc.prctl(_PR_SET_KEEPCAPS, 0, 0, 0, 0))
    confinement.set_dumpable(True)


def drop_capabilities() -> None:
    """Give up the capability permanently. Raises OSError."""
    _set_capabilities(0)


def install_filter_with_listener(program: bytes) -> int:
    """Filter this process permanently; return the listener. Raises OSError if the kernel does not support listeners."""
    code = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    number = _SECCOMP_NUMBERS.get(os.uname().machine)
    if number is None:
        raise OSError(errno.ENOSYS, "seccomp")
    return _call(_libc.syscall(number, _SECCOMP_SET_MODE_FILTER, _NEW_LISTENER, header))


def _set_capabilities(mask: int) -> None:
    header = struct.pack("@Ii", _CAPABILITY_VERSION, 0)
    _call(_libc.capset(header, struct.pack("@6I", mask, mask, 0, 0, 0, 0)))


def _call(result: int) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result
