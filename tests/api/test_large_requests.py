"""Large requests are encoded in a thread, so that the event loop can serve other requests in the meantime."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from sandbox.api.app import create_app
from sandbox.api.request_parsing import LARGE_BODY_BYTES
from sandbox.config import ApiSettings
from sandbox.queue.submission import Submission, Ticket
from tests.api.fake_service import FakeService


class ThreadRecorder(FakeService):
    """Records whether each submission was made on the thread of the event loop, which is that of the test."""

    def __init__(self) -> None:
        super().__init__()
        self.on_event_loop: list[bool] = []

    def submit(self, submission: Submission) -> Ticket:
        self.on_event_loop.append(threading.current_thread() is threading.main_thread())
        return super().submit(submission)


def build_bodies(filler: str) -> dict[str, dict[str, Any]]:
    program = {"language": "python", "code": "print(1)"}
    test = {"stdin": filler, "expected": "1\n"}
    return {
        "/execute": {**program, "stdin": filler},
        "/verify": {**program, "tests": [test]},
        "/verify/hack": {"target": program, "input": f"{filler}\n", "references": [program]},
        "/reward": {"completions": ["```python\nprint(1)\n```"], "tests": [[test]]},
        "/verify/quality": {"right": ["print(1)"], "wrong": ["print(2)"], "language": "python", "tests": [test]},
    }


@pytest.mark.parametrize("path", build_bodies(""))
async def test_only_a_large_request_is_encoded_in_a_thread(path: str, tmp_path: Path) -> None:
    service = ThreadRecorder()
    transport = httpx.ASGITransport(create_app(ApiSettings(home=tmp_path), service))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        for size in (10, LARGE_BODY_BYTES):
            response = await http.post(path, json=build_bodies("x" * size)[path])
            assert response.status_code == 200, response.text
    assert service.on_event_loop == [True, False]
