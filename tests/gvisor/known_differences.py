"""Attacks on features that gVisor lacks: their results under gVisor, and why they are still contained.

If an attack no longer differs, its test fails; remove it from this list then.
"""

from __future__ import annotations

SEEN = "gVisor shows any process's environment, memory map and descriptor list in /proc; their memory stays closed"
COSMETIC = "gVisor lets a program set it and does nothing with it: it schedules and ends processes by its own rules"
FAST = "memory is looked at 20 times a second: what fills it faster meets the host's limit"
BUFFERS = "what sockets and pipes buffer lies in gVisor's own memory, which the host limits for the whole box"

# The program prints ESCAPED, or ends differently than on Linux. None of these escapes from gVisor.
KNOWN_DIFFERENCES = {
    "reading/proc_supervisor.py": SEEN,
    "reading/proc_zygote.py": SEEN,
    "reading/shadow.sh": SEEN,
    "starving/real_time.c": COSMETIC,
    "starving/udp_buffers.py": BUFFERS,
    "escalating/write_self_proc.py": COSMETIC,
    "forging/disturb_zygote.c": COSMETIC,
    "escalating/device_nodes.c": "a node can be made, and leads to none of the host's devices: gVisor has only its own",
    "escalating/int80_calls.c": "gVisor has no 32-bit calls: they fail instead of ending the program",
    "staying/descriptors_in_flight.c": "descriptors that sockets hold of each other stay open there: a runtime error",
    "starving/file_locks.py": "gVisor has no /proc/locks to count; locks lie in its own memory, which the host limits",
    "starving/cpu_never_waited_for.c": "gVisor has no clock of the whole box; the wall limit holds",
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
