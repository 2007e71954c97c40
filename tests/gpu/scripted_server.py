"""An OpenAI-compatible server that answers from a script: `python -m tests.gpu.scripted_server --model M --port N ...`.

It takes vLLM's options and replaces vLLM's server where there is no model. The script is a JSON file that maps prompts
(the text of the last message) to the completions to return in turn. Unknown prompts get the completions of `default`.
`delay_s` is the delay of each answer, `die_after` the number of requests before a simulated crash, `no_start` the text
to print instead of starting, and `start_s` how long a start takes. Like vLLM, it sleeps and loads other weights, unless
`frozen` is set; `calls.jsonl` beside the script lists these calls. Its answers end with the name of the model whose
weights it holds if `signed` is set.
"""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class Script:
    """The answers, and how often each was requested."""

    def __init__(self, path: Path) -> None:
        script = json.loads(path.read_text(encoding="utf-8"))
        self._answers: dict[str, list[str]] = script.get("answers", {})
        self._default: list[str] = script.get("default", ["no idea"])
        self.no_start: str = script.get("no_start", "")
        self.delay_s: float = script.get("delay_s", 0.0)
        self.start_s: float = script.get("start_s", 0.0)
        self.frozen: bool = script.get("frozen", False)
        self.signed: bool = script.get("signed", False)
        self.calls = path.with_name("calls.jsonl")
        self._die_after: int = script.get("die_after", 0)
        self._death_marker = path.with_suffix(".died")
        self._request_numbers = count(1)
        self._lock = threading.Lock()
        self._completion_counts: dict[str, int] = {}

    def take_completions(self, prompt: str, n: int) -> list[str]:
        with self._lock:
            if self._die_after and next(self._request_numbers) > self._die_after and not self._death_marker.exists():
                self._death_marker.touch()
                os._exit(1)
            start = self._completion_counts.get(prompt, 0)
            self._completion_counts[prompt] = start + n
        texts = self._answers.get(prompt, self._default)
        return [texts[index % len(texts)] for index in islice(count(start), n)]


class ScriptedServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], script: Script, model: str) -> None:
        super().__init__(address, ScriptedHandler)
        self.script = script
        self.model = model
        self.weights = Path(model).resolve().name
        self.asleep = False


class ScriptedHandler(BaseHTTPRequestHandler):
    server: ScriptedServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._send_json({"status": "ok", "data": [{"id": self.server.model}]})

    def do_POST(self) -> None:
        size = int(self.headers.get("Content-Length") or 0)
        body = json.loads(self.rfile.read(size) or b"{}")
        if not self.path.startswith("/v1/"):
            self._control(body)
            return
        time.sleep(self.server.script.delay_s)
        chat = "messages" in body
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        texts = self.server.script.take_completions(prompt, body.get("n", 1))
        if self.server.script.signed:
            texts = [f"{text} {self.server.weights}" for text in texts]
        choices = [
            {"index": index, "finish_reason": "stop", **({"message": {"content": text}} if chat else {"text": text})}
            for index, text in enumerate(texts)
        ]
        tokens = sum(len(text.split()) for text in texts)
        usage = {"completion_tokens": tokens, "prompt_tokens": len(prompt.split())}
        self._send_json({"model": self.server.model, "choices": choices, "usage": usage})

    def log_message(self, *_: Any) -> None:
        """Do not log single requests."""

    def _control(self, body: dict[str, Any]) -> None:
        """Answer one of vLLM's development endpoints."""
        path = urlsplit(self.path)
        with self.server.script.calls.open("a", encoding="utf-8") as calls:
            calls.write(json.dumps([path.path, path.query, body.get("kwargs", {})]) + "\n")
        status = 404 if self.server.script.frozen else 200
        if path.path == "/sleep":
            self.server.asleep = True
        elif path.path == "/wake_up" and path.query == "tags=kv_cache":
            self.server.asleep = False
        elif path.path == "/collective_rpc":
            assert body["method"] == "reload_weights"
            self.server.weights = Path(body["kwargs"]["weights_path"]).name
        self._send_json({}, status)

    def _send_json(self, body: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("model", "served-model-name", "host"):
        parser.add_argument(f"--{name}", default="127.0.0.1")
    parser.add_argument("--port", type=int)
    parser.add_argument("--tensor-parallel-size", type=int, default=1)
    parser.add_argument("--script", type=Path)
    options = parser.parse_args()
    script = Script(options.script)
    time.sleep(script.start_s)
    if script.no_start:
        raise SystemExit(script.no_start)
    ScriptedServer((options.host, options.port), script, options.model).serve_forever()


if __name__ == "__main__":
    main()
