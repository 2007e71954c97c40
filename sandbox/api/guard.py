"""Before every route when there are API keys: who asks, and may they.

A key comes as `Authorization: Bearer <key>`, as `X-Auth-Token` as Judge0's clients send theirs, or as the password of
`Authorization: Basic`, which is what a browser can ask its user for. Everything needs a key but what is open by name:
the health checks, and pages that are the same for everybody.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Iterable

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.api.dialects.table import DIALECTS, PREFIX
from sandbox.api.edge import KEY
from sandbox.api.problems import Described, describe
from sandbox.api_keys import Keyring
from sandbox.caller import CALLER, Caller, Role
from sandbox.errors import Forbidden, Unauthorized

OPEN = frozenset({"/", "/health/live", "/health/ready", "/openapi.json", "/docs", "/guide", "/favicon.ico"})
OPEN_BELOW = ("/docs/", "/guide/", "/web/")
# What tells of all clients, or takes the whole machine.
ADMIN = frozenset({"/metrics", "/live", "/gpus", "/generate", "/evaluate"})
ADMIN_BELOW = ("/live/", "/train/", "/webhooks/")

Headers = Iterable[tuple[bytes, bytes]]


class Guard:
    """ASGI middleware; not there at all when there are no keys."""

    def __init__(self, app: ASGIApp, keyring: Keyring, root_dialect: str) -> None:
        self._app = app
        self._keyring = keyring
        self._root_dialect = root_dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_open(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            caller = self._let_in(scope["path"], scope["headers"])
        except (Unauthorized, Forbidden) as error:
            told = describe(error)
            if isinstance(error, Unauthorized):
                told = Described(told.problem, {"WWW-Authenticate": _challenge(scope["path"])})
            await self._in_their_words(scope["path"], told)(scope, receive, send)
            return
        scope[KEY] = caller.id
        token = CALLER.set(caller)
        try:
            await self._app(scope, receive, send)
        finally:
            CALLER.reset(token)

    def _let_in(self, path: str, headers: Headers) -> Caller:
        caller = self._keyring.caller(_key_in(headers))
        if caller.role is not Role.ADMIN and (path in ADMIN or path.startswith(ADMIN_BELOW)):
            raise Forbidden("this path is for keys with the role admin")
        return caller

    def _in_their_words(self, path: str, told: Described) -> ASGIApp:
        """As the peer whose path it is says its errors."""
        name = path.removeprefix(PREFIX + "/").split("/")[0] if path.startswith(PREFIX + "/") else self._root_dialect
        if name not in DIALECTS:
            return told.response()
        response: Response = DIALECTS[name].told(told)
        response.headers.update(told.headers)
        return response


def _is_open(path: str) -> bool:
    return path in OPEN or path.startswith(OPEN_BELOW)


def _challenge(path: str) -> str:
    return 'Basic realm="sandbox", charset="UTF-8"' if path in ADMIN or path.startswith(ADMIN_BELOW) else "Bearer"


def _key_in(headers: Headers) -> bytes:
    """The key in the request's headers, or nothing, which is no key either."""
    for name, value in headers:
        if name == b"x-auth-token":
            return value.strip()
        if name == b"authorization":
            scheme, _, rest = value.strip().partition(b" ")
            if scheme.lower() == b"bearer":
                return rest.strip()
            if scheme.lower() == b"basic":
                return _password(rest.strip())
            return value.strip()  # peers whose clients send the bare token
    return b""


def _password(encoded: bytes) -> bytes:
    try:
        return b64decode(encoded, validate=True).partition(b":")[2]
    except BadBase64:
        return b""
