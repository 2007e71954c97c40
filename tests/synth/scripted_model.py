"""An OpenAI-compatible server that plays the model of a synthesis: `python -m tests.synth.scripted_model --port N`.

It recognizes prompts by their first line, and derives its answers from the request's seed: the same request gets the
same answer, no matter how often and in what order. Its tasks come from `sandbox.gpu.training.toy_tasks`, and its
solutions are their references with mistakes, so that the result of a vote can be checked.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from sandbox.gpu.training import toy_tasks

WRONG_SHARE = 0.3
CLUES = {
    "heapq": ("data_structures", "binary heap"),
    "deque": ("data_structures", "double-ended queue"),
    "dict": ("data_structures", "hash map"),
    "sort": ("algorithms", "comparison sorting"),
    "dp": ("algorithms", "dynamic programming"),
    "while": ("techniques", "two pointers"),
    "%": ("techniques", "modular arithmetic"),
    "sum": ("techniques", "prefix sums"),
}
MANNERS = ("lazy", "offline", "randomised", "persistent", "amortised", "bitwise", "incremental", "bounded", "implicit")
GENERATOR = """import random, sys
kind, rng = sys.argv[1], random.Random(int(sys.argv[2]))
size = {"random": rng.randint(3, 9), "edge": 1, "stress": 400}[kind]
a = [rng.choice([-20, 0, 20]) if kind == "edge" else rng.randint(-20, 20) for _ in range(size)]
"""
SIZED_GENERATOR = """import random, sys
if sys.argv[1] == "largest":
    print(500)
    sys.exit()
