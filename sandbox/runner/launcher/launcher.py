"""The launcher of a local box: it sets up every isolation layer the kernel allows and runs the supervisor inside.

Theory of operation. The engine starts the launcher as a separate process. It stays outside the box and has one child:
the first process of the box. The child is cloned directly into its new namespaces and waits until its user ids are
mapped. It joins the box's cgroups, builds its mount tree, gives up every capability the supervisor does not need, and
then becomes the supervisor. It never calls exec, because without root an exec drops the capabilities. Inheritable
capabilities would survive an exec, but programs would inherit them too.

The launcher then waits until the box ends or the worker closes the leash. The leash is a pipe whose other end only the
worker holds, so the launcher notices even a worker killed with `kill -9`. In both cases it kills the remaining
processes, removes the box's cgroups and folder, and exits. The box also dies with the launcher through its parent-death
signal. As the first process of a pid namespace it takes all other processes in it along.

In `probe` mode the launcher tries the same steps in order, drops each one that the kernel refuses, and reports what is
left.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import resource
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from sandbox.runner.launcher import mounts
from sandbox.runner.launcher.capabilities import give_up_capabilities, has_capability
from sandbox.runner.launcher.namespaces import (
    CLONE_FLAGS,
    PROGRAM_UID,
    IsolationRefused,
    clone,
    find_refused_kinds,
    map_ids,
    read_id_ranges,
)
from sandbox.runner.launcher.plan import Plan, ProbeResult, decode_plan
from sandbox.runner.supervisor import process_tree
from sandbox.runner.zygote import confinement, syscall_filter

CLONE_NEWCGROUP = 0x0200_0000
PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
REMOVAL_TIMEOUT_S = 2.0
# Kinds that are useless without the failed step: a pid namespace shows the wrong /proc without mounts of its own.
DEPENDENT_KINDS = {"proc": {"pid"}, "mount": {"mount", "pid"}, "uts": {"uts"}}
WEAKER_ID_MAPPINGS = {"all": "range", "range": "one"}

_libc = ctypes.PyDLL(None, use_errno=True)


def join_cgroups(folders: Sequence[str]) -> None:
    for folder in folders:
        Path(folder, "cgroup.procs").write_text("0")
    # refused only where other layers are refused, too; the box does not show the outer folders anyway
    _libc.unshare(CLONE_NEWCGROUP)


def lift_limits() -> None:
    """Raise the hard limits, which are upper bounds for the limits of programs. This has an effect only for root."""
    for name in ("CPU", "FSIZE", "CORE", "NPROC", "STACK", "MEMLOCK"):
        number = getattr(resource, f"RLIMIT_{name}")
        try:
            resource.setrlimit(number, (resource.getrlimit(number)[0], resource.RLIM_INFINITY))
        except (OSError, ValueError):
            continue


def build_unix_only_filter() -> bytes:
    """Build a system-call filter that allows only Unix sockets, for a box without a network namespace.

    Each program also gets the usual system-call filter.
    """
    arch = syscall_filter.ARCHITECTURES[platform.machine()]
    unix_only = syscall_filter.branch_on_value(
        {socket.AF_UNIX: syscall_filter.allow()}, syscall_filter.deny(errno.EAFNOSUPPORT)
    )
    sockets = [*syscall_filter.load_argument(0), *unix_only]
    code = syscall_filter.branch_on_value({arch.socket: sockets}, syscall_filter.allow())
    return syscall_filter.build_for_architecture(arch, code)


def set_up_isolation(plan: Plan, kinds: set[str]) -> None:
    """Set up the remaining isolation layers, in the box's first process, after clone. Raises IsolationRefused."""
    step = "cgroup"
    try:
        join_cgroups(plan.cgroups)
        step = "uts"
        if "uts" in kinds and _libc.sethostname(b"box", 3) != 0:
            raise OSError(ctypes.get_errno(), "sethostname")
        step = "mount"
        if "mount" in kinds:
            uid = PROGRAM_UID if plan.ids == "one" else 0
            mounts.enter_root(plan.place, plan.tree, uid, "pid" in kinds)
        step = "capabilities"
        lift_limits()
        give_up_capabilities(plan.capabilities)
        if "network" not in kinds:
            confinement.SyscallFilter(build_unix_only_filter()).install()
    except mounts.ProcRefused as error:
        raise IsolationRefused("proc", str(error)) from error
    except OSError as error:
        raise IsolationRefused(step, str(error)) from error


