"""Hosts as network namespaces: each has a cable to the hub, where Redis and the API are, and to nobody else."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from types import TracebackType

BENCHMARKS = "198.18"  # RFC 2544: addresses of test networks, routed nowhere


def why_not() -> str:
    """Why this machine can have no such network; empty when it can."""
    if os.geteuid():
        return "network namespaces need root"
    if not (shutil.which("ip") and shutil.which("nsenter")):
        return "no ip or nsenter here: apt-get install iproute2 util-linux"
    name = f"sbx{os.getpid()}try"
    tried = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)
    subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
    return tried.stderr.strip() and f"no network namespaces here: {tried.stderr.strip()}"


@dataclass
class Network:
    """A hub and hosts; a context manager that leaves no namespace behind. Cable 0 leads to the machine we are on."""

    hosts: int
    _prefix: str = field(default_factory=lambda: f"sbx{os.getpid()}")

    def __enter__(self) -> Network:
        self._ip("netns", "add", self._hub)
        self._ip("-n", self._hub, "link", "set", "lo", "up")
        for number in range(self.hosts + 1):
            self._lay_cable(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in [self._hub, *(self._host(number) for number in range(1, self.hosts + 1))]:
            subprocess.run(["ip", "netns", "delete", name], check=False)

    def address(self, number: int) -> str:
        """The hub's address at the hub's end of a host's cable."""
        return f"{BENCHMARKS}.{number}.1"

    def in_hub(self, *command: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self._hub}", *command]

    def in_host(self, number: int, *command: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self._host(number)}", *command]

    def cut(self, number: int) -> None:
        """Nothing comes or goes on this cable, and nobody is told."""
        self._ip("-n", self._hub, "link", "set", f"cable{number}", "down")

    def mend(self, number: int) -> None:
        self._ip("-n", self._hub, "link", "set", f"cable{number}", "up")

    def _lay_cable(self, number: int) -> None:
        here, there = f"cable{number}", f"{self._prefix[-10:]}c{number}"
        other = ["netns", self._host(number)] if number else []
        if number:
            self._ip("netns", "add", self._host(number))
        self._ip("link", "add", here, "netns", self._hub, "type", "veth", "peer", "name", there, *other)
        inside = ["-n", self._host(number)] if number else []
        self._ip("-n", self._hub, "address", "add", f"{self.address(number)}/30", "dev", here)
        self._ip(*inside, "address", "add", f"{BENCHMARKS}.{number}.2/30", "dev", there)
        self._ip("-n", self._hub, "link", "set", here, "up")
        self._ip(*inside, "link", "set", there, "up")
        if number:
            self._ip(*inside, "link", "set", "lo", "up")

    @property
    def _hub(self) -> str:
        return f"{self._prefix}hub"

    def _host(self, number: int) -> str:
        return f"{self._prefix}h{number}"

    def _ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
