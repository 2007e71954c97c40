"""Take rights away from the calling process: resource limits, a uid of its own, no new privileges, a system-call
filter.

The zygote gives up new privileges and filters its own system calls, once; each child inherits both and takes more from
itself. Order matters: limits and the OOM score first, while still privileged; then the uid change, which drops every
capability; last the parent-death signal, which a uid change clears. The filter is a deny list closed at the top: every
number above the newest one known here is answered ENOSYS, so a kernel's next feature is not open by default. In a
container Docker's own allow list lies underneath it.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import signal
import struct
from dataclasses import dataclass

from sandbox.runner.job import Job

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38
SECCOMP_MODE_FILTER = 2

OPEN_FILES = 512
NO_CORE = (
    1  # with 0 the kernel still starts the helper a host may name in core_pattern; 1 byte stops that, too: core(5)
)

# Denied system calls by group, as (x86_64, aarch64) numbers; None where the architecture has no such call. Source:
# the kernel's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
DENIED: dict[str, dict[str, tuple[int | None, int | None]]] = {
    "other processes' memory": {
        "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
        "pidfd_getfd": (438, 438), "process_madvise": (440, 440), "process_mrelease": (448, 448),
    },
    "namespaces and mounts": {
        "unshare": (272, 97), "setns": (308, 268), "mount": (165, 40), "umount2": (166, 39),
        "pivot_root": (155, 41), "chroot": (161, 51), "open_tree": (428, 428), "move_mount": (429, 429),
        "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
        "mount_setattr": (442, 442), "open_tree_attr": (467, 467), "statmount": (457, 457), "listmount": (458, 458),
        "listns": (470, 470), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
        "quotactl": (179, 60), "quotactl_fd": (443, 443), "swapon": (167, 224), "swapoff": (168, 225),
        "acct": (163, 89), "fanotify_init": (300, 262), "fanotify_mark": (301, 263),
    },
    "kernel attack surface": {
        "bpf": (321, 280), "perf_event_open": (298, 241), "userfaultfd": (323, 282), "io_uring_setup": (425, 425),
        "io_uring_enter": (426, 426), "io_uring_register": (427, 427), "kexec_load": (246, 104),
        "kexec_file_load": (320, 294), "init_module": (175, 105), "finit_module": (313, 273),
        "delete_module": (176, 106), "create_module": (174, None), "lookup_dcookie": (212, 18),
        "modify_ldt": (154, None), "personality": (135, 92), "iopl": (172, None), "ioperm": (173, None),
        "io_setup": (206, 0),
        "syslog": (103, 116), "memfd_secret": (447, 447), "vmsplice": (278, 75), "move_pages": (279, 239),
        "migrate_pages": (256, 238), "mbind": (237, 235), "set_mempolicy": (238, 237),
    },
    "things that outlive a process": {
        "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219), "shmget": (29, 194),
        "shmat": (30, 196), "shmctl": (31, 195), "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191),
        "semtimedop": (220, 192), "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188),
        "msgctl": (71, 187), "mq_open": (240, 180), "mq_unlink": (241, 181), "mq_timedsend": (242, 182),
        "mq_timedreceive": (243, 183),
    },
    "the machine": {
        "reboot": (169, 142), "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170),
        "clock_settime": (227, 112), "clock_adjtime": (305, 266), "adjtimex": (159, 171), "vhangup": (153, 58),
        "uselib": (134, None), "ustat": (136, None), "sysfs": (139, None), "nfsservctl": (180, 42),
    },
}  # fmt: skip
NEWEST_KNOWN = 470
# No new namespaces, and no CLONE_PARENT: its process would be the zygote's child, which nobody looks for.
DENIED_CLONE_FLAGS = 0x7E02_0000 | 0x0000_0080 | 0x0000_8000
SOCKET_PROTOCOLS = (0, 1, 6, 17)  # the default, AF_UNIX and ICMP, TCP, UDP: any other may load a kernel module
SOCKET_FAMILIES = (1, 2, 10)  # AF_UNIX, AF_INET, AF_INET6; the box's network namespace holds nothing but loopback
TERMINAL_INJECTION = 0x5412  # TIOCSTI

_LOAD, _JEQ, _JGE, _JSET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _KILL, _ERRNO = 0x7FFF_0000, 0x8000_0000, 0x0005_0000


@dataclass(frozen=True, slots=True)
class _Architecture:
    audit: int
    column: int
    clone: int
    clone3: int
    socket: int
    socketpair: int
    ioctl: int


_ARCHITECTURES = {
    "x86_64": _Architecture(0xC000_003E, 0, 56, 435, 41, 53, 16),
    "aarch64": _Architecture(0xC000_00B7, 1, 220, 435, 198, 199, 29),
}


class Filter:
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


def _deny(error: int) -> int:
    return _ERRNO | error


def filter_program(machine: str = "") -> bytes:
    """The filter as BPF instructions (struct sock_filter[]). Raises KeyError for an unknown architecture."""
    arch = _ARCHITECTURES[machine or platform.machine()]
    numbers = sorted(
        {pair[arch.column] for group in DENIED.values() for pair in group.values()} - {None}, key=lambda n: n or 0
    )
    code: list[tuple[int, int, int, int]] = []

    def emit(op: int, value: int, if_true: int = 0, if_false: int = 0) -> None:
        code.append((op, if_true, if_false, value & 0xFFFF_FFFF))

    emit(_LOAD, 4)
    emit(_JEQ, arch.audit, 1, 0)
    emit(_RETURN, _KILL)
    emit(_LOAD, 0)
    emit(_JGE, NEWEST_KNOWN + 1, 0, 1)  # also closes the x32 calls, whose numbers start at 0x40000000
    emit(_RETURN, _deny(errno.ENOSYS))
    emit(_JEQ, arch.clone3, 0, 1)  # its flags lie in memory where a filter cannot look; ENOSYS makes libc use clone
    emit(_RETURN, _deny(errno.ENOSYS))
    for number in numbers:
        emit(_JEQ, number or 0, 0, 1)
        emit(_RETURN, _deny(errno.EPERM))
    emit(_JEQ, arch.clone, 0, 4)
    emit(_LOAD, 16)
    emit(_JSET, DENIED_CLONE_FLAGS, 0, 1)
    emit(_RETURN, _deny(errno.EPERM))
    emit(_RETURN, _ALLOW)
    emit(_JEQ, arch.ioctl, 0, 4)
    emit(_LOAD, 24)
    emit(_JEQ, TERMINAL_INJECTION, 0, 1)
    emit(_RETURN, _deny(errno.EPERM))
    emit(_RETURN, _ALLOW)
    emit(_JEQ, arch.socketpair, 1, 0)
    emit(_JEQ, arch.socket, 0, len(SOCKET_FAMILIES) + len(SOCKET_PROTOCOLS) + 4)
    emit(_LOAD, 16)
    for position, family in enumerate(SOCKET_FAMILIES):
        emit(_JEQ, family, len(SOCKET_FAMILIES) - position, 0)
    emit(_RETURN, _deny(errno.EAFNOSUPPORT))
    emit(_LOAD, 32)
    for position, protocol in enumerate(SOCKET_PROTOCOLS):
        emit(_JEQ, protocol, len(SOCKET_PROTOCOLS) - position, 0)
    emit(_RETURN, _deny(errno.EPROTONOSUPPORT))
    emit(_RETURN, _ALLOW)
    return b"".join(struct.pack("@HBBI", op, if_true, if_false, value) for op, if_true, if_false, value in code)


_prctl = ctypes.CDLL(None, use_errno=True).prctl


def set_limits(job: Job, message_queues: bool = True) -> None:
    """Kernel limits for this process and what it starts. The CPU limit here is the second line: it counts whole
    seconds.

    Without `message_queues` the kernel has no limit on them (gVisor), and the filter alone denies their calls.
    """
    resource.setrlimit(resource.RLIMIT_CPU, (job.cpu_seconds, job.cpu_seconds + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (job.file_bytes, job.file_bytes))
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != 0:
        resource.setrlimit(resource.RLIMIT_CORE, (NO_CORE, NO_CORE))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_NPROC, (job.processes, job.processes))
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (65_536, 65_536))
    if message_queues:
        resource.setrlimit(resource.RLIMIT_MSGQUEUE, (0, 0))
    resource.setrlimit(resource.RLIMIT_STACK, (job.memory_bytes, job.memory_bytes))


def allow_looks(allowed: bool) -> None:
    """Whether processes of our own user may read and write this one's memory through /proc."""
    _prctl(PR_SET_DUMPABLE, int(allowed), 0, 0, 0)


def be_first_for_the_oom_killer() -> None:
    """So that running out of memory costs the program its life, never the supervisor."""
    descriptor = os.open("/proc/self/oom_score_adj", os.O_WRONLY)
    try:
        os.write(descriptor, b"1000")
    finally:
        os.close(descriptor)


def become(uid: int | None) -> None:
    """Give up root for good: no groups, no capabilities, a uid nobody else has. None where the host lends no uids."""
    if uid is not None:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        _prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)  # else /proc/self, and with it /dev/stdin, would belong to root
    _prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def gain_nothing() -> None:
    """No set-user-ID file gives this process or its descendants anything, for good; a filter asks for it."""
    if _prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no_new_privs refused")
