"""Whether a service can open sessions, for measurements that need them."""

from __future__ import annotations

from sandbox.schema.health import Readiness

NO_SESSION_HOST = (
    "the service at {url} has no session host, and this measurement needs sessions. Set SANDBOX_SESSIONS on a host with"
    " the Docker engine and start the service again; SANDBOX_ENGINE=local has no sessions."
)


def require_session_host(readiness: Readiness, url: str) -> int:
    """Return the number of session hosts. Exits with what to do if none is running."""
    if readiness.session_hosts == 0:
        raise SystemExit(NO_SESSION_HOST.format(url=url))
    return readiness.session_hosts
