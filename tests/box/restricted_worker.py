"""A worker process with fewer rights. Tests start it; it gives up rights and then runs programs.

Usage: `python -m tests.box.restricted_worker HOME RIGHTS`, where RIGHTS are words. `nobody` switches to an unprivileged
user. `filtered` installs a system-call filter that refuses namespaces and mounts, like a container's. `plain` gives up
CAP_SYS_ADMIN. It prints the missing isolation layers as a line of JSON, then reads programs as lines of JSON and
answers each with a line.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import sys
from pathlib import Path
from typing import Any

import docker  # noqa: F401 - later imports may be unreadable for the unprivileged user

from sandbox.box.local.engine import LocalEngine
from sandbox.box.slot import Slot
from sandbox.config import WorkerSettings
from sandbox.errors import BoxError
from sandbox.runner.zygote import confinement, syscall_filter
from tests.box.running import run_once

NOBODY = 65_534
SYS_ADMIN = 21


def drop_rights(rights: list[str]) -> None:
    if "plain" in rights:
        header, sets = (ctypes.c_uint32 * 2)(0x2008_0522, 0), (ctypes.c_uint32 * 6)()
        libc = ctypes.CDLL(None)
        libc.prctl(24, SYS_ADMIN, 0, 0, 0)
        libc.capget(header, sets)
        for index in (0, 1, 2):
            sets[index] &= ~(1 << SYS_ADMIN)
        assert libc.capset(header, sets) == 0
    if "nobody" in rights:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    if "filtered" in rights:
        confinement.set_no_new_privileges()
        confinement.SyscallFilter(build_container_filter()).install()


def build_container_filter() -> bytes:
    """Build a filter that refuses namespaces and mounts, and lets programs below it install their own filter."""
    arch = syscall_filter.ARCHITECTURES[platform.machine()]
    refused = syscall_filter.deny(errno.EPERM)
    flags = [
        *syscall_filter.load_argument(0),
        *syscall_filter.branch_on_bits(syscall_filter.DENIED_CLONE_FLAGS, refused, syscall_filter.allow()),
    ]
    calls = {pair[arch.column] or 0: refused for pair in syscall_filter.DENIED_CALLS["namespaces and mounts"].values()}
    calls |= {arch.clone: flags, arch.clone3: syscall_filter.deny(errno.ENOSYS)}
    return syscall_filter.build_for_architecture(arch, syscall_filter.branch_on_value(calls, syscall_filter.allow()))


def run_request(slot: Slot, request: dict[str, Any]) -> dict[str, Any]:
    """Run a request. A broken box is replaced and the run repeated, as in a worker."""
    request.setdefault("language", "python")
    try:
        outcome, first_try = run_once(slot, **request), True
    except BoxError:
        outcome, first_try = run_once(slot, **request), False
    streams = {"stdout": outcome.stdout[:4096].decode(), "stderr": outcome.stderr[:4096].decode()}
    return {"status": outcome.status, "first_try": first_try, **streams}


def print_json(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


def main() -> None:
    drop_rights(sys.argv[2].split("+"))
    engine = LocalEngine(WorkerSettings(home=Path(sys.argv[1])), slot=47)
    slot = Slot(engine, max_runs=1_000, max_age_s=3_600)
    print_json(engine.list_missing_isolation())
    for line in sys.stdin:
        print_json(run_request(slot, json.loads(line)))
    slot.close()
    engine.close()


if __name__ == "__main__":
    main()
