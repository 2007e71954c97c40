"""Logging for all processes: one JSON object per line on stderr."""

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
    """Formats a record as JSON.

    A line has the time, level, process, logger, message, the ids of the request in progress, the fields given as
    `extra`, and a traceback if there is one. Line breaks in a message stay inside its JSON string, so no message can
    forge a line.
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
        # If this is false, the text has characters that readers may take for a line end, or terminals for a command.
        if text.isascii() and text.isprintable():
            return text
    except orjson.JSONEncodeError:  # a lone surrogate, or a number beyond 64 bits
        pass
    return json.dumps(line, default=str, skipkeys=True).replace("\x7f", "\\u007f")


def start_logging(level: str = "info") -> None:
    """Log as JSON to stderr. Call this once at the start of a process."""
    # Lines have no source line, thread, or process name. Python's logging HOWTO turns their collection off this way.
    logging._srcfile = None
    logging.logThreads = logging.logMultiprocessing = False
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for noisy in ("rq.worker", "httpx", "uvicorn.access"):
        logging.getLogger(noisy).setLevel("WARNING")
