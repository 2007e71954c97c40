"""A separate Docker engine for the tests that has gVisor's runtime."""

from __future__ import annotations

import shutil
import subprocess

from tests.second_engine import EngineMissing, SecondEngine

RUNTIME = "runsc"
# Programs need no network, and a box needs one Unix socket of the host. ptrace needs no rights that a CI runner lacks.
FLAGS = ("--network=none", "--platform=ptrace", "--host-uds=all")
PROBE_TIMEOUT_S = 60.0


class GvisorEngine(SecondEngine):
    """A Docker engine with gVisor."""

    programs = (RUNTIME, "dockerd")

    def start(self, *options: str) -> None:
        """Start the engine. Raises EngineMissing."""
        wrapper = self.folder / RUNTIME
        wrapper.write_text(f'#!/bin/sh\nexec {shutil.which(RUNTIME)} {" ".join(FLAGS)} "$@"\n')
        wrapper.chmod(0o755)
        super().start("--add-runtime", f"{RUNTIME}={wrapper}", *options)

    def probe(self, tag: str) -> None:
        """Run an empty command under gVisor. Raises EngineMissing."""
        command = ["docker", "--host", self.host, "run", "--rm", "--runtime", RUNTIME, "--network=none", tag, "true"]
        try:
            completed = subprocess.run(command, capture_output=True, timeout=PROBE_TIMEOUT_S)
        except subprocess.TimeoutExpired as error:
            raise EngineMissing("runsc cannot start a container on this machine") from error
        if completed.returncode:
            raise EngineMissing(f"runsc cannot start on this machine: {completed.stderr.decode()[-500:]}")
