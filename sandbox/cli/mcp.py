"""`sandbox mcp`: a server of the Model Context Protocol."""

from __future__ import annotations

import importlib.util
from typing import Annotated

import typer

from sandbox.cli.console import Url, fail, read_settings, say


def mcp(
    http: Annotated[bool, typer.Option("--http", help="Serve streamable HTTP at /mcp, instead of stdio.")] = False,
    host: Annotated[str, typer.Option(help="Address to listen on with --http.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on with --http.")] = 8082,
    url: Url = "",
) -> None:
    """Offer the service as tools of the Model Context Protocol.

    Over stdio, calls use the key in SANDBOX_API_KEY. Over HTTP, each client sends its own key.
    """
    from sandbox.config import ApiSettings
    from sandbox.processes.api_address import build_service_url

    if importlib.util.find_spec("mcp") is None:
        fail("the package mcp is not installed; install this package with its extra [mcp], or run pip install mcp")
    from sandbox.mcp.server import HTTP_PATH, serve_http, serve_stdio

    url = url or build_service_url(read_settings(ApiSettings))
    if not http:
        serve_stdio(url)
        return
    say(f"MCP at http://{host}:{port}{HTTP_PATH}, for the service at {url}")
    serve_http(url, host, port)
