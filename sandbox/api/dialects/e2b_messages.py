"""The messages of E2B's code interpreter: output, results and errors of a call."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import Any

from sandbox.api.session_stream import KEEPALIVE, RESULT, Part

FORMATS = {
    "text/plain": "text",
    "text/html": "html",
    "text/markdown": "markdown",
    "image/svg+xml": "svg",
    "image/png": "png",
    "image/jpeg": "jpeg",
    "application/pdf": "pdf",
    "text/latex": "latex",
    "application/json": "json",
    "application/javascript": "javascript",
}


def render(part: Part) -> list[dict[str, Any]]:
    """Return the messages for a part of the answer."""
    if part.event == KEEPALIVE:
        return [{"type": "keepalive"}]
    if part.event == "display":
        return [_render_bundle(part.data, is_main=False)]
    if part.event != RESULT:
        return [_render_output(part.event, part.data["text"])]
    answer = part.data
    messages = [
        _render_output("stderr", f"[the rest of {name} was left out]\n")
        for name in ("stdout", "stderr")
        if answer[f"{name}_truncated"]
    ]
    if answer["result"] is not None:
        messages.append(_render_bundle(answer["result"], is_main=True))
    if (error := answer["error"]) is not None:
        messages.append(render_error_message(error["type"], error["message"], error["traceback"]))
    elif answer["status"] != "ok":
        name = "SandboxError" if answer["state"] == "lost" else "ExecutionStopped"
        messages.append(
            render_error_message(name, answer["reason"] or f"the call ended with status {answer['status']}")
        )
    return [*messages, {"type": "number_of_executions", "execution_count": answer["sequence"]}]


def _render_output(stream: str, text: str) -> dict[str, Any]:
    return {"type": stream, "text": text, "timestamp": time.time_ns()}


def render_error_message(name: str, value: str, traceback: str = "") -> dict[str, Any]:
    return {"type": "error", "name": name, "value": value, "traceback": traceback}


def _render_bundle(bundle: Mapping[str, str], is_main: bool) -> dict[str, Any]:
    known: dict[str, Any] = {FORMATS[kind]: value for kind, value in bundle.items() if kind in FORMATS}
    if "json" in known:
        known["json"] = json.loads(known["json"])
    extra = {kind: value for kind, value in bundle.items() if kind not in FORMATS}
    return {"type": "result", **known, "extra": extra, "is_main_result": is_main}
