"""Python's garbage collection in serving processes."""

from __future__ import annotations

import gc

GC_THRESHOLD = 10_000


def reduce_garbage_collection() -> None:
    """Exclude all current objects from garbage collection, and collect less often. Call this before serving starts.

    By default, Python collects after every 700 new objects and scans many old ones: 5 % of the API's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
