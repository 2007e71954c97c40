"""One JSON object a line on stderr: what every process of ours logs."""

from __future__ import annotations

import json
import logging
import sys
import time
from functools import lru_cache
from typing import Any

import orjson

from sandbox.request_context import CURRENT_CALLER, LOG_FIELDS

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class JsonFormatter(logging.Formatter):
    """Time, level, process, logger, message, the ids of what is being served, the fields given as `extra`, and a
    traceback where there is one.

    A line break in a message stays inside its JSON string: nothing logged can forge a line.
    """

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": f"{_format_second(int(record.created))}.{int(record.msecs):03}Z",
            "level": record.levelname.lower(),
            "process": record.process,
            "logger": record.name,
            "message": record.getMessage(),
            **LOG_FIELDS.get(),
        }
        caller = CURRENT_CALLER.get()
        if caller is not None:
            line["key"] = caller.id
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD}
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return _encode_json(line)


@lru_cache(maxsize=2)
def _format_second(seconds: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def _encode_json(line: dict[str, Any]) -> str:
    try:
        text = orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
        # What some readers take for the end of a line, or a terminal for a command, is escaped below.
        if text.isascii() and text.isprintable():
            return text
    except orjson.JSONEncodeError:  # half a surrogate pair, or a number beyond 64 bits
        pass
    return json.dumps(line, default=str, skipkeys=True).replace("\x7f", "\\u007f")


def start_logging(level: str = "info") -> None:
    """Log as JSON to stderr. Call once, in a process's main."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("rq.worker", "httpx", "uvicorn.access"):
        logging.getLogger(noisy).setLevel("WARNING")
