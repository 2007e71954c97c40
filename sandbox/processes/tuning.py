"""Memory of a process that serves: kept where it was used for megabytes, and rarely searched for garbage."""

from __future__ import annotations

import ctypes
import gc

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
TRIM_THRESHOLD_BYTES = 64 << 20
MMAP_THRESHOLD_BYTES = 32 << 20  # the most that glibc takes
GC_THRESHOLD = 10_000


def reuse_freed_blocks() -> None:
    """Have freed blocks of up to 32 MiB reused, rather than given back to the kernel and asked for again.

    A fresh block costs a page fault per 4 KiB, which is half of what a worker spends on 8 MB of output. At most 64 MiB
    are kept so. Does nothing where the C library is not glibc.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_BYTES)
        mallopt(M_TRIM_THRESHOLD, TRIM_THRESHOLD_BYTES)


def reduce_garbage_collection() -> None:
    """Call when a process is about to serve: what it has by then it keeps, and the collector need not look at it again.

    It looked after every 700 new objects, at many of those that were there: 5 % of the API's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
