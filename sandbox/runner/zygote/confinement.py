"""Confine the calling process: set resource limits, switch to another uid, and install a system-call filter.

The zygote sets no_new_privs and installs the system-call filter once. Each child inherits both and restricts itself
further. The order matters: limits and the OOM score come first, while the process is still privileged. Then comes the
uid change, which drops every capability. The parent-death signal comes last, because a uid change clears it.

Two hard limits keep the host's value, so that programs can raise their soft limits as on any other machine. One is the
limit of the stack, whose memory the cgroup counts like any other memory. The other is the limit of CPU time, which the
supervisor enforces. The limits of open files are the Linux defaults.
"""

from __future__ import annotations

import ctypes
import errno
import os
import resource
import signal
import struct

from sandbox.runner.launch_spec import LaunchSpec

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

SOFT_OPEN_FILES, MAX_OPEN_FILES = 512, 4_096
MAX_LOCKED_BYTES = 65_536
MAX_PENDING_SIGNALS = 1_024  # including timers
CORE_LIMIT_BYTES = (
    1  # core(5): with 0 the kernel still starts the helper in the host's core_pattern; 1 byte prevents that, too
)


class SyscallFilter:
    """A compiled system-call filter. Children inherit it."""

    def __init__(self, program: bytes) -> None:
        self._code = ctypes.create_string_buffer(program, len(program))
        packed = struct.pack("@HP", len(program) // 8, ctypes.addressof(self._code))
        self._header = ctypes.create_string_buffer(packed, len(packed))
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl

    def install(self) -> None:
        """Install the filter permanently for this process and its future descendants.

        Raises OSError if the kernel refuses.
        """
        if self._prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, self._header, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "seccomp filter refused")


_prctl = ctypes.CDLL(None, use_errno=True).prctl


def set_limits(spec: LaunchSpec) -> None:
    """Set kernel limits for this process and its children.

    The CPU limit here is only a backup, because it counts whole seconds. Raises OSError or ValueError if the host's
    hard limits are lower than the program's limits.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (spec.cpu_limit_s, _get_hard_limit(resource.RLIMIT_CPU)))
    resource.setrlimit(resource.RLIMIT_FSIZE, (spec.file_bytes, spec.file_bytes))
    if _get_hard_limit(resource.RLIMIT_CORE) != 0:
        resource.setrlimit(resource.RLIMIT_CORE, (CORE_LIMIT_BYTES, CORE_LIMIT_BYTES))
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (SOFT_OPEN_FILES, _cap_to_hard_limit(resource.RLIMIT_NOFILE, MAX_OPEN_FILES))
    )
    resource.setrlimit(resource.RLIMIT_NPROC, (spec.processes, spec.processes))
    resource.setrlimit(resource.RLIMIT_STACK, (spec.memory_bytes, _get_hard_limit(resource.RLIMIT_STACK)))
    _lower_limit(resource.RLIMIT_MEMLOCK, MAX_LOCKED_BYTES)
    _lower_limit(resource.RLIMIT_MSGQUEUE, 0)
    _lower_limit(resource.RLIMIT_SIGPENDING, MAX_PENDING_SIGNALS)


def _get_hard_limit(kind: int) -> int:
    return resource.getrlimit(kind)[1]


def _cap_to_hard_limit(kind: int, value: int) -> int:
    hard = _get_hard_limit(kind)
    return value if hard == resource.RLIM_INFINITY else min(hard, value)


def _lower_limit(kind: int, value: int) -> None:
    """Lower a limit that protects only the kernel.

    Ignore EPERM, which kernels without this limit return, such as gVisor.
    """
    lowered = _cap_to_hard_limit(kind, value)
    try:
        resource.setrlimit(kind, (lowered, lowered))
    except ValueError:  # how `resource` reports EPERM
        return
    except OSError as error:
        if error.errno != errno.EPERM:
            raise


def set_dumpable(dumpable: bool) -> None:
    """Set whether processes of the same user may read and write this process's memory through /proc."""
    _prctl(PR_SET_DUMPABLE, int(dumpable), 0, 0, 0)


def raise_oom_score() -> None:
    """Make the kernel kill the program and not the supervisor when memory runs out."""
    descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    try:
        os.write(descriptor, b"1000")
    finally:
        os.close(descriptor)


def switch_user(uid: int | None) -> None:
    """Give up root permanently: no groups, no capabilities, a unique uid. Do nothing if `uid` is None."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        _prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # otherwise /proc/self, and with it /dev/stdin, would belong to root


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent ends.

    Call this after the uid change, which clears the setting.
    """
    if _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "parent-death signal")


def set_no_new_privileges() -> None:
    """Set no_new_privs, so that set-user-ID files grant no privileges. A system-call filter requires it."""
    if _prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs refused")
