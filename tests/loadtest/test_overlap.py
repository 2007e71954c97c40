"""Completions stream into the service from a scripted server while others are still being written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from loadtest.overlap import NO_CODE, Completion, Timeline, draw, main
from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.service import Service
from tests.api.threaded_server import serve_in_thread
from tests.http_servers import serve_http

RIGHT = "Sure:\n```python\nprint(int(input()) * 2)\n```\n"
# Prompt -> completion, and seconds between its pieces. The last completion takes much longer than the first.
SCRIPT = {
    "quick": (RIGHT, 0.0),
    "wrong": ("```python\nprint(5)\n```", 0.01),
    "chat": ("I do not know.", 0.0),
    "slow": (RIGHT, 0.3),
}
PROBLEMS = [{"prompt": prompt, "tests": [{"stdin": "2\n", "expected": "4"}]} for prompt in SCRIPT]


class StreamingHandler(BaseHTTPRequestHandler):
    """Serves `/v1/chat/completions` with `stream`, like vLLM."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert (self.path, body["stream"], body["model"]) == ("/v1/chat/completions", True, "scripted")
        text, pause_s = SCRIPT[body["messages"][-1]["content"]]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self._send_event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
        for start in range(0, len(text), 8):
            time.sleep(pause_s)
            self._send_event({"choices": [{"index": 0, "delta": {"content": text[start : start + 8]}}]})
        self._send_event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self._send_chunk(b"data: [DONE]\n\n")
        self._send_chunk(b"")

    def log_message(self, *_: Any) -> None:
        """Do not log requests."""

    def _send_event(self, event: dict[str, Any]) -> None:
        self._send_chunk(b"data: " + json.dumps(event).encode() + b"\n\n")

    def _send_chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


@pytest.fixture
def llm() -> Iterator[str]:
    with serve_http(ThreadingHTTPServer(("127.0.0.1", 0), StreamingHandler)) as url:
        yield f"{url}/v1"


def test_verdicts_are_there_before_the_last_completion_is_written(
    llm: str, live_service: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    problems, times, picture = tmp_path / "problems.jsonl", tmp_path / "times.json", tmp_path / "overlap.png"
    problems.write_text("\n".join(map(json.dumps, PROBLEMS)))
    with serve_in_thread(create_app(ApiSettings(home=tmp_path), live_service)) as url:
        words = ["--llm", llm, "--model", "scripted", "--url", url, "--number", "2", "--problems", str(problems)]
        main([*words, "--picture", str(picture), "--times", str(times)])
    summary = json.loads(capsys.readouterr().out)
    assert (summary["completions"], summary["judged"], summary["accepted"]) == (8, 6, 4)
    assert summary["verdicts_before_the_last_token"] >= 4
    completions = [Completion(**each) for each in json.loads(times.read_text())]
    verdicts = {PROBLEMS[each.problem]["prompt"]: each.verdict for each in completions}
    assert verdicts == {"quick": "accepted", "wrong": "wrong_answer", "chat": NO_CODE, "slow": "accepted"}
    last = max(each.ended_s for each in completions)
    assert all(each.judged_s < last for each in completions if PROBLEMS[each.problem]["prompt"] != "slow")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_is_hidden_is_the_judging_that_others_writing_covers(tmp_path: Path) -> None:
    timeline = Timeline(
        [
            Completion(0, 0.0, 1.0, 2.0, verdict="accepted"),  # one second, all of it overlapped
            Completion(0, 0.0, 3.0, 3.0, verdict=NO_CODE),
            Completion(1, 0.0, 4.0, 7.0, verdict="wrong_answer"),  # three seconds, none overlapped
        ]
    )
    summary = timeline.summarize()
    assert (summary["written_s"], summary["judged_s"], summary["tail_s"]) == (4.0, 7.0, 3.0)
    assert (summary["hidden"], summary["verdicts_before_the_last_token"]) == (0.25, 1)
    draw(timeline, tmp_path / "small.png")
    assert (tmp_path / "small.png").stat().st_size < 60_000
