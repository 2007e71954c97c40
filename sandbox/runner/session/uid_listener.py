"""Handle a REPL's system-call listener in the supervisor: decide which process may switch to which uid."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from collections.abc import Callable
from typing import NamedTuple

# struct seccomp_notif: id, pid, flags, number, architecture, instruction pointer, six arguments
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_RESPONSE = struct.Struct("=QqiI")  # struct seccomp_notif_resp: id, value, error, flags
_RECEIVE, _SEND, _IS_VALID = 0xC050_2100, 0xC018_2101, 0x4008_2102
_CONTINUE = 1
_SETRESUID_NUMBERS = {"x86_64": 117, "aarch64": 147}
SETRESUID = _SETRESUID_NUMBERS.get(os.uname().machine, -1)


class Notification(NamedTuple):
    """A system call that waits in the kernel until it is answered."""

    listener: int
    identity: int

    def answer(self, allow: bool) -> None:
        error, flags = (0, _CONTINUE) if allow else (-errno.EPERM, 0)
        try:
            fcntl.ioctl(self.listener, _SEND, _RESPONSE.pack(self.identity, 0, error, flags))
        except OSError as failure:
            if failure.errno != errno.ENOENT:  # the caller was killed or interrupted
                raise


class ExpectedSwitch(NamedTuple):
    """A change of uid that is allowed once, from `old_uid` to `new_uid`. `begin` gets it, to answer it now or later."""

    old_uid: int
    new_uid: int
    begin: Callable[[Notification], None]


def answer_notification(listener: int, find_switch: Callable[[int], ExpectedSwitch | None]) -> None:
    """Answer one system call of a listener: pass on the switch that is expected of its process, and deny the rest."""
    buffer = bytearray(_NOTIFICATION.size)
    try:
        fcntl.ioctl(listener, _RECEIVE, buffer)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EINTR}:  # the caller was killed or interrupted
            return
        raise
    identity, pid, _, number, _, _, *arguments = _NOTIFICATION.unpack(buffer)
    switch = find_switch(pid)
    if (
        switch is not None
        and number == SETRESUID
        and [value & 0xFFFF_FFFF for value in arguments[:3]] == [switch.new_uid] * 3
        and _is_single_process(pid, switch.old_uid)
        and _is_waiting(listener, identity)
    ):
        switch.begin(Notification(listener, identity))
    else:
        Notification(listener, identity).answer(allow=False)


def _is_single_process(pid: int, uid: int) -> bool:
    """Return whether `pid` is a process with one thread, all of whose uids are `uid`.

    A thread could otherwise take a uid that the rest of its process does not have.
    """
    status = read_status(pid)
    return status.get("Tgid") == str(pid) and status.get("Threads") == "1" and has_uid(status, uid)


def read_status(pid: int) -> dict[str, str]:
    """Return the fields of a process's status file; empty if it has ended."""
    try:
        with open(f"/proc/{pid}/status", "rb", buffering=0) as file:  # a text file would take twice as long
            lines = file.read().decode("utf-8", "replace").splitlines()
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
