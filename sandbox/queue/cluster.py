"""A Redis or Valkey Cluster: connect to the master of one hash slot, and keep all keys of a client in that slot.

Theory of operation. A cluster runs a script or a transaction only if all its keys are in one of its 16,384 slots. The
slot of a key follows from its hash tag, the part in braces. Therefore a connection puts the tag of its client in front
of every key that it sends: `sandbox:claims` becomes `{sandbox}sandbox:claims`, also in RQ's commands. The rest of the
service does not see the tag, with two exceptions. A reply that names a key contains it (`strip_tag`), and a script that
builds the name of a key must take the tag from one of its keys (`LUA_TAG`).

Each new connection asks the nodes in random order which one is the master of the slot. A reply that says that a node
no longer is the master (after a failover, or while slots move) counts as a lost connection. The client then connects
again and repeats its command, exactly as after a restart of a single server.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from redis import Redis
from redis.connection import Connection, ConnectionPool, SSLConnection
from redis.crc import key_slot
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,
    MovedError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)

from sandbox.errors import QueueUnavailable

SCHEMES = ("redis+cluster", "rediss+cluster")
DEFAULT_TAG = "sandbox"
DEFAULT_PORT = 6379
CONNECT_TIMEOUT_S = 2.0
SOCKET_TIMEOUT_S = 20.0  # more than any command blocks: without it, a host that vanishes goes unnoticed for minutes
LUA_TAG = "string.match(KEYS[1], '^{[^}]*}') or ''"  # the tag of a script's keys, or an empty string
# fmt: off
_NO_KEYS = frozenset((
    "AUTH", "CLIENT", "CLUSTER", "COMMAND", "CONFIG", "DBSIZE", "DISCARD", "ECHO", "EXEC", "FLUSHALL", "FLUSHDB",
    "HELLO", "INFO", "KEYS", "MULTI", "PING", "PSUBSCRIBE", "PUBLISH", "PUNSUBSCRIBE", "QUIT", "READONLY", "SCAN",
    "SCRIPT", "SELECT", "SUBSCRIBE", "TIME", "UNSUBSCRIBE", "UNWATCH", "WAIT",
))
# fmt: on
_ALL_KEYS = frozenset(("DEL", "EXISTS", "MGET", "RENAME", "SDIFF", "SINTER", "SUNION", "TOUCH", "UNLINK", "WATCH"))
_TWO_KEYS = frozenset(("BLMOVE", "COPY", "LMOVE", "RPOPLPUSH", "SMOVE"))
_KEYS_AND_TIMEOUT = frozenset(("BLPOP", "BRPOP", "BZPOPMAX", "BZPOPMIN"))
_SCRIPTS = frozenset(("EVAL", "EVALSHA", "EVALSHA_RO", "EVAL_RO"))
_LOST_MASTER = (AskError, ClusterDownError, ReadOnlyError, TryAgainError)  # MovedError is an AskError
_LOST_MASTER_CODES = ("UNBLOCKED ", "NOREPLICAS ")  # redis-py has no classes for these


@dataclass(frozen=True, slots=True)
class ClusterAddress:
    """Some nodes of a cluster, how to connect to them, and the tag of the client's keys."""

    nodes: tuple[tuple[str, int], ...]
    tag: str
    username: str | None = None
    password: str | None = None
    has_tls: bool = False

    @property
    def slot(self) -> int:
        return int(key_slot(f"{{{self.tag}}}".encode()))

    @property
    def connection_class(self) -> Any:
        return SSLConnection if self.has_tls else Connection

    @property
    def credentials(self) -> dict[str, str | None]:
        return {"username": self.username, "password": self.password}


def is_cluster_url(url: str) -> bool:
    return url.partition("://")[0] in SCHEMES


def parse_cluster_url(url: str) -> ClusterAddress:
    """Parse `redis+cluster://[user:password@]host[:port][,host[:port]...][?tag=...]`. Raises QueueUnavailable."""
    # Not with urlsplit, which may refuse several hosts if one is an IPv6 address.
    scheme, _, rest = url.partition("://")
    place, _, options = rest.partition("?")
    authority, _, path = place.partition("/")
    credentials, _, hosts = authority.rpartition("@")
    username, _, password = map(unquote, credentials.partition(":"))
    query = parse_qs(options, keep_blank_values=True)
    tag = query.pop("tag", [DEFAULT_TAG])[-1]
    nodes = tuple(_parse_node(node) for node in hosts.split(",") if node)
    has_hosts = bool(nodes) and all(host for host, _ in nodes)
    if path.strip("/") or query or not has_hosts or not tag or set(tag) & set("{}"):
        raise QueueUnavailable(
            "a cluster's URL must look like redis+cluster://host:port,host:port?tag=name: without a database number,"
            " without other options, and without braces in the tag"
        )
    return ClusterAddress(nodes, tag, username or None, password or None, scheme == "rediss+cluster")


