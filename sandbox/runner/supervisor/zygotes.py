"""The warm interpreters of a box, and the supervisor's handles for them."""

from __future__ import annotations

import array
import os
import select
import socket
from collections.abc import Sequence

from sandbox.runner import frames, launch_spec
from sandbox.runner.enums import MAX_EXTRA_ZYGOTES
from sandbox.runner.supervisor import process_tree, usage
from sandbox.runner.supervisor.errors import BoxBroken

ENVIRONMENT = {
    "PATH": "/usr/local/bin:/usr/bin:/bin",
    "LANG": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "OPENBLAS_NUM_THREADS": "1",
}
ZYGOTE_CODE = "import sys; sys.path[0] = {path!r}; from sandbox.runner.zygote.zygote import main; main()"
FORK_SERVER_LIBRARY = "sandbox/runner/zygote/forkserver.so"  # absent if the machine has no compiler


class Zygote:
    """The supervisor's handle for a warm interpreter, which runs one child at a time."""

    def __init__(self, modules: Sequence[str], directory: str, fail_at: int) -> None:
        parent_end, child_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        quiet_read, quiet_write = os.pipe()  # its standard streams are pipes, as its children's will be
        package_parent = os.path.realpath(f"{os.path.dirname(__file__)}/../../..")
        child_end.set_inheritable(True)
        code = ZYGOTE_CODE.format(path=package_parent)
        # `subprocess` would do the same, but importing it costs every box 0.9 MB.
        self.pid = os.posix_spawn(
            "/usr/bin/python3",
            ["python3", "-c", code, str(child_end.fileno()), directory, str(fail_at), *modules],
            {**ENVIRONMENT, "HOME": directory, **build_linker_variables(f"{package_parent}/{FORK_SERVER_LIBRARY}")},
            file_actions=[(os.POSIX_SPAWN_DUP2, quiet_read, 0), (os.POSIX_SPAWN_DUP2, quiet_write, 1)],
            setsid=True,
        )
        frames.close_descriptors([quiet_read, quiet_write])
        child_end.close()
        self.socket = parent_end

    @property
    def resident_mb(self) -> float:
        return usage.read_resident_mb(self.pid)

    def start_child(self, packed_spec: bytes, streams: Sequence[int]) -> None:
        descriptor = frames.create_memory_file("launch-spec", packed_spec)
        try:
            rights = array.array("i", [descriptor, *streams])
            self.socket.sendmsg([b"run"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
        except OSError as error:
            raise BoxBroken(f"lost the zygote: {error}") from error
        finally:
            os.close(descriptor)

    def stop(self) -> None:
        self.socket.close()
        process_tree.kill(self.pid)
        os.waitpid(self.pid, 0)

    def wait_until_ready(self) -> None:
        """Wait until the zygote has started, so that its startup does not count toward a program's time or memory."""
        if not self.socket.recv(64):
            raise BoxBroken("the zygote did not start")

    def read_report(self) -> launch_spec.ExitReport:
        content = self.socket.recv(64)
        if not content:
            raise BoxBroken("the zygote ended")
        return launch_spec.unpack_report(content)


class ZygotePool:
    """The zygotes of a box: the main one, and a few that have imported additional modules.

    `chosen` is the zygote that runs the next child. `poll` watches the sockets of all zygotes.
    """

    def __init__(self, modules: Sequence[str], directory: str, fail_at: int) -> None:
        self._modules, self._directory, self._fail_at = modules, directory, fail_at
        self.chosen = Zygote(modules, directory, fail_at)
        self._zygotes: dict[tuple[str, ...], Zygote] = {(): self.chosen}
        self.children_when_idle = b"%d " % self.chosen.pid  # as in the kernel's list of this process's children
        self.poll = select.poll()
        self.poll.register(self.chosen.socket, select.POLLIN)

    def list_pids(self) -> set[int]:
        return {zygote.pid for zygote in self._zygotes.values()}

    def ensure(self, modules: tuple[str, ...]) -> None:
        """Start a zygote that has also imported `modules`; evict the least recently used one if necessary."""
        if modules in self._zygotes:
            return
        if len(self._zygotes) > MAX_EXTRA_ZYGOTES:
            oldest = next(key for key in self._zygotes if key)
            evicted = self._zygotes.pop(oldest)
            self.poll.unregister(evicted.socket)
            evicted.stop()
        zygote = Zygote([*self._modules, *modules], self._directory, self._fail_at)
        zygote.wait_until_ready()
        self._zygotes[modules] = zygote
        self.poll.register(zygote.socket, select.POLLIN)
        self.children_when_idle = b"".join(b"%d " % one.pid for one in self._zygotes.values())

    def choose(self, modules: tuple[str, ...]) -> None:
        """Select the zygote with these modules to run the next child."""
        self.chosen = self._zygotes[modules]
        if modules:
            self._zygotes[modules] = self._zygotes.pop(modules)  # the most recently used is the last


def build_linker_variables(fork_server_library: str) -> dict[str, str]:
    """Return variables for the dynamic linker of a zygote, which hides them from programs.

    The zygote binds all functions of libraries when it starts. Otherwise each child binds those that it calls.
    """
    variables = {"LD_BIND_NOW": "1"}
    if os.path.exists(fork_server_library):
        variables["LD_PRELOAD"] = fork_server_library
    return variables
