"""Collect what one call writes and displays."""

from __future__ import annotations

import codecs
import logging
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.session_host.box_frames import encode_bundle

logger = logging.getLogger(__name__)

MAX_DISPLAYS = 256
MAX_DISPLAY_BYTES = 16 << 20

OnPart = Callable[[Mapping[str, Any]], None]


class CallOutput:
    """Collects the events of one call, and passes each of them to `on_part` immediately."""

    def __init__(self, on_part: OnPart | None) -> None:
        self._on_part = on_part
        self._chunks: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        self._decoders = {name: codecs.getincrementaldecoder("utf-8")("replace") for name in self._chunks}
        self.displays: list[dict[str, str]] = []
        self._display_bytes = 0

    def add_event(self, header: Mapping[str, Any], payload: bytes) -> None:
        """Add an output or a display. Ignores events of any other form."""
        stream, data = header.get("stream"), header.get("data")
        if header["event"] == "output" and isinstance(stream, str) and stream in self._chunks:
            self._chunks[stream].append(payload)
            if self._on_part is not None and (text := self._decoders[stream].decode(payload)):
                self._on_part({"event": stream, "data": {"text": text}})
        elif header["event"] == "display" and isinstance(data, dict):
            self._add_display(data)

    def _add_display(self, data: Mapping[str, Any]) -> None:
        try:
            bundle = encode_bundle(data)
        except RecursionError:
            logger.debug("a display is nested too deeply")
            return
        self._display_bytes += sum(map(len, bundle.values()))
        if len(self.displays) < MAX_DISPLAYS and self._display_bytes <= MAX_DISPLAY_BYTES:
            self.displays.append(bundle)
            if self._on_part is not None:
                self._on_part({"event": "display", "data": bundle})

    def read(self, stream: str) -> str:
        return b"".join(self._chunks[stream]).decode(errors="replace")