def _parse_node(text: str) -> tuple[str, int]:
    try:
        place = urlsplit(f"//{text}")
        return place.hostname or "", place.port or DEFAULT_PORT
    except ValueError as error:
        raise QueueUnavailable(f"a node in the cluster's URL is invalid: {error}") from error


def connect_to_slot(address: ClusterAddress, **options: Any) -> Redis:
    """Return a client of the master that has the tag's slot. `options` are those of a connection."""
    timeouts = {"socket_connect_timeout": CONNECT_TIMEOUT_S, "socket_timeout": SOCKET_TIMEOUT_S}
    pool = ConnectionPool(
        connection_class=_build_connection_class(address), **{**address.credentials, **timeouts, **options}
    )
    return Redis.from_pool(pool)


def strip_tag(key: bytes) -> bytes:
    """Remove the tag from a key of a reply. A key without a tag stays as it is."""
    return key[key.index(b"}") + 1 :] if key.startswith(b"{") else key


def find_master(address: ClusterAddress) -> tuple[str, int]:
    """Ask the nodes for the address of the slot's master. Raises redis.exceptions.ConnectionError."""
    failures = []
    for host, port in random.sample(address.nodes, len(address.nodes)):
        connection = address.connection_class(
            host=host,
            port=port,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            socket_timeout=CONNECT_TIMEOUT_S,
            **address.credentials,
        )
        try:
            connection.send_command("EXISTS", f"{{{address.tag}}}")
            connection.read_response()
            return host, port
        except MovedError as moved:
            return moved.host or host, moved.port
        except (RedisError, OSError) as error:
            failures.append(f"{host}:{port}: {error}")
        finally:
            connection.disconnect()
    raise ConnectionError(f"no node of the cluster knows the master of slot {address.slot}: {'; '.join(failures)}")


@cache
def _build_connection_class(address: ClusterAddress) -> Any:
    base: Any = address.connection_class

    class SlotConnection(base):  # type: ignore[misc]
        """Connects to the master of the slot, and tags keys. A wrong node counts as a lost connection."""

        def _connect(self) -> Any:
            self.host, self.port = find_master(address)
            return super()._connect()

        def _construct_command_packer(self, packer: Any) -> TaggingPacker:
            return TaggingPacker(super()._construct_command_packer(packer), address.tag)

        def read_response(self, *args: Any, **options: Any) -> Any:
            try:
                return super().read_response(*args, **options)
            except ResponseError as error:
                if not _has_lost_master(error, address.slot):
                    raise
                self.disconnect()
                raise ConnectionError(f"{self.host}:{self.port} is not the slot's master: {error}") from error

    return SlotConnection


def _has_lost_master(error: ResponseError, slot: int) -> bool:
    """Return whether the command can succeed on another node. A key in another slot is a mistake in the command."""
    if isinstance(error, AskError):
        return bool(error.slot_id == slot)
    return isinstance(error, _LOST_MASTER) or str(error).startswith(_LOST_MASTER_CODES)


class TaggingPacker:
    """Packs commands with a tag in front of each key. Assumes that an unlisted command has one key, its first word."""

    def __init__(self, packer: Any, tag: str) -> None:
        self._packer = packer
        self._tag = f"{{{tag}}}"
        self._tag_bytes = self._tag.encode()

    def pack(self, *words: Any) -> Any:
        first, end = find_keys(words)
        if first == end:
            return self._packer.pack(*words)
        return self._packer.pack(*words[:first], *map(self._add_tag, words[first:end]), *words[end:])

    def _add_tag(self, key: Any) -> Any:
        return self._tag_bytes + bytes(key) if isinstance(key, bytes | memoryview) else f"{self._tag}{key}"


def find_keys(words: Sequence[Any]) -> tuple[int, int]:
    """Return where the keys of a command begin and end."""
    name = words[0] if isinstance(words[0], str) else bytes(words[0]).decode()
    name = name.partition(" ")[0].upper()
    if name in _NO_KEYS:
        return 0, 0
    if name in _ALL_KEYS:
        return 1, len(words)
    if name in _KEYS_AND_TIMEOUT:
        return 1, len(words) - 1
    if name in _SCRIPTS:
        return 3, 3 + int(words[2])
    return 1, 3 if name in _TWO_KEYS else 2