def run_box_process(plan: Plan, kinds: set[str], go_pipe: int, report_pipe: int) -> NoReturn:
    """Run the child of clone: wait for the go signal, set up isolation, report the result, become the supervisor."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.read(go_pipe, 1) != b"g":
        os._exit(1)
    try:
        set_up_isolation(plan, kinds)
    except IsolationRefused as error:
        os.write(report_pipe, json.dumps([error.step, error.reason]).encode())
        os._exit(1)
    os.write(report_pipe, b"[]")
    if plan.probe:
        os._exit(0)
    for descriptor in (go_pipe, plan.leash):
        os.close(descriptor)
    run_supervisor(plan, kinds)


def run_supervisor(plan: Plan, kinds: set[str]) -> NoReturn:
    """Import the supervisor again from its path inside the box and run it. The report pipe stays open until the end."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "sandbox"]:
        del sys.modules[name]
    if "mount" in kinds:
        sys.path[0] = mounts.RUNNER_DIR
    from sandbox.runner.supervisor import supervisor
    from sandbox.runner.supervisor import usage as usage_inside

    if "mount" not in kinds:  # the visible cgroup is that of the whole machine
        usage_inside.CGROUP_ROOT = "/nonexistent"
    sys.argv[1:] = plan.supervisor
    supervisor.main()


def start_box(plan: Plan, kinds: set[str]) -> tuple[int, int]:
    """Start the box's first process; return its pid and a pipe that closes when it ends. Raises IsolationRefused."""
    go_read, go_write = os.pipe()
    report_read, report_write = os.pipe()
    try:
        pid = clone(kinds)
    except IsolationRefused:
        for descriptor in (go_read, go_write, report_read, report_write):
            os.close(descriptor)
        raise
    if pid == 0:
        os.close(go_write)
        os.close(report_read)
        run_box_process(plan, kinds, go_read, report_write)
    os.close(go_read)
    os.close(report_write)
    try:
        if "user" in kinds:
            map_ids(pid, plan)
        os.write(go_write, b"g")
        refusal = json.loads(os.read(report_read, 65_536) or b'["start", "it ended"]')
        if refusal:
            raise IsolationRefused(*refusal)
    except BaseException:
        os.close(report_read)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise
    finally:
        os.close(go_write)
    return pid, report_read


def wait_for_end(pid: int, end_pipe: int, leash_pipe: int) -> None:
    """Wait until the box or its worker ends, then kill all processes of the box."""
    poll = select.poll()
    for descriptor in (end_pipe, leash_pipe):
        poll.register(descriptor, select.POLLIN)
    poll.poll()
    process_tree.kill(pid)
    os.waitpid(pid, 0)  # returns when every process of its pid namespace is gone
    while left := process_tree.list_descendants(os.getpid()):
        for one in left:
            process_tree.kill(one)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def remove_traces(plan: Plan) -> None:
    """Remove the box's cgroups, and its folder if it has no mount tree.

    The kernel may refuse to remove a cgroup for a moment, so this retries.
    """
    deadline = time.monotonic() + REMOVAL_TIMEOUT_S
    for folder in plan.cgroups:
        while os.path.isdir(folder) and time.monotonic() < deadline:
            try:
                os.rmdir(folder)
            except OSError:
                time.sleep(0.005)
    if plan.folder:
        shutil.rmtree(plan.folder, ignore_errors=True)


def probe(plan: Plan) -> ProbeResult:
    """Return the namespaces and the mapping of user ids that this host allows, and the reason for each refusal."""
    kinds, reasons = set(CLONE_FLAGS), {}
    plan = plan._replace(ids="all" if os.geteuid() == 0 else "range")
    if has_capability("SYS_ADMIN"):
        kinds -= {"user"}
        plan = plan._replace(ids="host")
    works = True
    while works:
        try:
            pid, end_pipe = start_box(plan, kinds)
        except IsolationRefused as error:
            reasons[error.step] = error.reason
            ids = drop_refused_step(plan.ids, kinds, error.step)
            works = bool(ids)
            plan = plan._replace(ids=ids or plan.ids)
            continue
        os.close(end_pipe)
        os.waitpid(pid, 0)
        break
    return ProbeResult(sorted(kinds), plan.ids, reasons, works, read_id_ranges())


def drop_refused_step(ids: str, kinds: set[str], step: str) -> str:
    """Adapt to a refusal at `step`: use a weaker mapping of user ids, or remove a namespace from `kinds`.

    Return the new mapping of user ids, or an empty string if there is nothing left to weaken or remove.
    """
    if step == "ids" and ids in WEAKER_ID_MAPPINGS:
        return WEAKER_ID_MAPPINGS[ids]
    dropped = (
        find_refused_kinds(kinds)
        if step == "clone"
        else set(kinds)
        if step == "ids"
        else DEPENDENT_KINDS.get(step, set())
    )
    if not dropped & kinds:
        return ""
    kinds -= dropped
    if not kinds:
        return "host" if has_capability("SETUID") and has_capability("SETGID") else "one"
    return ids


def main() -> NoReturn:
    """Read a plan as JSON from stdin and run it. The plan is not in the command line, because programs can read that.

    The `local` engine writes the plan.
    """
    plan = decode_plan(sys.stdin.read())
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    if plan.probe:
        print(json.dumps(probe(plan)._asdict()), flush=True)
        os._exit(0)
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        pid, end_pipe = start_box(plan, set(plan.kinds))
        os.close(plan.connection)
        wait_for_end(pid, end_pipe, plan.leash)
    except IsolationRefused as error:
        print(error, file=sys.stderr, flush=True)
    finally:
        remove_traces(plan)
    os._exit(0)


if __name__ == "__main__":
    main()
