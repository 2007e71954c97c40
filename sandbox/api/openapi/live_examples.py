"""Examples of the models of the live view and of training runs, for the OpenAPI document."""

from __future__ import annotations

from typing import Any

_ID = "0f8fad5bd9cb469fa16570867728950e"
_RUNNING_ITEM = {"id": f"{_ID}.3", "kind": "verify", "language": "python", "lane": "rl"}
_LIVE_SLOT = {
    "name": "host-a-4711-0",
    "host": "host-a",
    "engine": "docker",
    "state": "busy",
    "heard_s": 0.4,
    "since": 1795403496.1,
    "running": _RUNNING_ITEM,
    "done": 1917,
    "boxes": ["cpp", "python"],
}
_LIVE_LANE = {"name": "rl", "queued": 12, "oldest_s": 0.8}
_LIVE_SECOND = {"at": 1795403495, "verdicts": {"accepted": 41, "wrong_answer": 23}}
_LIVE_PERIOD = {"at": 1795403460, "verdicts": {"accepted": 1804, "wrong_answer": 977}}
_LIVE_RESULT = {
    **_RUNNING_ITEM,
    "job": _ID,
    "verdict": "accepted",
    "passed": 1,
    "total": 1,
    "at": 1795403496.0,
    "queued_s": 0.003,
    "took_s": 0.006,
    "worker": "host-a-4711-0",
}
_SESSION_HOST = {
    "id": "0b7c2e9a51f34d2f8f8c5f0a6f0d9e11",
    "name": "host-a",
    "places": 100,
    "open": 12,
    "warm": 2,
    "draining": False,
}
_LIVE_SESSION = {
    "id": "5d41402abc4b2a76b9719d911017c592",
    "language": "python",
    "created_at": 1795403401.0,
    "expires_at": 1795404001.0,
    "parent": None,
    "host": "host-a",
}
_LIVE_SESSIONS = {"hosts": [_SESSION_HOST], "latest": [_LIVE_SESSION]}
_RUN_POINT = {
    "step": 41,
    "at": 1790000000.0,
    "completions": 64,
    "reward": 0.53,
    "verdicts": {"accepted": 31, "wrong_answer": 24, "no_code": 7, "lost": 2},
    "took_s": 1.8,
}
_RUN = {
    "id": "1f755190987db28c",
    "name": "grpo/seed=0",
    "started_at": 1789999000.0,
    "ended_at": 1790000000.0,
    "requests": 42,
    "latest": _RUN_POINT,
}
_LIVE_VIEW = {
    "at": 1795403496.3,
    "slots": [_LIVE_SLOT],
    "lanes": [_LIVE_LANE],
    "seconds": [_LIVE_SECOND],
    "recent": [_LIVE_RESULT],
    "sessions": _LIVE_SESSIONS,
}

LIVE_EXAMPLES: dict[str, Any] = {
    "LiveHistory": {"at": 1795403496.3, "step_s": 60, "periods": [_LIVE_PERIOD]},
    "LiveLane": _LIVE_LANE,
    "LivePeriod": _LIVE_PERIOD,
    "LiveResult": _LIVE_RESULT,
    "LiveSecond": _LIVE_SECOND,
    "LiveSession": _LIVE_SESSION,
    "LiveSessions": _LIVE_SESSIONS,
    "LiveSlot": _LIVE_SLOT,
    "LiveView": _LIVE_VIEW,
    "Run": {**_RUN, "points": [_RUN_POINT]},
    "RunList": {"runs": [_RUN]},
    "RunPoint": _RUN_POINT,
    "RunSummary": _RUN,
    "SessionHost": _SESSION_HOST,
    "RunningItem": _RUNNING_ITEM,
}
