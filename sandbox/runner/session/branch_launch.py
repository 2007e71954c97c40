"""Fork a branch's process from the supervisor and confine it before it runs a REPL or bash.

The supervisor forks itself, so a REPL shares the interpreter's memory with it (copy-on-write). The child gives up
everything that belongs to the supervisor: its descriptors, its signal handlers and root.
"""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from sandbox.runner.enums import Mode
from sandbox.runner.launch_spec import MIB, LaunchSpec
from sandbox.runner.session import setuid_capability
from sandbox.runner.zygote import confinement, syscall_filter

PRIVATE_DESCRIPTOR = 448  # below the soft limit, and above what programs close or expect
STACK_BYTES = 64 * MIB
UMASK = 0o077  # branches share a group, /tmp and /dev/shm
ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
    "MPLBACKEND": "Agg",
}
SETUP_FAILED = 120


class BranchSpec(NamedTuple):
    """The uid, directory, environment and limits of a branch's process. No process has the uid `spare_uid`."""

    uid: int
    spare_uid: int
    directory: str
    environment: Mapping[str, str]
    limits: Mapping[str, Any]  # processes, file_mb


def get_work_directory(directory: str) -> str:
    return f"{directory}/work"


def build_environment(directory: str, requested: Mapping[str, str]) -> dict[str, str]:
    work = get_work_directory(directory)
    return {**ENVIRONMENT, "HOME": work, "PWD": work, "TMPDIR": f"{directory}/tmp", **requested}


def start_process(
    spec: BranchSpec, streams: Sequence[int], private: Sequence[int], run: Callable[[BranchSpec], NoReturn]
) -> int:
    """Fork a confined process that calls `run`; return its pid.

    `streams` become its stdin, stdout and stderr. `private` become its descriptors PRIVATE_DESCRIPTOR and up.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        _place_descriptors(streams, private)
        _restore_signals()
        os.setsid()
        _set_limits(spec)
        os.chdir(get_work_directory(spec.directory))
        os.umask(UMASK)
        os.environ.clear()
        os.environ.update(build_environment(spec.directory, spec.environment))
        run(spec)
    except BaseException as error:  # noqa: BLE001 - the process boundary: the child must not become a second supervisor
        os.write(2, f"the branch did not start: {error}\n".encode())
    finally:
        os._exit(SETUP_FAILED)


def confine(uid: int) -> None:
    """Give up root and every capability, for a process that may call exec afterward."""
    confinement.set_no_new_privileges()
    confinement.switch_user(uid)
    confinement.die_with_parent()
    confinement.SyscallFilter(syscall_filter.build_filter(ipv6=syscall_filter.has_ipv6())).install()


def confine_forkable(uid: int) -> int | None:
    """Give up root and every capability except CAP_SETUID; return the listener that controls its use.

    If the kernel does not support listeners, also give up CAP_SETUID and return None.
    """
    confinement.set_no_new_privileges()
    setuid_capability.switch_user_keeping_setuid(uid)
    confinement.die_with_parent()
    program = syscall_filter.build_filter(ipv6=syscall_filter.has_ipv6(), notify_identity_calls=True)
    try:
        return setuid_capability.install_filter_with_listener(program)
    except OSError:
        setuid_capability.drop_capabilities()
        confinement.SyscallFilter(syscall_filter.build_filter(ipv6=syscall_filter.has_ipv6())).install()
        return None


def _place_descriptors(streams: Sequence[int], private: Sequence[int]) -> None:
    """Move the descriptors to their numbers and close all others."""
    for number, descriptor in enumerate(streams):
        os.dup2(descriptor, number)
    for number, descriptor in enumerate(private):
        os.dup2(descriptor, PRIVATE_DESCRIPTOR + number, inheritable=False)
    os.closerange(len(streams), PRIVATE_DESCRIPTOR)
    os.closerange(PRIVATE_DESCRIPTOR + len(private), 4096)


def _restore_signals() -> None:
    signal.set_wakeup_fd(-1)
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _set_limits(spec: BranchSpec) -> None:
    confinement.raise_oom_score()
    confinement.set_limits(
        LaunchSpec(
            directory=spec.directory,
            command=(),
            environment={},
            mode=Mode.EXEC,
            uid=spec.uid,
            cpu_limit_s=resource.getrlimit(resource.RLIMIT_CPU)[1],  # the supervisor limits each call instead
            memory_bytes=STACK_BYTES,
            processes=spec.limits["processes"],
            file_bytes=spec.limits["file_mb"] * MIB,
        )
    )
