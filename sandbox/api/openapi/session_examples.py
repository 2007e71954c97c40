"""Examples of the models of sessions."""

from __future__ import annotations

from typing import Any

_ID = "f3b1c6a2e4d54c0b9a7f8e6d5c4b3a29"
_LIMITS = {"cpu_time_s": 3600.0, "memory_mb": 512, "processes": 64, "disk_mb": 256, "file_mb": 64}
_SESSION = {
    "id": _ID,
    "language": "python",
    "status": "open",
    "reason": "",
    "created_at": 1764342000.0,
    "expires_at": 1764342600.0,
    "parent": None,
    "calls": 2,
    "replay": False,
    "metadata": {"run": "7"},
    "limits": _LIMITS,
}
_FILE = {"path": "data/numbers.txt", "type": "file", "size": 6, "modified_at": 1764342003.5}
_ERROR = {"type": "ZeroDivisionError", "message": "division by zero", "line": 2, "traceback": ""}

SESSION_EXAMPLES: dict[str, Any] = {
    "SessionInfo": _SESSION,
    "SessionList": {"sessions": [_SESSION]},
    "SessionLimits": _LIMITS,
    "CallLimits": {"cpu_time_s": 10.0, "output_kb": 1024},
    "CallResult": {
        "sequence": 2,
        "status": "ok",
        "stdout": "adding\n",
        "stderr": "",
        "stdout_truncated": False,
        "stderr_truncated": False,
        "result": {"text/plain": "42"},
        "displays": [],
        "error": None,
        "exit_code": None,
        "usage": {"cpu_time_s": 0.0004, "wall_time_s": 0.0006, "memory_mb": 9.5},
        "state": "kept",
        "reason": "",
        "replayed": 0,
    },
    "CallError": _ERROR,
    "InterruptResult": {"interrupted": True},
    "ForkRequest": {"count": 2},
    "ForkResult": {"ids": ["0a1b2c3d4e5f60718293a4b5c6d7e8f9", "9f8e7d6c5b4a39281706f5e4d3c2b1a0"]},
    "SessionFile": _FILE,
    "SessionFiles": {"files": [_FILE]},
    "SessionVerifyRequest": {"tests": [{"assert": "assert add(2, 3) == 5"}], "hidden": {}},
}
