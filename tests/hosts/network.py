"""Hosts as network namespaces. Each has one cable to the hub, where Redis and the API run, and to nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from types import TracebackType

TEST_NETWORK_PREFIX = "198.18"  # RFC 2544: addresses for test networks, never routed


def find_obstacle() -> str:
    """Return why this machine cannot create network namespaces; empty if it can."""
    if os.geteuid():
        return "network namespaces need root"
    if not (shutil.which("ip") and shutil.which("nsenter")):
        return "no ip or nsenter here: apt-get install iproute2 util-linux"
    name = f"sbx{os.getpid()}try"
    completed = subprocess.run(["ip", "netns", "add", name], check=False, capture_output=True, text=True)
    subprocess.run(["ip", "netns", "delete", name], check=False, capture_output=True)
    return completed.stderr.strip() and f"no network namespaces here: {completed.stderr.strip()}"


@dataclass
class Network:
    """A hub and hosts; a context manager that leaves no namespace behind. Cable 0 leads to this machine."""

    hosts: int
    _prefix: str = field(default_factory=lambda: f"sbx{os.getpid()}")

    def __enter__(self) -> Network:
        self._run_ip("netns", "add", self._hub)
        self._run_ip("-n", self._hub, "link", "set", "lo", "up")
        for number in range(self.hosts + 1):
            self._create_link(number)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in [self._hub, *(self._name_host(number) for number in range(1, self.hosts + 1))]:
            subprocess.run(["ip", "netns", "delete", name], check=False)

    def build_address(self, number: int) -> str:
        """Return the address of the hub's end of a host's cable."""
        return f"{TEST_NETWORK_PREFIX}.{number}.1"

    def build_hub_command(self, *command: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self._hub}", *command]

    def build_host_command(self, number: int, *command: str) -> list[str]:
        return ["nsenter", f"--net=/run/netns/{self._name_host(number)}", *command]

    def cut(self, number: int) -> None:
        """Cut a cable silently, so that no end is notified."""
        self._run_ip("-n", self._hub, "link", "set", f"cable{number}", "down")

    def restore(self, number: int) -> None:
        self._run_ip("-n", self._hub, "link", "set", f"cable{number}", "up")

    def _create_link(self, number: int) -> None:
        here, there = f"cable{number}", f"{self._prefix[-10:]}c{number}"
        other = ["netns", self._name_host(number)] if number else []
        if number:
            self._run_ip("netns", "add", self._name_host(number))
        self._run_ip("link", "add", here, "netns", self._hub, "type", "veth", "peer", "name", there, *other)
        inside = ["-n", self._name_host(number)] if number else []
        self._run_ip("-n", self._hub, "address", "add", f"{self.build_address(number)}/30", "dev", here)
        self._run_ip(*inside, "address", "add", f"{TEST_NETWORK_PREFIX}.{number}.2/30", "dev", there)
        self._run_ip("-n", self._hub, "link", "set", here, "up")
        self._run_ip(*inside, "link", "set", there, "up")
        if number:
            self._run_ip(*inside, "link", "set", "lo", "up")

    @property
    def _hub(self) -> str:
        return f"{self._prefix}hub"

    def _name_host(self, number: int) -> str:
        return f"{self._prefix}h{number}"

    def _run_ip(self, *words: str) -> None:
        subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
