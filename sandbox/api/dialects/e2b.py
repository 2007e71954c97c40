"""E2B's dialect: all parts of it under one URL, and a 501 for each request that a session cannot serve."""

from __future__ import annotations

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from sandbox.api.dialects import e2b_files, e2b_interpreter, e2b_processes, e2b_sandboxes
from sandbox.api.dialects.dialect import Dialect, Endpoint
from sandbox.api.dialects.e2b_session import render_error, render_rpc_error

SANDBOX = "/sandboxes/{sandbox_id}"
TEMPLATE_PATHS = ("/templates", "/v2/templates", "/v3/templates", "/templates/{rest:path}", "/v2/templates/{rest:path}")
UNSUPPORTED = {
    "sandboxes cannot be paused; they run until their timeout": [
        ("POST", f"{SANDBOX}/pause"),
        ("POST", f"{SANDBOX}/resume"),
    ],
    "snapshots of sandboxes are not available; fork the sandbox": [
        ("POST", f"{SANDBOX}/snapshots"),
        ("GET", "/snapshots"),
    ],
    "sandboxes have no network": [("PUT", f"{SANDBOX}/network")],
    "metrics and logs of single sandboxes are not available": [
        ("GET", path) for path in (f"{SANDBOX}/metrics", "/sandboxes/metrics", f"{SANDBOX}/logs", f"/v2{SANDBOX}/logs")
    ],
    "templates cannot be built or listed": [
        (method, path) for method in ("GET", "POST", "PATCH", "DELETE") for path in TEMPLATE_PATHS
    ],
    "volumes are not available": [
        (method, path) for method in ("GET", "POST", "DELETE") for path in ("/volumes", "/volumes/{rest:path}")
    ],
    "secrets are not available": [
        (method, path) for method in ("GET", "POST", "DELETE") for path in ("/secrets", "/secrets/{rest:path}")
    ],
}
UNSUPPORTED_RPC = {
    "directories cannot be watched": [
        ("POST", f"/filesystem.Filesystem/{name}")
        for name in ("WatchDir", "CreateWatcher", "GetWatcherEvents", "RemoveWatcher")
    ],
    "pseudo-terminals are not available; use commands": [("POST", "/process.Process/Update")],
    "send input with send_stdin instead of a stream": [("POST", "/process.Process/StreamInput")],
}


def _build_refusal(reason: str) -> Endpoint:
    async def refuse(request: Request) -> Response:
        raise HTTPException(501, reason)

    return refuse


def _build_dialect() -> Dialect:
    dialect = Dialect("e2b", render_error)
    for refused, renderer in ((UNSUPPORTED, render_error), (UNSUPPORTED_RPC, render_rpc_error)):
        part = Dialect("e2b", renderer)
        for reason, routes in refused.items():
            for method, path in routes:
                part.add(method, path, _build_refusal(reason))
        dialect.include(part)
    for part in (e2b_sandboxes.ROUTES, e2b_files.ROUTES, e2b_files.RPC, e2b_processes.RPC, e2b_interpreter.ROUTES):
        dialect.include(part)
    return dialect


DIALECT = _build_dialect()
