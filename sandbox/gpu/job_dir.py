"""A job's directory: the input, progress and output of its process. A retry resumes from this directory alone.

| name           | content                                                  | written by |
| -------------- | -------------------------------------------------------- | ---------- |
| order.json     | the request, the model's path, the service's URL         | worker     |
| progress.jsonl | one `Progress` per line, with measurements of the step   | process    |
| checkpoints/   | the trainer's last two checkpoints                       | process    |
| model/         | the trained model                                        | process    |
| result.json    | the job's result, written last                           | process    |
| refused.json   | the error, if the request is invalid                     | process    |
| log.txt        | the output of all attempts, the latest at the end        | process    |
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.errors import BadRequest
from sandbox.schema.gpu import Progress

JOB_PREFIX = "job:"
JOB_ID = re.compile(r"[A-Za-z0-9-]+")
INVALID_HUB_CHARS = re.compile(r"[:@]")


@dataclass(frozen=True, slots=True)
class JobDir:
    """The paths in a job's directory, and methods to read and write them."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def model(self) -> Path:
        return self.path / "model"

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    def write_order(self, order: dict[str, Any]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        _write_json(self.path / "order.json", order)

    def read_order(self) -> dict[str, Any]:
        return _read_json(self.path / "order.json")

    def append_progress(self, progress: Progress, **more: Any) -> None:
        """Append a line to `progress.jsonl`. `more` holds measurements that only this file keeps."""
        line = progress.model_dump(exclude_none=True) | ({"more": more} if more else {})
        with (self.path / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def read_progress(self, offset: int) -> tuple[list[dict[str, Any]], int]:
        """Return the complete lines after byte `offset`, and the offset to continue from."""
        try:
            with (self.path / "progress.jsonl").open("rb") as file:
                file.seek(offset)
                data = file.read()
        except FileNotFoundError:
            return [], offset
        end = data.rfind(b"\n") + 1
        return [json.loads(line) for line in data[:end].splitlines()], offset + end

    def write_result(self, result: dict[str, Any]) -> None:
        _write_json(self.path / "result.json", result)

    def read_result(self) -> dict[str, Any] | None:
        """Return the result, or None if there is none yet."""
        path = self.path / "result.json"
        return _read_json(path) if path.exists() else None

    def write_refusal(self, error: str, field: str) -> None:
        """Record that the request is invalid, so that the job is not retried."""
        _write_json(self.path / "refused.json", {"message": error, "field": field})

    def read_refusal(self) -> BadRequest | None:
        """Return the error written since `clear_refusal`, or None."""
        path = self.path / "refused.json"
        return BadRequest(**_read_json(path)) if path.exists() else None

    def clear_refusal(self) -> None:
        (self.path / "refused.json").unlink(missing_ok=True)

    def find_last_checkpoint(self) -> Path | None:
        """Return the latest complete checkpoint: one that has trainer_state.json, which the trainer writes last."""
        whole = [path for path in self.checkpoints.glob("checkpoint-*") if (path / "trainer_state.json").exists()]
        return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def resolve_model(model: str, root: Path) -> str:
    """Resolve the name of a model to a path below `root` or a name on the model hub.

    Raises BadRequest for a path outside `root`, and for a job without a model.
    """
    if model.startswith(JOB_PREFIX):
        job_id = model.removeprefix(JOB_PREFIX)
        model_dir = JobDir(root / "jobs" / job_id).model
        if not JOB_ID.fullmatch(job_id) or not model_dir.is_dir():
            raise BadRequest(f"{model} has no model on this host", "model")
        return str(model_dir)
    return str(path) if (path := resolve_inside(model, root, "model")).exists() else _check_hub_name(model)


def resolve_inside(name: str, root: Path, field: str) -> Path:
    """Return the path of `name` below `root`. Raises BadRequest if it is outside."""
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise BadRequest(f"{name!r} is outside SANDBOX_GPU_FOLDER", field)
    return path


def _check_hub_name(model: str) -> str:
    if model.startswith(("/", ".")) or model.count("/") > 1 or INVALID_HUB_CHARS.search(model):
        raise BadRequest(f"{model!r} is neither below SANDBOX_GPU_FOLDER on this host nor a valid hub name", "model")
    return model


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """Write a file atomically: a reader never sees half a file, even if several processes write it."""
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_text(json.dumps(value), encoding="utf-8")
    new.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value
