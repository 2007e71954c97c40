"""Attacks on features that gVisor lacks: their results under gVisor, and why they are still contained.

If an attack no longer differs, its test fails; remove it from this list then.
"""

from __future__ import annotations

SEEN = "gVisor shows every process's environment, memory map and descriptor list in /proc, but not its memory"
COSMETIC = "gVisor accepts the setting and ignores it: it schedules and ends processes by its own rules"
FAST = "memory is polled 20 times a second: a program that fills it faster reaches the host's limit"
BUFFERS = "socket and pipe buffers use gVisor's own memory, which the host limits for the whole box"

# The program prints ESCAPED, or ends differently than on Linux. None of these escapes from gVisor.
KNOWN_DIFFERENCES = {
    "reading/proc_supervisor.py": SEEN,
    "reading/proc_zygote.py": SEEN,
    "reading/shadow.sh": SEEN,
    "starving/real_time.c": COSMETIC,
    "starving/udp_buffers.py": BUFFERS,
    "escalating/write_self_proc.py": COSMETIC,
    "forging/disturb_zygote.c": COSMETIC,
    "escalating/device_nodes.c": "a node can be created, but gVisor has only its own devices, none of the host's",
    "escalating/int80_calls.c": "gVisor has no 32-bit calls: they fail instead of ending the program",
    "staying/descriptors_in_flight.c": "descriptors that sockets hold of each other stay open: a runtime error",
    "starving/file_locks.py": "gVisor has no /proc/locks to count; locks use its own memory, which the host limits",
    "starving/cpu_never_waited_for.c": "gVisor has no CPU clock for the whole box; the wall limit applies",
}
# The box may be lost and is replaced; the verdict is the program's own.
LOSES_THE_BOX = {
    "starving/pipes.c": BUFFERS,
    "starving/unix_socket_buffers.c": BUFFERS,
    "starving/udp_buffers.py": BUFFERS,
    "starving/packets_of_one_byte.c": BUFFERS,
    "starving/compile_dev_zero.c": FAST,
    "starving/compile_dev_random.c": FAST,
    "starving/fork_bomb.py": FAST,
}
