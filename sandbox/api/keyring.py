"""API keys: parse `SANDBOX_API_KEYS`, and find the owner of a presented key.

A server stores only hashes. SHA-256 without salt is enough, and fast enough for every request: a key has 256 random
bits, so it cannot be guessed or looked up in a table. Hash only keys that `sandbox keys new` created.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sandbox.errors import BadRequest, Unauthorized
from sandbox.request_context import Caller, Role

RawHeaders = Iterable[tuple[bytes, bytes]]

SECRET_BYTES = 32
# The headers of the peers' clients: Judge0's, and E2B's, which sends the key as its sandbox's tokens too.
KEY_HEADERS = (b"x-auth-token", b"x-api-key", b"x-access-token", b"e2b-traffic-access-token")
_ID = re.compile(r"[a-z0-9-]{1,32}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_OPTION = re.compile(r"(rate|burst|queued|kept)=(\d+(?:\.\d+)?)")
_ENTRY_FORMAT = (
    "must be id:role:sha256, with optional :rate=N :burst=N :queued=N :kept=MIB; `sandbox keys new` creates one"
)


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key, which is shown once, and the entry for the server's settings."""

    key: str
    entry: str


def generate_key(key_id: str, role: Role) -> NewKey:
    """Create a random key. Raises BadRequest for an invalid id."""
    if not _ID.fullmatch(key_id):
        raise BadRequest("a key's id must have 1 to 32 characters of a-z, 0-9 and dash", "id")
    key = f"sbx_{key_id}_{secrets.token_urlsafe(SECRET_BYTES)}"
    return NewKey(key, f"{key_id}:{role}:{_hash_key(key.encode()).hex()}")


class Keyring:
    """The keys that a server accepts."""

    def __init__(self, entries: Sequence[tuple[bytes, Caller]]) -> None:
        self._entries = entries

    def authenticate(self, key: bytes) -> Caller:
        """Return the caller that owns a key. Raises Unauthorized. Compares all entries, each in constant time."""
        digest = _hash_key(key)
        found = None
        for known, caller in self._entries:
            if hmac.compare_digest(known, digest):
                found = caller
        if found is None:
            raise Unauthorized("send a valid API key as Authorization: Bearer <key>")
        return found


def parse_keyring(text: str, default: Caller) -> Keyring:
    """Parse `SANDBOX_API_KEYS`: entries separated by commas or blanks. Options that they omit come from `default`.

    Raises BadRequest. The error names an entry by its position, never by its content.
    """
    entries = [
        _parse_entry(word, position, default) for position, word in enumerate(re.split(r"[,\s]+", text.strip(", \n")))
    ]
    ids = [caller.id for _, caller in entries]
    if len(set(ids)) < len(ids):
        raise BadRequest("two keys have the same id; give each its own id", "SANDBOX_API_KEYS")
    return Keyring(entries)


def _parse_entry(word: str, position: int, default: Caller) -> tuple[bytes, Caller]:
    fault = BadRequest(f"SANDBOX_API_KEYS, entry {position + 1}: {_ENTRY_FORMAT}", "SANDBOX_API_KEYS")
    key_id, role, digest, *options = [*word.split(":"), "", "", ""][: max(3, word.count(":") + 1)]
    if not (_ID.fullmatch(key_id) and role in set(Role) and _DIGEST.fullmatch(digest)):
        raise fault
    caller = replace(default, id=key_id, role=Role(role))
    for option in options:
        match = _OPTION.fullmatch(option)
        if match is None:
            raise fault
        name, number = match[1], float(match[2])
        if name == "rate":
            caller = replace(caller, rate=number)
        elif name == "burst":
            caller = replace(caller, burst=int(number))
        elif name == "queued":
            caller = replace(caller, max_queued=int(number))
        else:
            caller = replace(caller, max_kept_mb=int(number))
    return bytes.fromhex(digest), caller


def read_key(headers: RawHeaders) -> bytes:
    """Return the key in a request's headers, or empty bytes if there is none."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        found.setdefault(name, value.strip())
    for name in KEY_HEADERS:
        if name in found:
            return found[name]
    value = found.get(b"authorization", b"")
    scheme, _, rest = value.partition(b" ")
    if scheme.lower() == b"bearer":
        return rest.strip()
    if scheme.lower() == b"basic":
        return _decode_password(rest.strip())
    return value  # some peers' clients send only the token


def _decode_password(encoded: bytes) -> bytes:
    try:
        return b64decode(encoded, validate=True).partition(b":")[2]
    except BadBase64:
        return b""


def _hash_key(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
