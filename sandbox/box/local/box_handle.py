"""The handle of a local box: sets its memory limit and destroys it through the launcher that controls it."""

from __future__ import annotations

import logging
import os
import select
import socket
import subprocess
from collections.abc import Callable

from sandbox.box.cgroup import MEMORY_SLACK_BYTES, MIB, MemoryCgroup
from sandbox.box.local.cgroup import BoxCgroup
from sandbox.errors import BoxError
from sandbox.runner.launcher.plan import Plan, encode_plan
from sandbox.runner.supervisor.options import Options

logger = logging.getLogger(__name__)

SEARCH_PATH = "/usr/local/bin:/usr/bin:/bin"
START_TIMEOUT_S = 10.0
STOP_TIMEOUT_S = 10.0


class LocalBoxHandle:
    """A launcher and the box it controls; implements `engine.BoxHandle`."""

    def __init__(
        self,
        command: list[str],
        plan: Plan,
        options: Options,
        cgroup: BoxCgroup | None,
        on_destroy: Callable[[LocalBoxHandle], None],
    ) -> None:
        self._cgroup = cgroup
        self._on_destroy = on_destroy
        self._own_bytes = 0
        self._launcher: subprocess.Popen[bytes] | None = None
        self._memory_cgroup: MemoryCgroup | None = None
        self.connection, supervisor_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        liveness_read_end, self._liveness_pipe = os.pipe()
        self._log_descriptor = os.memfd_create("words")
        plan_descriptor = os.memfd_create("plan")
        inherited = [supervisor_end.fileno(), liveness_read_end]
        plan = plan._replace(
            connection=supervisor_end.fileno(),
            leash=liveness_read_end,
            supervisor=[options._replace(descriptor=supervisor_end.fileno()).encode()],
        )
        try:
            os.pwrite(plan_descriptor, encode_plan(plan).encode(), 0)
            self._launcher = subprocess.Popen(
                command,
                stdin=plan_descriptor,
                stdout=subprocess.DEVNULL,
                stderr=self._log_descriptor,
                pass_fds=inherited,
                env={"PATH": f"{SEARCH_PATH}:/usr/sbin:/sbin", "LANG": "C.UTF-8"},
                start_new_session=True,
            )
            supervisor_end.close()
            self._wait_until_up()
            self._memory_cgroup = None if cgroup is None else cgroup.open_memory_cgroup()
        except (OSError, BoxError) as error:
            self.destroy()
            raise BoxError(f"the local box did not start: {error}") from error
        finally:
            supervisor_end.close()
            os.close(liveness_read_end)
            os.close(plan_descriptor)

    def measure_own_memory(self) -> None:
        if self._memory_cgroup is not None:
            self._own_bytes = self._memory_cgroup.read_used_bytes() + MEMORY_SLACK_BYTES

    def limit_memory(self, memory_mb: int) -> None:
        if self._memory_cgroup is None:
            return  # the supervisor polls memory instead
        if not self._own_bytes:
            self.measure_own_memory()
        try:
            self._memory_cgroup.limit(self._own_bytes + memory_mb * MIB)
        except OSError as error:
            raise BoxError(f"cannot set the memory limit to {memory_mb} MiB: {error}") from error

    def begin_run(self) -> None:
        if self._memory_cgroup is not None:
            self._memory_cgroup.begin_run()

    def read_peak_memory_mb(self) -> float | None:
        return None if self._memory_cgroup is None else self._memory_cgroup.read_peak_mb()

    def ran_out_of_memory(self) -> bool:
        return self._memory_cgroup is not None and self._memory_cgroup.had_oom_kill()

    def destroy(self) -> None:
        self.connection.close()
        if self._liveness_pipe < 0:
            return
        os.close(self._liveness_pipe)
        self._liveness_pipe = -1
        if self._launcher is not None:
            _wait_for_exit(self._launcher)
        if self._memory_cgroup is not None:
            self._memory_cgroup.close()
            self._memory_cgroup = None
        if self._cgroup is not None:
            self._cgroup.remove()
        if log_text := self._read_log():
            logger.warning("output of a local box: %s", log_text)
        os.close(self._log_descriptor)
        self._on_destroy(self)

    def _read_log(self) -> str:
        """Return the output of the launcher and the supervisor; programs write to their own pipes."""
        return os.pread(self._log_descriptor, 2_000, 0).decode(errors="replace").strip()

    def _wait_until_up(self) -> None:
        """Wait until the supervisor sends data. Raises BoxError with the launcher's output if it ends instead."""
        ready, _, _ = select.select([self.connection], [], [], START_TIMEOUT_S)
        if ready and self.connection.recv(1, socket.MSG_PEEK):
            return
        raise BoxError(self._read_log() or f"its supervisor did not answer within {START_TIMEOUT_S:g} s")


def _wait_for_exit(launcher: subprocess.Popen[bytes]) -> None:
    """Wait for a launcher whose leash pipe is closed; kill it if it does not exit. Its box always ends with it."""
    try:
        launcher.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        launcher.kill()
        launcher.wait()
