"""Authentication: if API keys are configured, check the key of each request before its route runs.

A client sends its key as `Authorization: Bearer <key>`, in one of `keyring.KEY_HEADERS`, or as the password of
`Authorization: Basic`, which a browser can prompt for. Every path needs a key, except the public ones: the health
checks, and pages that are the same for everybody.
"""

from __future__ import annotations

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sandbox.api.dialects.registry import DIALECTS, PATH_PREFIX
from sandbox.api.keyring import Keyring, RawHeaders, read_key
from sandbox.api.middleware import CALLER_ID_SCOPE_KEY
from sandbox.api.problems import ProblemResponse, describe_error
from sandbox.errors import Forbidden, Unauthorized
from sandbox.request_context import CURRENT_CALLER, Caller, Role

PUBLIC_PATHS = frozenset({"/", "/health/live", "/health/ready", "/openapi.json", "/docs", "/guide", "/favicon.ico"})
PUBLIC_PATH_PREFIXES = ("/docs/", "/guide/", "/web/")
# Paths that show data of all clients, or can occupy the whole machine.
ADMIN_PATHS = frozenset({"/metrics", "/live", "/gpus", "/generate", "/evaluate"})
ADMIN_PATH_PREFIXES = ("/live/", "/train/", "/webhooks/")


class ApiKeyMiddleware:
    """ASGI middleware that authenticates requests. It is installed only if there are API keys."""

    def __init__(self, app: ASGIApp, keyring: Keyring, root_dialect: str) -> None:
        self._app = app
        self._keyring = keyring
        self._root_dialect = root_dialect

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_public(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            caller = self._authorize(scope["path"], scope["headers"])
        except (Unauthorized, Forbidden) as error:
            problem_response = describe_error(error)
            if isinstance(error, Unauthorized):
                problem_response = ProblemResponse(
                    problem_response.problem, {"WWW-Authenticate": _choose_challenge(scope["path"])}
                )
            await self._render_refusal(scope["path"], problem_response)(scope, receive, send)
            return
        scope[CALLER_ID_SCOPE_KEY] = caller.id
        token = CURRENT_CALLER.set(caller)
        try:
            await self._app(scope, receive, send)
        finally:
            CURRENT_CALLER.reset(token)

    def _authorize(self, path: str, headers: RawHeaders) -> Caller:
        caller = self._keyring.authenticate(read_key(headers))
        if caller.role is not Role.ADMIN and (path in ADMIN_PATHS or path.startswith(ADMIN_PATH_PREFIXES)):
            raise Forbidden("this path is for keys with the role admin")
        return caller

    def _render_refusal(self, path: str, problem_response: ProblemResponse) -> ASGIApp:
        """Render the error in the format of the dialect that the path belongs to."""
        name = (
            path.removeprefix(PATH_PREFIX + "/").split("/")[0]
            if path.startswith(PATH_PREFIX + "/")
            else self._root_dialect
        )
        if name not in DIALECTS:
            return problem_response.to_response()
        response: Response = DIALECTS[name].render_error(problem_response)
        response.headers.update(problem_response.headers)
        return response


def _is_public(path: str) -> bool:
    return path in PUBLIC_PATHS or path.startswith(PUBLIC_PATH_PREFIXES)


def _choose_challenge(path: str) -> str:
    return (
        'Basic realm="sandbox", charset="UTF-8"'
        if path in ADMIN_PATHS or path.startswith(ADMIN_PATH_PREFIXES)
        else "Bearer"
    )
