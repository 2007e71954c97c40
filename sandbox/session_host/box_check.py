"""Check that this machine can hold sessions, by running a cell in a new session box."""

from __future__ import annotations

import asyncio
import time

from sandbox.config import WorkerSettings
from sandbox.errors import BoxError
from sandbox.session_host.session_box import SessionBox

CELL = b"6 * 7"
EXPECTED = "42"


def check_session_box(settings: WorkerSettings, slot: int) -> float:
    """Run a cell in a new session box, and return how many seconds it took. Raises EngineUnavailable or BoxError."""
    from sandbox.box.docker.engine import DockerEngine

    began = time.monotonic()
    engine = DockerEngine(settings, slot)
    try:
        handle = engine.start("python", session=True)
        try:
            asyncio.run(_run_cell(SessionBox(handle)))
        finally:
            handle.destroy()
    finally:
        engine.close()
    return time.monotonic() - began


async def _run_cell(box: SessionBox) -> None:
    await box.connect()
    limits = {"processes": 16, "file_mb": 1, "disk_mb": 16}
    await box.ask({"do": "open", "branch": 0, "kind": "python", "environment": {}, "limits": limits})
    call_limits = {"cpu_time_s": 10.0, "wall_time_s": 20.0, "output_kb": 16}
    reply = await box.ask({"do": "execute", "branch": 0, "stdin": 0, "limits": call_limits}, CELL)
    box.disconnect()
    result = reply.header.get("result")
    if not isinstance(result, dict) or result.get("text/plain") != EXPECTED:
        raise BoxError(f"a session answered {CELL.decode()} with {dict(reply.header)}")
