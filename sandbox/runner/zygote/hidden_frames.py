"""Call a builtin so that it sees no caller and has the full recursion limit.

CPython keeps the running frame and the recursion budget in its thread state. This module finds the two fields, verifies
them in a forked child, and clears them around the call. As a result `sys._getframe().f_back`, `inspect.stack()` and the
depth of RecursionError are the same as under `python3 main.py`. If the verification fails because the interpreter is
unknown, the program simply sees one extra caller.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

# For each version: the offset from the recursion limit to the end of the ints, where the frame pointer begins; the
# offset of the frame pointer in a cframe, or None if there is no cframe; and the recursion budget that a call of exec()
# costs. Source: CPython's Include/cpython/pystate.h.
_LAYOUTS = {(3, 11): (16, 8, 1), (3, 12): (20, 0, 0), (3, 13): (20, None, 0)}
_PROBE_LIMIT = 12_347
_PROOF_SOURCE = "import sys; proved = sys._getframe().f_back is None"


class ThreadStateFields(NamedTuple):
    """The addresses of two fields in the thread state: the recursion limit, and the pointer to the frame or cframe."""

    recursion_limit_address: int
    frame_pointer_address: int
    cframe_offset: int | None


class HiddenFrameCall:
    """A callable that calls a builtin, such as exec or a functools.partial, without a visible caller.

    It does not work for a function written in Python: the interpreter passes the caller's frame to it directly, without
    reading these fields.
    """

    def __init__(self) -> None:
        self.fields = _prove_fields()

    def __call__(self, builtin: Callable[..., Any], *arguments: Any) -> None:
        if self.fields is None:
            builtin(*arguments)
            return
        limit_address, pointer_address, behind = self.fields
        _, _, cost = _LAYOUTS[sys.version_info[:2]]
        # Read here instead of in a function, because a call may have its own cframe.
        if behind is not None:
            pointer_address = (ctypes.c_void_p.from_address(pointer_address).value or 0) + behind
        frame = ctypes.c_void_p.from_address(pointer_address)
        caller = frame.value
        ctypes.c_int.from_address(limit_address - 4).value = sys.getrecursionlimit() + cost
        frame.value = None
        try:
            builtin(*arguments)
        finally:
            frame.value = caller


def _find_fields() -> ThreadStateFields | None:
    """Find the addresses of the two fields in this thread's state; return None if the interpreter is unknown."""
    layout = _LAYOUTS.get(sys.version_info[:2])
    if layout is None or sys.implementation.name != "cpython":
        return None
    get = ctypes.pythonapi.PyThreadState_Get
    get.restype = ctypes.c_void_p
    state: int = get()
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(_PROBE_LIMIT)
    try:
        for address in range(state + 24, state + 120, 4):
            remaining, limit = (ctypes.c_int.from_address(address + offset).value for offset in (0, 4))
            if limit == _PROBE_LIMIT and 0 < limit - remaining < 200:
                return ThreadStateFields(address + 4, (address + 4 + layout[0] + 7) // 8 * 8, layout[1])
    finally:
        sys.setrecursionlimit(before)
    return None


def _prove_fields() -> ThreadStateFields | None:
    fields = _find_fields()
    if fields is None:
        return None
    pid = os.fork()
    if pid == 0:
        call = HiddenFrameCall.__new__(HiddenFrameCall)
        call.fields = fields
        namespace: dict[str, Any] = {}
        call(exec, compile(_PROOF_SOURCE, "proof", "exec"), namespace)
        os._exit(0 if namespace["proved"] and sys._getframe().f_back is not None else 1)
    return fields if os.waitpid(pid, 0)[1] == 0 else None
