"""A local model server: a child process that serves one model, and can load other weights while it runs.

Theory of operation. A start of vLLM takes a minute or more: imports, kernels, CUDA graphs. None of it depends on the
weights. vLLM's development endpoints, which listen on the loopback interface only, make use of that. `sleep` discards
the weights and the cache, so that a training can use the GPU. `load_weights` fills the same memory from another
checkpoint of the same architecture. A server without these endpoints answers 404, and the caller restarts it.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from sandbox.gpu.child_environment import HOST
from sandbox.gpu.subprocesses import Process

SERVED_NAME = "model"
HEALTH_TIMEOUT_S = 5.0
SLEEP_TIMEOUT_S = 60.0
LOAD_TIMEOUT_S = 600.0
# How vLLM, transformers and the hub report that a model does not exist. Restarting the server would not help.
MODEL_NOT_FOUND = re.compile(
    r"Invalid repository ID or local directory specified|is not a valid model identifier|RepositoryNotFoundError"
    r"|config\.json.{0,60}(?:not found|does not exist)|Could not detect config format"
)
# An unreachable hub causes the same errors, unless the process runs offline.
HUB_UNREACHABLE = re.compile(
    r"ConnectionError|ConnectError|Timeout|Max retries exceeded|50[0234] Server Error|429 Client"
)
# The parts of a start whose seconds vLLM prints.
START_PARTS = {
    "weights_s": re.compile(r"Model loading took [^\n]*? and ([\d.]+) seconds"),
    "compile_s": re.compile(r"torch\.compile took ([\d.]+) s in total"),
    "graphs_s": re.compile(r"Graph capturing finished in ([\d.]+) secs"),
    "engine_s": re.compile(r"init engine \([^)]*\) took ([\d.]+) s"),
}
# The stage of a start after each of these words in the output, the latest last.
START_STAGES = (
    (re.compile(r"API server version|Initializing a V1"), "starting the engine"),
    (re.compile(r"Starting to load model"), "loading the weights"),
    (re.compile(r"Model loading took"), "compiling"),
    (re.compile(r"torch\.compile took"), "warming up"),
    (re.compile(r"Graph capturing finished"), "finishing"),
)


@dataclass
class ModelServer:
    """A child process that serves a model. `loaded` is the model whose weights it holds, empty if it is not known."""

    model: str
    gpus: Sequence[int]
    port: int
    process: Process
    log: Path
    log_offset: int
    offline: bool
    loaded: str = ""
    is_ready: bool = False
    is_asleep: bool = False
    started_at: float = field(default_factory=time.monotonic)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def holds(self, model: str) -> bool:
        """Return whether the server has the weights of `model`, or starts with them."""
        return (self.loaded if self.is_ready else self.model) == model

    def read_output(self) -> str:
        """Return the output of this process. The log also holds that of earlier processes."""
        try:
            with self.log.open("rb") as file:
                file.seek(self.log_offset)
                return file.read().decode(errors="replace")
        except FileNotFoundError:
            return ""

    def is_healthy(self) -> bool:
        if self.process.poll() is not None:
            return False
        try:
            return httpx.get(f"{self.url}/health", timeout=HEALTH_TIMEOUT_S, trust_env=False).status_code == 200
        except httpx.HTTPError:
            return False

    def sleep(self) -> None:
        """Discard the weights and the cache, which frees most of the GPU's memory. Raises httpx.HTTPError."""
        self._post("/sleep", {"level": "2", "mode": "abort"}, timeout_s=SLEEP_TIMEOUT_S)
        self.is_asleep, self.loaded = True, ""

    def load_weights(self, model: str, directory: Path) -> dict[str, float]:
        """Load the weights in `directory`; return the seconds of each part. Raises httpx.HTTPError.

        The cache holds results of the old weights, so it is emptied.
        """
        parts: dict[str, float] = {}
        was_asleep, self.loaded = self.is_asleep, ""
        if was_asleep:
            with _measure(parts, "wake_s"):
                self._post("/wake_up", {"tags": "weights"})
        with _measure(parts, "weights_s"):
            body = {"method": "reload_weights", "kwargs": {"weights_path": str(directory)}}
            self._post("/collective_rpc", body=body)
        if was_asleep:
            with _measure(parts, "cache_s"):
                self._post("/wake_up", {"tags": "kv_cache"})
        self._post("/reset_prefix_cache")
        self.is_asleep, self.loaded = False, model
        return parts

    def _post(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, object] | None = None,
        timeout_s: float = LOAD_TIMEOUT_S,
    ) -> None:
        answer = httpx.post(f"{self.url}{path}", params=query, json=body, timeout=timeout_s, trust_env=False)
        answer.raise_for_status()


@contextmanager
def _measure(parts: dict[str, float], name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    parts[name] = round(time.monotonic() - began, 3)


def read_start_parts(printed: str) -> dict[str, float]:
    """Return the seconds of each part of a start that the server has printed."""
    found = {name: pattern.findall(printed) for name, pattern in START_PARTS.items()}
    return {name: float(values[-1]) for name, values in found.items() if values}


def find_start_stage(printed: str) -> str:
    """Return the stage that a starting server is in, as far as its output says."""
    return next((stage for words, stage in reversed(START_STAGES) if words.search(printed)), "importing")


def find_missing_model_error(printed: str, offline: bool) -> str | None:
    """Return the line of a server's output that reports a missing model, or None if there is no such line."""
    found = MODEL_NOT_FOUND.search(printed)
    if found is None or (HUB_UNREACHABLE.search(printed) and not offline):
        return None
    start = printed.rfind("\n", 0, found.start()) + 1
    return printed[start:].partition("\n")[0].strip()
