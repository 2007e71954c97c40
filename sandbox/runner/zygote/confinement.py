"""Take rights away from the calling process: resource limits, a uid of its own, no new privileges, a system-call
filter.

The zygote gives up new privileges and filters its own system calls, once; each child inherits both and takes more from
itself. Order matters: limits and the OOM score first, while still privileged; then the uid change, which drops every
capability; last the parent-death signal, which a uid change clears.

Two hard limits stay as the host has them, for programs raise them as they may on any other machine: the stack's, whose
memory the cgroup counts like any other, and that of CPU time, which the supervisor's clock ends. The hard limit of
open files is Linux' own default; the soft one is what a program begins with.
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
MAX_PENDING_SIGNALS = 1_024  # timers included
CORE_LIMIT_BYTES = (
    1  # with 0 the kernel still starts the helper a host may name in core_pattern; 1 byte stops that, too: core(5)
)


class SyscallFilter:
    """A compiled system-call filter; children inherit it."""

    def __init__(self, program: bytes) -> None:
        self._code = ctypes.create_string_buffer(program, len(program))
        packed = struct.pack("@HP", len(program) // 8, ctypes.addressof(self._code))
        self._header = ctypes.create_string_buffer(packed, len(packed))
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl

    def install(self) -> None:
        """Filter this process and its descendants for good. Raises OSError where the kernel refuses."""
        if self._prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, self._header, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "seccomp filter refused")


_prctl = ctypes.CDLL(None, use_errno=True).prctl


def set_limits(spec: LaunchSpec) -> None:
    """Kernel limits for this process and what it starts. The CPU limit here is the second line: it counts whole
    seconds. Raises OSError or ValueError if the host's hard limits are below what the program is promised.
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
    """A limit that protects the kernel alone. A kernel that does not have it, such as gVisor's, refuses with EPERM."""
    lowered = _cap_to_hard_limit(kind, value)
    try:
        resource.setrlimit(kind, (lowered, lowered))
    except ValueError:  # how `resource` reports EPERM
        return
    except OSError as error:
        if error.errno != errno.EPERM:
            raise


def set_dumpable(dumpable: bool) -> None:
    """Whether processes of our own user may read and write this one's memory through /proc."""
    _prctl(PR_SET_DUMPABLE, int(dumpable), 0, 0, 0)


def raise_oom_score() -> None:
    """So that running out of memory costs the program its life, never the supervisor."""
    descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    try:
        os.write(descriptor, b"1000")
    finally:
        os.close(descriptor)


def switch_user(uid: int | None) -> None:
    """Give up root for good: no groups, no capabilities, a uid nobody else has. None where the host lends no uids."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        _prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self, and with it /dev/stdin, would belong to root


def die_with_parent() -> None:
    """Be killed when the parent ends. Call after the uid has changed, which clears it."""
    if _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "parent-death signal")


def set_no_new_privileges() -> None:
    """No set-user-ID file gives this process or its descendants anything, for good; a filter asks for it."""
    if _prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs refused")
