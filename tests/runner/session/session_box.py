"""A session box in a real container, driven frame by frame as a session host does it."""

from __future__ import annotations

import itertools
import json
import os
import select
import time
from typing import Any, NamedTuple

from sandbox.box.docker.box_handle import DockerBoxHandle
from sandbox.box.docker.engine import DockerEngine
from sandbox.runner import frames

LIMITS = {"cpu_time_s": 10.0, "wall_time_s": 30.0, "output_kb": 256}
BRANCH_LIMITS = {"processes": 32, "file_mb": 64, "disk_mb": 64}
# the fields that a large body may set, by the frame's event
BODY_FIELDS = {"done": ("result", "error"), "display": ("data",), None: ("files", "complete")}
ANSWER_TIMEOUT_S = 60.0


class Answer(NamedTuple):
    """The answer to a request: its header, its content, and the events of a call before it."""

    header: dict[str, Any]
    content: bytes = b""
    stdout: str = ""
    stderr: str = ""
    displays: tuple[dict[str, Any], ...] = ()

    @property
    def text(self) -> str | None:
        """The plain text of a call's result."""
        result = self.header.get("result")
        return None if result is None else result["text/plain"]


class SessionBox:
    """A started session box."""

    def __init__(self, engine: DockerEngine) -> None:
        self.handle: DockerBoxHandle = engine.start("python", session=True)
        self._numbers = itertools.count(1)
        self._arrived: list[tuple[dict[str, Any], bytes]] = []
        self.ready, _ = self._receive(lambda header: "ready" in header)

    def close(self) -> None:
        self.handle.destroy()

    def send(self, do: str, branch: int = 0, content: bytes = b"", **fields: Any) -> int:
        """Send a request and return its number."""
        number = next(self._numbers)
        header = {"do": do, "id": number, "branch": branch, **fields}
        if len(content) <= frames.MAX_INLINE_BYTES:
            frames.send(self.handle.connection, header, payload=content)
            return number
        memory_file = frames.create_memory_file("content", content)
        frames.send(self.handle.connection, header | {"memory_file": len(content)}, [memory_file])
        os.close(memory_file)
        return number

    def ask(self, do: str, branch: int = 0, content: bytes = b"", **fields: Any) -> Answer:
        return self.wait(self.send(do, branch, content, **fields))

    def open(self, branch: int = 0, kind: str = "python", **fields: Any) -> None:
        fields.setdefault("limits", BRANCH_LIMITS)
        answer = self.ask("open", branch, kind=kind, **fields)
        assert answer.header.get("opened"), answer.header

    def send_code(self, code: str, branch: int = 0, stdin: str | None = None, **limits: Any) -> int:
        content = code.encode("utf-8", "surrogateescape")
        data = None if stdin is None else stdin.encode()
        size = None if data is None else len(data)
        return self.send("execute", branch, content + (data or b""), limits=LIMITS | limits, stdin=size)

    def execute(self, code: str, branch: int = 0, stdin: str | None = None, **limits: Any) -> Answer:
        return self.wait(self.send_code(code, branch, stdin, **limits))

    def fork(self, branch: int = 0, count: int = 1) -> list[int]:
        answer = self.ask("fork", branch, count=count)
        assert "branches" in answer.header, answer.header
        return list(answer.header["branches"])

    def wait(self, number: int) -> Answer:
        """Wait for a request's answer; collect the events of a call."""
        streams: dict[str, bytearray] = {"stdout": bytearray(), "stderr": bytearray()}
        displays = []
        while True:
            header, content = self._receive(lambda header: header.get("id") == number)
            if header.get("event") == "output":
                streams[header["stream"]] += content
            elif header.get("event") == "display":
                displays.append(header["data"])
            else:
                stdout, stderr = (bytes(text).decode("utf-8", "replace") for text in streams.values())
                return Answer(header, content, stdout, stderr, tuple(displays))

    def wait_for_event(self, event: str) -> dict[str, Any]:
        return self._receive(lambda header: header.get("event") == event)[0]

    def wait_for_output(self, number: int) -> None:
        """Wait until a call has printed something; what it printed is lost."""
        self._receive(lambda header: header.get("id") == number and header.get("event") == "output")

    def _receive(self, matches: Any) -> tuple[dict[str, Any], bytes]:
        deadline = time.monotonic() + ANSWER_TIMEOUT_S
        while True:
            for position, (header, content) in enumerate(self._arrived):
                if matches(header):
                    del self._arrived[position]
                    return header, content
            ready, _, _ = select.select([self.handle.connection], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, f"no answer; arrived: {self._arrived}"
            header, content, descriptors = frames.receive(self.handle.connection)
            if "large" in header:
                body = json.loads(frames.read_memory_file(descriptors.pop(), header["large"]))
                header |= {name: body[name] for name in BODY_FIELDS[header.get("event")] if name in body}
            if "memory_file" in header:
                content = frames.read_memory_file(descriptors.pop(), header["memory_file"])
            assert not descriptors
            self._arrived.append((header, content))
