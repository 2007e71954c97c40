"""The page's colors for verdicts, outcomes and states (`sandbox/web/style.css` and `verdicts.js`), for dashboards."""

from __future__ import annotations

from typing import Literal

Tone = Literal["good", "bad", "time", "memory", "output", "runtime", "compile", "internal", "skipped"]

FILLS: dict[Tone, str] = {
    "good": "#2f9e63",
    "bad": "#d9483b",
    "time": "#e2a321",
    "memory": "#9a5ccc",
    "output": "#26a3ae",
    "runtime": "#d2558f",
    "compile": "#6a87b8",
    "internal": "#59626f",
    "skipped": "#b4bdc9",
}
VERDICTS: dict[str, Tone] = {
    "accepted": "good",
    "ok": "good",
    "wrong_answer": "bad",
    "time_limit_exceeded": "time",
    "memory_limit_exceeded": "memory",
    "output_limit_exceeded": "output",
    "runtime_error": "runtime",
    "compile_error": "compile",
    "internal_error": "internal",
    "skipped": "skipped",
}
# A series is colored by its label's value, if its legend consists of one of these labels.
SERIES: dict[str, dict[str, Tone]] = {
    "verdict": VERDICTS,
    "outcome": {
        "pass": "good",
        "fail": "bad",
        "no_code": "compile",
        "lost": "internal",
        "mixed": "good",
        "all_pass": "time",
        "all_fail": "bad",
        "delivered": "good",
        "failed": "time",
        "dead": "bad",
    },
    "state": {"idle": "good", "busy": "compile", "warming": "time", "dead": "bad", "in_use": "compile", "warm": "good"},
    "status": {"ok": "good", "error": "runtime", "closed": "good", "lost": "bad"},
}
