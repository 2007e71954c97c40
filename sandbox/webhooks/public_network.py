"""Restrict connections to public addresses, for requests to untrusted URLs.

A host name is resolved once, all its addresses are checked, and the connection uses one of them. This defeats DNS
rebinding, where a name resolves to a different address a moment later. Loopback, link-local (which includes the
metadata services of clouds), private, shared, multicast, reserved, and unspecified addresses are refused, also if they
are IPv4 addresses inside IPv6 addresses. A setting allows networks explicitly.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpcore

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

# Older tables list these as public, but they are internal: the host services of Azure (first) and Oracle (second), and
# deprecated private IPv6 addresses (third).
_NON_PUBLIC_NETWORKS: tuple[Network, ...] = (
    IPv4Network("168.63.129.16"),
    IPv4Network("192.0.0.0/24"),
    IPv6Network("fec0::/10"),
)
_NAT64 = IPv6Network("64:ff9b::/96")
_IPV4_COMPATIBLE = IPv6Network("::/96")


class AddressForbidden(Exception):
    """The host resolves to an address to which connections are not allowed."""


def parse_networks(text: str) -> tuple[Network, ...]:
    """Parse networks separated by commas or spaces, such as `10.0.0.0/8, 127.0.0.1`. Raises ValueError."""
    return tuple(ip_network(part) for part in text.replace(",", " ").split())


def is_address(host: str) -> bool:
    """Return whether `host` is an IP address instead of a name."""
    try:
        ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True


def is_allowed(address: str, allowed: Sequence[Network] = ()) -> bool:
    """Return whether connections to this address are allowed. Raises ValueError if it is not an address."""
    addresses = list(_unwrap_address(ip_address(address.partition("%")[0])))
    if any(face.version == network.version and face in network for face in addresses for network in allowed):
        return True
    return all(map(_is_public, addresses))


def _unwrap_address(address: Address) -> Iterable[Address]:
    """Yield the address, or the IPv4 address that it embeds."""
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
    """An httpcore backend that checks each address before it connects. TLS still verifies the host name."""

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
        raise AddressForbidden("connections to Unix sockets are not allowed")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _resolve_allowed(self, host: str, port: int) -> list[str]:
        """Return the addresses of a host in the resolver's order. Raises AddressForbidden if any is not allowed."""
        try:
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
        addresses = list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
        for address in addresses:
            if not is_allowed(address, self._allowed):
                raise AddressForbidden(
                    f"{host} resolves to {address}, which is not a public address: to allow it, add its network to "
                    "SANDBOX_WEBHOOK_NETWORKS"
                )
        return addresses
