"""Convert the limits of foreign formats to the limits of a task."""

from __future__ import annotations

import math
import re
from typing import Any

from sandbox.problems.unsupported import Unsupported, name_the_place
from sandbox.schema.wire import LimitsRequest

_AMOUNT = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")
_SECONDS = {"s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0, "ms": 1e-3, "millisecond": 1e-3, "milliseconds": 1e-3}
_MEBIBYTES = {
    **dict.fromkeys(("b", "byte", "bytes"), 2.0**-20),
    **dict.fromkeys(("kb", "kib", "kilobyte", "kilobytes"), 2.0**-10),
    **dict.fromkeys(("mb", "mib", "megabyte", "megabytes"), 1.0),
    **dict.fromkeys(("gb", "gib", "gigabyte", "gigabytes"), 1024.0),
}


def build_limits(
    time_s: float | None = None, memory_mb: float | None = None, output_mb: float | None = None, *, where: str
) -> LimitsRequest:
    """Return limits from CPU seconds and MiB; None and 0 mean the server's default. Raises Unsupported."""
    fields: dict[str, Any] = {}
    if time_s:
        fields["cpu_time_s"] = float(time_s)
    if memory_mb:
        fields["memory_mb"] = math.ceil(memory_mb)
    if output_mb:
        fields["output_kb"] = math.ceil(output_mb * 1024)
    with name_the_place(where):
        return LimitsRequest(**fields)


def parse_seconds(value: Any, field: str) -> float | None:
    """Return the seconds in a number or in text such as `2.0 seconds`. Raises Unsupported."""
    return _parse_amount(value, _SECONDS, "s", field)


def parse_mebibytes(value: Any, field: str) -> float | None:
    """Return the MiB in a number or in text such as `256.0 megabytes`. Raises Unsupported."""
    return _parse_amount(value, _MEBIBYTES, "mb", field)


def _parse_amount(value: Any, units: dict[str, float], default: str, field: str) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise Unsupported(field, f"{value!r} is not an amount")
    match = _AMOUNT.fullmatch(str(value))
    if match is None or (unit := match[2].lower() or default) not in units:
        raise Unsupported(field, f"{value!r} is not an amount with one of the units {', '.join(sorted(units))}")
    return float(match[1]) * units[unit]
