"""Connections to addresses that anybody may reach, and to no others: what stands behind a URL that a stranger gave.

A name is resolved once, every address it has is judged, and the connection goes to an address that was judged; so a
name that resolves differently a moment later is of no use. Loopback, link-local (where clouds keep their metadata),
private, shared, multicast, reserved and unspecified addresses are refused, IPv4 inside IPv6 as well, unless a setting
names their network.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpcore

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Public by what older tables say, and yet inside: Azure's host answers guests at the first, Oracle's in the second,
# and the third is what private IPv6 addresses were once.
_NON_PUBLIC_NETWORKS: tuple[Network, ...] = (
    IPv4Network("168.63.129.16"),
    IPv4Network("192.0.0.0/24"),
    IPv6Network("fec0::/10"),
)
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")


class AddressForbidden(Exception):
    """A name that stands for an address which is not to be called."""


def parse_networks(text: str) -> tuple[Network, ...]:
    """Networks separated by commas or blanks, such as `10.0.0.0/8, 127.0.0.1`. Raises ValueError."""
    return tuple(ip_network(part) for part in text.replace(",", " ").split())


def is_address(host: str) -> bool:
    """Whether this is an address and no name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_allowed(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Whether this address may be called. Raises ValueError for what is no address."""
    addresses = list(_unwrap_address(ip_address(address.partition("%")[0])))
    if any(face.version == network.version and face in network for face in addresses for network in allowed):
        return True
    return all(map(_is_public, addresses))


def _unwrap_address(address: Address) -> Iterable[Address]:
    """The address and, where it is one that leads to an IPv4 address, that one instead."""
    if isinstance(address, IPv4Address):
        yield address
        return
    inner = address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else None)
    if inner is None and (address in _NAT64 or (address in _IPV4_COMPATIBLE and int(address) > 1)):
        inner = IPv4Address(int(address) & 0xFFFF_FFFF)
    yield inner if inner is not None else address


def _is_public(address: Address) -> bool:
    return (
        address.is_global
        and not address.is_multicast
        and not address.is_reserved
        and not address.is_unspecified
        and not any(address.version == network.version and address in network for network in _NON_PUBLIC_NETWORKS)
    )


class PublicNetworkBackend(httpcore.AsyncNetworkBackend):
    """httpcore's way to the network, with the judgement in between; TLS still asks for the name's certificate."""

    def __init__(self, allowed: Sequence[Network] = ()) -> None:
        self._allowed = allowed
        self._backend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 -- the backend's own interface
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in await self._resolve_allowed(host, port):
            try:
                return await self._backend.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 -- the backend's own interface
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        raise AddressForbidden("sockets of this machine are not called")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _resolve_allowed(self, host: str, port: int) -> list[str]:
        """The addresses of a name, in the resolver's order. Raises Forbidden when any of them may not be called."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
        addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
        for address in addresses:
            if not is_allowed(address, self._allowed):
                raise AddressForbidden(
                    f"{host} is {address}, which is not a public address; see SANDBOX_WEBHOOK_NETWORKS"
                )
        return addresses
