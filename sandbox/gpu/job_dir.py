"""A job's folder: what its process is told, what it tells, and what it leaves. The one thing a retry starts from.

| name           | what                                                     | written by |
| -------------- | -------------------------------------------------------- | ---------- |
| order.json     | the request, the model's place, the service's URL        | worker     |
| progress.jsonl | a `Progress` a line, and `Measure`s of single steps      | process    |
| checkpoints/   | the trainer's, the last two                              | process    |
| model/         | what was trained                                         | process    |
| result.json    | what the job answers; there when the process has ended   | process    |
| refused.json   | what is wrong with the request, if that was its end      | process    |
| log.txt        | what it printed, the last try at the end                 | process    |
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
    """Names in the folder, and how they are read and written."""

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
        """Append a line; `more` is kept for whoever measures, and travels no further."""
        line = progress.model_dump(exclude_none=True) | ({"more": more} if more else {})
        with (self.path / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def read_progress(self, offset: int) -> tuple[list[dict[str, Any]], int]:
        """The whole lines behind byte `after`, and the byte to ask from next."""
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
        """None while there is none."""
        path = self.path / "result.json"
        return _read_json(path) if path.exists() else None

    def write_refusal(self, error: str, field: str) -> None:
        """The request is at fault, and trying it again would not help."""
        _write_json(self.path / "refused.json", {"message": error, "field": field})

    def read_refusal(self) -> BadRequest | None:
        """What was refused since `forget_refusal`."""
        path = self.path / "refused.json"
        return BadRequest(**_read_json(path)) if path.exists() else None

    def clear_refusal(self) -> None:
        (self.path / "refused.json").unlink(missing_ok=True)

    def find_last_checkpoint(self) -> Path | None:
        """The latest that was written to its end: the trainer's state is the last of its files."""
        whole = [path for path in self.checkpoints.glob("checkpoint-*") if (path / "trainer_state.json").exists()]
        return max(whole, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def resolve_model(model: str, root: Path) -> str:
    """What a model's name stands for: a folder below `folder`, or a name of the model hub.

    Raises BadRequest for a path that leads out of the folder, and for a job that made no model.
    """
    if model.startswith(JOB_PREFIX):
        job_id = model.removeprefix(JOB_PREFIX)
        model_dir = JobDir(root / "jobs" / job_id).model
        if not JOB_ID.fullmatch(job_id) or not model_dir.is_dir():
            raise BadRequest(f"{model} made no model on this host", "model")
        return str(model_dir)
    return str(path) if (path := resolve_inside(model, root, "model")).exists() else _check_hub_name(model)


def resolve_inside(name: str, root: Path, field: str) -> Path:
    """A path below `folder`. Raises BadRequest for one that leads out of it."""
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise BadRequest(f"{name!r} leads out of SANDBOX_GPU_FOLDER", field)
    return path


def _check_hub_name(model: str) -> str:
    if model.startswith(("/", ".")) or model.count("/") > 1 or INVALID_HUB_CHARS.search(model):
        raise BadRequest(f"no model {model!r} below SANDBOX_GPU_FOLDER on this host, nor can the hub have one", "model")
    return model


def _write_json(path: Path, value: dict[str, Any]) -> None:
    """Whole or not at all: a reader never meets half a file, nor do processes that write the same one."""
    new = path.with_suffix(f".{os.getpid()}.new")
    new.write_text(json.dumps(value), encoding="utf-8")
    new.replace(path)


def _read_json(path: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return value
