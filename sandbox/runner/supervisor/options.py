"""The options that an engine passes to a supervisor, as JSON in its only argument."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple


class Options(NamedTuple):
    """The properties of a box that its supervisor needs to know."""

    connect: str = ""  # the Unix socket the worker listens on, or
    descriptor: int = -1  # the inherited socket to the worker
    root: str = "/box"  # holds programs and their work directories
    shared: Sequence[str] = ("/tmp", "/dev/shm")  # writable places to clear between runs
    uid_base: int | None = None  # runs use the uids above this one; None: all runs share the supervisor's uid
    watch_memory: bool = False  # no cgroup limits memory, so the supervisor polls it
    cpus: float = 0.0  # that the box may use, if the engine limits them
    modules: Sequence[str] = ()  # for the zygote to import in advance
    fail_at: int = 0  # for tests: the `launch_spec.SetupStep` that fails for every child

    def encode(self) -> str:
        """Encode the options as the supervisor's command-line argument."""
        return json.dumps(self._asdict())

    @classmethod
    def decode(cls, argument: str) -> Options:
        """Decode the options from the supervisor's command-line argument."""
        return cls(**json.loads(argument))
