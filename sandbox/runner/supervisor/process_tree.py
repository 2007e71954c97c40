"""List the children and descendants of a process, and kill a process or all processes of a uid."""

from __future__ import annotations

import os
import signal

from sandbox.runner.supervisor.usage import read_kernel_file

HAS_CHILDREN_FILE = os.path.exists(f"/proc/self/task/{os.getpid()}/children")  # False on gVisor


def list_children(pid: int) -> list[int]:
    """Return the pids of a process's direct children, including those of all its threads; empty if it has ended."""
    if not HAS_CHILDREN_FILE:
        return _map_children().get(pid, [])
    found: list[int] = []
    try:
        threads = os.listdir(f"/proc/{pid}/task")
        for thread in threads:
            found += map(int, read_kernel_file(f"/proc/{pid}/task/{thread}/children").split())
    except OSError:
        return found
    return found


def list_descendants(pid: int) -> list[int]:
    """Return the pids of all living descendants of a process. Parents precede their children."""
    listed = None if HAS_CHILDREN_FILE else _map_children()
    found: list[int] = []
    waiting = [pid]
    while waiting:
        parent = waiting.pop()
        its_own = list_children(parent) if listed is None else listed.get(parent, [])
        found += its_own
        waiting += its_own
    return found


def _map_children() -> dict[int, list[int]]:
    """Map the pid of every process to the pids of its children, based on the parent in each process's status."""
    found: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if not name.isdecimal():
            continue
        try:
            status = read_kernel_file(f"/proc/{name}/stat")
        except OSError:
            continue
        parent = int(status.rpartition(b")")[2].split()[1])  # a process name may contain parentheses
        found.setdefault(parent, []).append(int(name))
    return found


def kill(pid: int) -> None:
    """Kill a process; it is no error if it has already ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def kill_user(uid: int, spare_uid: int) -> None:
    """Kill every process whose real or saved uid is `uid`, with one system call. Only root can do this.

    A list of pids could be outdated before it is read. The kernel lets a process send a signal if its real or effective
    uid equals the target's real or saved uid. So the killer's effective uid is `uid`, and its real and saved uid are
    `spare_uid`, which no other process may have. It thus kills no process whose real uid is root, even if that process
    acts with an effective uid of `uid`, and no process of `uid` can stop the killer.
    """
    pid = os.fork()
    if pid == 0:
        try:
            os.setresuid(spare_uid, uid, spare_uid)
            os.kill(-1, signal.SIGKILL)
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
