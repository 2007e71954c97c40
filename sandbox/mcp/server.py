"""Build the MCP server, and serve it over stdio or streamable HTTP."""

from __future__ import annotations

import asyncio
import os
import signal

import uvicorn
from mcp.server.mcpserver import MCPServer

from sandbox import __version__
from sandbox.mcp.program_calls import ProgramCalls
from sandbox.mcp.service_connection import ServiceConnection, identify_caller
from sandbox.mcp.session_calls import SessionCalls

INSTRUCTIONS = (
    "Run and judge untrusted programs in resource-limited boxes without network. execute and verify start from nothing"
    " each time. Open a session to keep variables and files between calls."
)
HTTP_PATH = "/mcp"


def build_server(service: ServiceConnection) -> MCPServer:
    """Build the server with all tools and resources."""
    server = MCPServer(
        "sandbox",
        version=__version__,
        instructions=INSTRUCTIONS,
        log_level="WARNING",
        middleware=[identify_caller],
    )
    ProgramCalls(service).register(server)
    SessionCalls(service).register(server)
    return server


def serve_stdio(url: str) -> None:
    """Serve one client over stdin and stdout. At the end of stdin or on SIGTERM, close the sessions that are left open.

    Clients close stdin, and send SIGTERM two seconds later.
    """

    async def serve() -> None:
        service, stopped = ServiceConnection(url), asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
        serving = asyncio.create_task(build_server(service).run_stdio_async())
        stopping = asyncio.create_task(stopped.wait())
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await service.close()
        if not serving.done():
            os._exit(0)  # nothing can stop the thread that reads stdin
        stopping.cancel()
        await serving

    asyncio.run(serve())


def serve_http(url: str, host: str, port: int) -> None:
    """Serve any number of clients at `/mcp`. The server keeps no state, so several can run behind a load balancer."""

    async def serve() -> None:
        service = ServiceConnection(url)
        app = build_server(service).streamable_http_app(
            streamable_http_path=HTTP_PATH, stateless_http=True, json_response=True, host=host
        )
        try:
            await uvicorn.Server(uvicorn.Config(app, host=host, port=port, log_level="warning")).serve()
        finally:
            await service.close()

    asyncio.run(serve())
