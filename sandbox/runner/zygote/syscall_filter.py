"""Build the system-call filter for programs: define its rules and compile them to a BPF program.

The rules are a deny list with an upper bound. Calls above the newest known number fail with ENOSYS, so new kernel
features are not available by default. In a container, Docker's allow list applies as well. The deny list includes calls
that consume resources that neither a cgroup nor another limit restricts. The threat model contains the table of these
calls.

The BPF program is a binary search over the call's number, so every call takes about nine instructions. Since Linux
5.11, the kernel remembers which calls are always allowed, whatever their arguments, and skips the filter for them.
"""

from __future__ import annotations

import errno
import os
import platform
import struct
from collections.abc import Mapping, Sequence
from typing import NamedTuple

# Denied system calls by group, as (x86_64, aarch64) numbers; None if the architecture lacks the call. Source: the
# kernel's arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
DENIED_CALLS: dict[str, dict[str, tuple[int | None, int | None]]] = {
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
        "io_setup": (206, 0), "seccomp": (317, 277), "landlock_create_ruleset": (444, 444),
        "landlock_add_rule": (445, 445), "landlock_restrict_self": (446, 446), "lsm_set_self_attr": (460, 460),
        "syslog": (103, 116), "memfd_secret": (447, 447), "vmsplice": (278, 75), "move_pages": (279, 239),
        "migrate_pages": (256, 238), "mbind": (237, 235), "set_mempolicy": (238, 237),
        "set_mempolicy_home_node": (450, 450),
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
# Calls that a listener may decide instead of the kernel: they change ids or capabilities.
IDENTITY_CALLS: dict[str, tuple[int, int]] = {
    "setuid": (105, 146), "setgid": (106, 144), "setreuid": (113, 145), "setregid": (114, 143),
    "setgroups": (116, 159), "setresuid": (117, 147), "setresgid": (119, 149), "setfsuid": (122, 151),
    "setfsgid": (123, 152), "capset": (126, 91),
}  # fmt: skip
NEWEST_KNOWN_CALL = 470
# These calls return 0 and do nothing: the kernel would otherwise write out the file systems of the whole machine.
IGNORED_CALLS: dict[str, tuple[int, int]] = {"sync": (162, 81), "syncfs": (306, 267)}

# No new namespaces, and no CLONE_PARENT: its process would be a child of the zygote, where nobody looks for it.
DENIED_CLONE_FLAGS = 0x7E02_0000 | 0x0000_0080 | 0x0000_8000
AF_UNIX, AF_INET, AF_INET6 = 1, 2, 10  # the box's network namespace has only loopback
SOCK_STREAM, SOCK_DGRAM = 1, 2
# For any other pair the kernel starts modprobe on the host to look for a module, and no cgroup is charged for it.
INTERNET_PROTOCOLS: dict[int, dict[int, tuple[int, ...]]] = {
    AF_INET: {SOCK_STREAM: (0, 6), SOCK_DGRAM: (0, 17, 1)},
    AF_INET6: {SOCK_STREAM: (0, 6), SOCK_DGRAM: (0, 17)},
}
UNIX_PROTOCOLS = (0, 1)
SOCKET_TYPE_MASK = 0xF  # the remaining bits are SOCK_NONBLOCK and SOCK_CLOEXEC
TERMINAL_INJECTION = 0x5412  # TIOCSTI
PRCTL_SECCOMP, PRCTL_NAME_MEMORY = 22, 0x5356_4D41  # PR_SET_SECCOMP, PR_SET_VMA
# F_OFD_SETLK, F_OFD_SETLKW: no process owns these locks, so they cannot be counted per box
OPEN_FILE_LOCK_COMMANDS = (37, 38)
HUGE_MAPPING, HUGE_MEMORY_FILE = 0x4_0000, 0x4  # MAP_HUGETLB, MFD_HUGETLB: no memory cgroup counts these pages
NOTIFICATION_PIPE = 0x80  # O_NOTIFICATION_PIPE: no memory cgroup counts its pages

SOL_IP, SOL_SOCKET, SOL_TCP, SOL_IPV6 = 0, 1, 6, 41
# SO_ATTACH_FILTER, SO_DETACH_FILTER, SO_LOCK_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF
SOCKET_FILTER_OPTIONS = (26, 27, 44, 50, 51, 52)
NEWEST_SOCKET_OPTION = 84
# The options allowed on other levels, as the first and last option of each range. Group memberships, flow labels, keys
# and upper-layer protocols are denied, because the kernel allocates memory for each of them.
ALLOWED_SOCKET_OPTIONS: dict[int, tuple[tuple[int, int], ...]] = {
    SOL_IP: ((1, 3), (5, 15), (19, 34), (49, 51)),
    SOL_TCP: ((1, 13), (16, 18), (23, 30), (34, 37)),
    SOL_IPV6: ((1, 1), (16, 19), (23, 26), (29, 29), (33, 33), (49, 52), (66, 67), (70, 76)),
}

_LOAD, _JUMP, _JEQ, _JGE, _JSET, _AND, _RETURN = 0x20, 0x05, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _KILL, _ERRNO, _NOTIFY = 0x7FFF_0000, 0x8000_0000, 0x0005_0000, 0x7FC0_0000
# offsets in the call's data; a branch offset is one byte
_NUMBER_OFFSET, _ARCHITECTURE_OFFSET, _MAX_BRANCH = 0, 4, 0xFF


class Architecture(NamedTuple):
    """The numbers of one architecture that the filter needs. `column` is its index in the tables above."""

    audit_id: int
    column: int
    clone: int
    clone3: int
    socket: int
    socketpair: int
    ioctl: int
    setsockopt: int
    prctl: int
    mmap: int
    memfd_create: int
    fcntl: int
    pipe2: int


ARCHITECTURES = {
    "x86_64": Architecture(0xC000_003E, 0, 56, 435, 41, 53, 16, 54, 157, 9, 319, 72, 293),
    "aarch64": Architecture(0xC000_00B7, 1, 220, 435, 198, 199, 29, 208, 167, 222, 279, 25, 59),
}


class Instruction(NamedTuple):
    """One BPF instruction (struct sock_filter)."""

    code: int
    value: int = 0
    if_true: int = 0
    if_false: int = 0

    def pack(self) -> bytes:
        return struct.pack("@HBBI", self.code, self.if_true, self.if_false, self.value & 0xFFFF_FFFF)


Instructions = list[Instruction]


def allow() -> Instructions:
    return [Instruction(_RETURN, _ALLOW)]


def deny(error: int) -> Instructions:
    """Return `error` from the call without executing it. With 0, the call appears to succeed."""
    return [Instruction(_RETURN, _ERRNO | error)]


def load_argument(index: int) -> Instructions:
    """Load the low 32 bits of an argument, which is all that the kernel reads of an int."""
    return [Instruction(_LOAD, 16 + 8 * index)]


def branch_on_bits(mask: int, then: Instructions, otherwise: Instructions) -> Instructions:
    return [Instruction(_JSET, mask, 0, len(then)), *then, *otherwise]


def branch_on_value(
    cases: Mapping[int, Instructions],
    otherwise: Instructions,
    newest: int | None = None,
    above: Instructions | None = None,
) -> Instructions:
    """Branch to the case for the loaded value by binary search; `otherwise` handles values without a case.

    `above` handles values above `newest`.
    """
    # each starts at this value and ends where the next begins
    segments: list[tuple[int, Instructions]] = [(0, otherwise)]
    for value in sorted(cases):
        if segments[-1][0] == value:
            segments.pop()
        if not segments or segments[-1][1] != cases[value]:
            segments.append((value, cases[value]))
        segments.append((value + 1, otherwise))
    if newest is not None and above is not None:
        segments = [segment for segment in segments if segment[0] <= newest] + [(newest + 1, above)]
    return _build_search(segments)


def _build_search(segments: Sequence[tuple[int, Instructions]]) -> Instructions:
    if len(segments) == 1:
        return segments[0][1]
    middle = len(segments) // 2
    below, above = _build_search(segments[:middle]), _build_search(segments[middle:])
    if len(below) <= _MAX_BRANCH:
        return [Instruction(_JGE, segments[middle][0], len(below), 0), *below, *above]
    return [Instruction(_JGE, segments[middle][0], 0, 1), Instruction(_JUMP, len(below)), *below, *above]


def branch_on_ranges(ranges: Sequence[tuple[int, int]], inside: Instructions, outside: Instructions) -> Instructions:
    return branch_on_value({value: inside for first, last in ranges for value in range(first, last + 1)}, outside)


def _filter_clone() -> Instructions:
    return [*load_argument(0), *branch_on_bits(DENIED_CLONE_FLAGS, deny(errno.EPERM), allow())]


def _filter_ioctl() -> Instructions:
    return [*load_argument(1), *branch_on_value({TERMINAL_INJECTION: deny(errno.EPERM)}, allow())]


def _filter_socket(ipv6: bool) -> Instructions:
    def filter_protocols(known: Sequence[int]) -> Instructions:
        return [*load_argument(2), *branch_on_value(dict.fromkeys(known, allow()), deny(errno.EPROTONOSUPPORT))]

    families = {AF_UNIX: filter_protocols(UNIX_PROTOCOLS)}
    for family, types in INTERNET_PROTOCOLS.items():
        if family == AF_INET6 and not ipv6:
            continue
        by_type = branch_on_value(
            {kind: filter_protocols(known) for kind, known in types.items()}, deny(errno.ESOCKTNOSUPPORT)
        )
        families[family] = [*load_argument(1), Instruction(_AND, SOCKET_TYPE_MASK), *by_type]
    return [*load_argument(0), *branch_on_value(families, deny(errno.EAFNOSUPPORT))]


def _filter_setsockopt() -> Instructions:
    unknown = deny(errno.ENOPROTOOPT)
    filters = dict.fromkeys(SOCKET_FILTER_OPTIONS, deny(errno.EPERM))
    levels = {SOL_SOCKET: [*load_argument(2), *branch_on_value(filters, allow(), NEWEST_SOCKET_OPTION, unknown)]}
    for level, ranges in ALLOWED_SOCKET_OPTIONS.items():
        levels[level] = [*load_argument(2), *branch_on_ranges(ranges, allow(), unknown)]
    return [*load_argument(1), *branch_on_value(levels, unknown)]


def _filter_prctl() -> Instructions:
    options = {PRCTL_SECCOMP: deny(errno.EPERM), PRCTL_NAME_MEMORY: deny(errno.EINVAL)}
    return [*load_argument(0), *branch_on_value(options, allow())]


def _filter_mmap() -> Instructions:
    return [*load_argument(3), *branch_on_bits(HUGE_MAPPING, deny(errno.ENOMEM), allow())]


def _filter_memfd_create() -> Instructions:
    return [*load_argument(1), *branch_on_bits(HUGE_MEMORY_FILE, deny(errno.ENOMEM), allow())]


def _filter_fcntl() -> Instructions:
    return [*load_argument(1), *branch_on_value(dict.fromkeys(OPEN_FILE_LOCK_COMMANDS, deny(errno.EINVAL)), allow())]


def has_ipv6() -> bool:
    """Return whether this kernel currently supports IPv6. A kernel without it starts modprobe for each IPv6 socket."""
    return os.path.exists("/proc/net/if_inet6")


def _filter_pipe2() -> Instructions:
    return [*load_argument(1), *branch_on_bits(NOTIFICATION_PIPE, deny(errno.ENOPKG), allow())]


def build_filter(machine: str = "", ipv6: bool = True, notify_identity_calls: bool = False) -> bytes:
    """Build the filter as BPF instructions (struct sock_filter[]). Raises KeyError for an unknown architecture.

    `notify_identity_calls` sends each call that changes ids or capabilities to the filter's listener.
    """
    arch = ARCHITECTURES[machine or platform.machine()]
    calls: dict[int, Instructions] = {}
    for group in DENIED_CALLS.values():
        calls |= {number: deny(errno.EPERM) for pair in group.values() if (number := pair[arch.column]) is not None}
    calls |= {pair[arch.column]: deny(0) for pair in IGNORED_CALLS.values()}
    calls |= {
        # its flags are in memory that a filter cannot read; libc then falls back to clone
        arch.clone3: deny(errno.ENOSYS),
        arch.clone: _filter_clone(),
        arch.ioctl: _filter_ioctl(),
        arch.socket: _filter_socket(ipv6),
        arch.socketpair: _filter_socket(ipv6),
        arch.setsockopt: _filter_setsockopt(),
        arch.prctl: _filter_prctl(),
        arch.mmap: _filter_mmap(),
        arch.memfd_create: _filter_memfd_create(),
        arch.fcntl: _filter_fcntl(),
        arch.pipe2: _filter_pipe2(),
    }
    if notify_identity_calls:
        calls |= {pair[arch.column]: [Instruction(_RETURN, _NOTIFY)] for pair in IDENTITY_CALLS.values()}
    # ENOSYS also blocks the x32 calls, whose numbers start at 0x40000000.
    return build_for_architecture(arch, branch_on_value(calls, allow(), NEWEST_KNOWN_CALL, deny(errno.ENOSYS)))


def build_for_architecture(arch: Architecture, code: Instructions) -> bytes:
    """Build a filter that loads the call's number and runs `code`.

    A call for any other architecture kills the process.
    """
    return b"".join(
        instruction.pack()
        for instruction in (
            Instruction(_LOAD, _ARCHITECTURE_OFFSET),
            Instruction(_JEQ, arch.audit_id, 1, 0),
            Instruction(_RETURN, _KILL),
            Instruction(_LOAD, _NUMBER_OFFSET),
            *code,
        )
    )
