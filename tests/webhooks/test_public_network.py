"""Test which addresses are allowed, and that connections use only checked addresses."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import httpcore
import pytest

from sandbox.webhooks.public_network import AddressForbidden, PublicNetworkBackend, is_allowed, parse_networks

NON_PUBLIC_ADDRESSES = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "100.100.100.200",
    "169.254.169.254",
    "168.63.129.16",
    "192.0.0.192",
    "198.18.0.1",
    "224.0.0.251",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:7f00:1::80ff:fffe",
    "fd00:ec2::254",
    "fc00::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "2001:db8::1",
]
PUBLIC_ADDRESSES = [
    "1.1.1.1",
    "93.184.216.34",
    "2606:4700:4700::1111",
    "::ffff:1.1.1.1",
    "64:ff9b::101:101",
    "2002:101:101::1",
]


@pytest.mark.parametrize("address", NON_PUBLIC_ADDRESSES)
def test_connections_to_internal_addresses_are_refused(address: str) -> None:
    assert not is_allowed(address)


@pytest.mark.parametrize("address", PUBLIC_ADDRESSES)
def test_connections_to_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address)


def test_an_allowed_network_matches_every_spelling_of_its_addresses() -> None:
    allowed = parse_networks("10.0.0.0/8, 127.0.0.1 fd00::/8")
    assert all(is_allowed(address, allowed) for address in ("10.9.9.9", "127.0.0.1", "::ffff:10.0.0.1", "fd00::7"))
    assert not any(is_allowed(address, allowed) for address in ("127.0.0.2", "192.168.0.1", "::1", "172.16.0.1"))


class Resolver:
    """A resolver that returns a different address each time, like the name server of an attacker."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = iter(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int, **_: Any) -> list[tuple[Any, ...]]:
        self.asked += 1
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in next(self._answers)]


async def test_a_name_is_resolved_once_and_the_connection_uses_the_checked_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reached = asyncio.Event()

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        reached.set()
        writer.close()

    async with await asyncio.start_server(greet, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        resolver = Resolver(["127.0.0.1"], ["127.0.0.9"])
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolver)
        stream = await PublicNetworkBackend(parse_networks("127.0.0.1")).connect_tcp("trainer.example", port, timeout=5)
        await asyncio.wait_for(reached.wait(), 5)
        await stream.aclose()
    assert resolver.asked == 1


async def test_a_name_with_an_internal_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", Resolver(["1.1.1.1", "169.254.169.254"]))
    with pytest.raises(AddressForbidden, match=r"169\.254\.169\.254"):
        await PublicNetworkBackend().connect_tcp("trainer.example", 80, timeout=5)


async def test_an_unknown_name_is_a_connection_error() -> None:
    with pytest.raises(httpcore.ConnectError, match="cannot be resolved"):
        await PublicNetworkBackend().connect_tcp("no.such.name.invalid", 80, timeout=5)
    with pytest.raises(AddressForbidden):
        await PublicNetworkBackend().connect_unix_socket("/run/docker.sock")
