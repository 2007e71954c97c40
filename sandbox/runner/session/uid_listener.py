"""Handle a REPL's system-call listener in the supervisor: decide which process may switch to which uid."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import NamedTuple

# struct seccomp_notif: id, pid, flags, number, architecture, instruction pointer, six arguments
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_RESPONSE = struct.Struct("=QqiI")  # struct seccomp_notif_resp: id, value, error, flags
_RECEIVE, _SEND, _IS_VALID = 0xC050_2100, 0xC018_2101, 0x4008_2102
_CONTINUE = 1
_SETRESUID_NUMBERS = {"x86_64": 117, "aarch64": 147}
SETRESUID = _SETRESUID_NUMBERS.get(os.uname().machine, -1)


class ExpectedSwitch(NamedTuple):
    """A change of uid that is allowed once: by the process `pid`, from `old_uid` to `new_uid`."""

    pid: int
    old_uid: int
    new_uid: int


def answer_notification(listener: int, expected: dict[int, ExpectedSwitch]) -> None:
    """Answer one system call of a listener: allow an expected switch, once, and deny anything else."""
    buffer = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EINTR}:  # the caller was killed or interrupted
            return
        raise
    identity, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(buffer)
    switch = expected.get(pid)
    allowed = (
        switch is not None
        and number == SETRESUID
        and [value & 0xFFFF_FFFF for value in arguments[:3]] == [switch.new_uid] * 3
        and _is_single_process(pid, switch.old_uid)
        and _is_waiting(listener, identity)
    )
    if allowed:
        del expected[pid]
        response = _RESPONSE.pack(identity, 0, 0, _CONTINUE)
    else:
        response = _RESPONSE.pack(identity, 0, -errno.EPERM, 0)
    try:
        fcntl.ioctl(listener, _SEND, response)
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise


def _is_single_process(pid: int, uid: int) -> bool:
    """Return whether `pid` is a process with one thread, all of whose uids are `uid`.

    A thread could otherwise take a uid that the rest of its process does not have.
    """
    status = read_status(pid)
    return status.get("Tgid") == str(pid) and status.get("Threads") == "1" and has_uid(status, uid)


def read_status(pid: int) -> dict[str, str]:
    """Return the fields of a process's status file; empty if it has ended."""
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return {}
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def has_uid(status: dict[str, str], uid: int) -> bool:
    return status.get("Uid", "").split() == [str(uid)] * 4


def _is_waiting(listener: int, identity: int) -> bool:
    """Return whether the system call is still waiting. If so, its pid was not reused while its status was read."""
    try:
        fcntl.ioctl(listener, _IS_VALID, struct.pack("=Q", identity))
    except OSError:
        return False
    return True