kind, rng = sys.argv[1], random.Random(int(sys.argv[2]))
size = int(sys.argv[3]) if kind == "sized" else {"random": rng.randint(3, 9), "edge": 1, "stress": 400}[kind]
a = [rng.choice([-20, 0, 20]) if kind == "edge" else rng.randint(-20, 20) for _ in range(size)]
"""
MISTAKES = ("a = a[:-1]", "a = a + [1]", "a = [x + 1 for x in a]", "raise SystemExit(1)")


def find_task(statement: str) -> toy_tasks.ToyTask:
    """Return the task that a statement was made from: by the model itself, or by `sandbox synth toy-tasks`."""
    number = re.search(r"Problem (\d+)", statement)
    if number is not None:
        return toy_tasks.generate_tasks(1, int(number[1]))[0]
    return next(task for task in toy_tasks.generate_tasks(100, 0) if task.statement in statement)


def list_features(prompt: str, rng: random.Random) -> str:
    found: dict[str, list[str]] = {"algorithms": [], "data_structures": [], "techniques": []}
    for clue, (kind, name) in CLUES.items():
        if clue in prompt.partition("```")[2]:
            found[kind].append(name)
    return f"Here they are.\n```json\n{json.dumps(found)}\n```"


def evolve(prompt: str, rng: random.Random) -> str:
    name = next(line for line in prompt.splitlines() if " > " in line).rpartition(" > ")[2]
    core = name.rpartition(" ")[2]
    siblings = [f"{manner} {core}" for manner in rng.sample(MANNERS, 2)]
    return json.dumps({"siblings": [*siblings, name.upper()], "children": [f"{rng.choice(MANNERS)} {name}"]})


def select(prompt: str, rng: random.Random) -> str:
    if rng.random() < 0.1:
        return "I would rather talk about something else."
    names = [line.rpartition(" > ")[2] for line in prompt.splitlines() if line.startswith("- ")]
    chosen = rng.sample(names, min(3, len(names)))
    return json.dumps({"roles": dict.fromkeys(chosen, "core idea"), "scenario": "Numbers are read and changed."})


def write_task(prompt: str, rng: random.Random) -> str:
    number = rng.randrange(10_000)
    task = toy_tasks.generate_tasks(1, number)[0]
    sizes = "There are 1 to 500 integers, each from -20 to 20."
    return f"Problem {number}. {task.statement}\n\nConstraints: {sizes}\n\nInput\n{task.tests[0].stdin}"


def write_generator(prompt: str, rng: random.Random) -> str:
    counted = "The first line holds n" in prompt
    lie = rng.random() < 0.2
    head = f"print(size{' + (size == 7)' if lie else ''})\n" if counted else ""
    generator = SIZED_GENERATOR if "`sized`" in prompt else GENERATOR
    return f"```python\n{generator}{head}print(*a)\n```"


def write_validator(prompt: str, rng: random.Random) -> str:
    if "The first line holds n" in prompt:
        check = "n, a = int(input()), input().split()\nassert n == len(a)\n"
    else:
        check = "a = input().split()\n"
    return f"```python\n{check}assert 1 <= len(a) <= 500 and all(-20 <= int(x) <= 20 for x in a)\n```"


def write_checker(prompt: str, rng: random.Random) -> str:
    """Say that one output is right, or now and then write a checker that accepts everything."""
    return "```python\npass\n```" if rng.random() < 0.2 else "There is exactly one answer."


def write_brute(prompt: str, rng: random.Random) -> str:
    """Write a slower solution, which is wrong half as often as others."""
    code = find_task(prompt).solution
    if rng.random() < WRONG_SHARE / 2:
        body, _, last = code.rpartition("\n")
        code = f"{body}\n{rng.choice(MISTAKES)}\n{last}"
    return f"```python\n{code}\n```"


def solve(prompt: str, rng: random.Random) -> str:
    code = find_task(prompt).solution
    words = f"Idea {rng.randrange(1_000)}: read the numbers, follow the rules one after the other, print."
    if rng.random() < 0.05:
        return words
    if rng.random() < 0.05:
        return f"{words}\n```python\nprint(\n```"
    if rng.random() < 0.05:
        return f"{words}\n```python\n{code}\n```\nor\n```python\n{code}\n```"
    if rng.random() < WRONG_SHARE:
        body, _, last = code.rpartition("\n")
        code = f"{body}\n{rng.choice(MISTAKES)}\n{last}"
    return f"{words}\n```python\n# way {rng.randrange(1_000)}\n{code}\n```"


ANSWERS = {
    "# Extract features": list_features,
    "# Evolve a feature": evolve,
    "# Select features": select,
    "# Write a task": write_task,
    "# Write a generator": write_generator,
    "# Write a validator": write_validator,
    "# Write a checker": write_checker,
    "# Write a brute-force program": write_brute,
    "# Solve a task": solve,
}


class ScriptedModel(ThreadingHTTPServer):
    """A model server for tests. With `fail_every` n, every nth request is rejected with 503, as by a busy server.

    Prompts of the kinds `muted_kinds` get no usable answer; those of `too_long_kinds` are rejected as too long.
    """

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, port: int = 0, delay_s: float = 0.0, fail_every: int = 0) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.delay_s = delay_s
        self.fail_every = fail_every
        self.muted_kinds: set[str] = set()
        self.too_long_kinds: set[str] = set()
        self.asked_kinds: list[str] = []
        self.lock = threading.Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: ScriptedModel
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        prompt = body["messages"][-1]["content"]
        kind = prompt.partition("\n")[0]
        with self.server.lock:
            self.server.asked_kinds.append(kind)
            refused = self.server.fail_every and len(self.server.asked_kinds) % self.server.fail_every == 0
        if refused:
            self._send(503, {"error": {"message": "busy"}})
            return
        if kind in self.server.too_long_kinds:
            words = "This model's maximum context length is 8 tokens. However, you requested 9."
            self._send(400, {"error": {"message": words, "code": 400}})
            return
        time.sleep(self.server.delay_s)
        text = "" if kind in self.server.muted_kinds else ANSWERS[kind](prompt, random.Random(body["seed"]))
        usage = {"prompt_tokens": len(prompt.split()), "completion_tokens": len(text.split())}
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        self._send(200, {"model": body["model"], "choices": [choice], "usage": usage})

    def log_message(self, *_: Any) -> None:
        """Do not log single requests."""

    def _send(self, status: int, body: dict[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


@contextmanager
def serve_scripted_model(fail_every: int = 0) -> Iterator[ScriptedModel]:
    """Serve from a thread."""
    with ScriptedModel(fail_every=fail_every) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--delay-s", type=float, default=0.0)
    options = parser.parse_args()
    ScriptedModel(options.port, options.delay_s).serve_forever()


if __name__ == "__main__":
    main()
