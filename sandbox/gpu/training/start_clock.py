"""Measure the parts of a training's start, from the start of its process to its first step."""

from __future__ import annotations

import time

from sandbox.gpu.job_dir import JobDir
from sandbox.schema.gpu import Progress


class StartClock:
    """Takes the seconds of each part, and reports the next part as progress of the job."""

    def __init__(self, job_dir: JobDir, began: float | None) -> None:
        """Start at `began`, in seconds since 1970, or now."""
        self._job_dir = job_dir
        self._began = self._last = time.time() if began is None else began
        self._parts: dict[str, float] = {}

    def end_part(self, name: str, then: str = "") -> None:
        """End a part; `then` says what comes next."""
        now = time.time()
        self._parts[name] = round(now - self._last, 3)
        self._last = now
        if then:
            self._job_dir.append_progress(Progress(message=then))

    def summarize(self) -> dict[str, float]:
        """Return the seconds of each part and of all of them, as `took_s`."""
        return {"took_s": round(self._last - self._began, 3), **self._parts}
