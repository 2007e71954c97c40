"""Load the model and tokenizer that a training starts from, and save the result in the type of its base model.

Training keeps the weights in 32 bits, because small updates are lost in fewer. A model that was published in bfloat16
is saved in bfloat16 again, which halves its size and the time to load it. Checkpoints keep all 32 bits.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.request_errors import report_request_errors

INDEX = "model.safetensors.index.json"


class Pretrained(NamedTuple):
    """A model in 32 bits, its tokenizer, and the type in which it was saved; the type is None if its config has none.

    The type is read together with the model, because its files may be replaced or deleted during the training.
    """

    model: Any
    tokenizer: Any
    dtype: torch.dtype | None


def load_pretrained(job_dir: JobDir, model: str) -> Pretrained:
    """Load the model and tokenizer from a path or the hub. A missing model is an error of the request."""
    with report_request_errors(job_dir, "model"):
        tokenizer = AutoTokenizer.from_pretrained(model)
        dtype = AutoConfig.from_pretrained(model).dtype
        return Pretrained(AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), tokenizer, dtype)


def save_model(trainer: Any, tokenizer: Any, job_dir: JobDir, dtype: torch.dtype | None) -> None:
    """Write the trained model to the job's directory, in the type `dtype` of its base model.

    Every process must call this, because each may hold a shard.
    """
    if trainer.is_fsdp_enabled:  # with sharded state dicts, save_model would write nothing
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    trainer.save_model(str(job_dir.model))
    if trainer.is_world_process_zero():
        tokenizer.save_pretrained(str(job_dir.model))
        cast_checkpoint(job_dir.model, dtype)


def cast_checkpoint(directory: Path, dtype: torch.dtype | None) -> None:
    """Convert the 32-bit tensors of a saved model to `dtype`, file by file. Do nothing for None or 32 bits."""
    if dtype in (None, torch.float32):
        return
    size_bytes = 0
    for path in directory.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            # One tensor at a time, so that the memory never holds the whole file in 32 bits.
            tensors = {name: _cast(file.get_tensor(name), dtype) for name in file.keys()}  # noqa: SIM118 - no mapping
        being_written = path.with_suffix(".new")
        save_file(tensors, being_written, metadata={"format": "pt"})
        being_written.replace(path)
        size_bytes += sum(tensor.nbytes for tensor in tensors.values())
    config_path = directory / "config.json"
    config = json.loads(config_path.read_bytes())
    config.pop("torch_dtype", None)
    config["dtype"] = str(dtype).removeprefix("torch.")
    _write_json(config_path, config)
    index_path = directory / INDEX  # exists if there are several files
    if index_path.exists():
        index = json.loads(index_path.read_bytes())
        index["metadata"]["total_size"] = size_bytes
        _write_json(index_path, index)


def _write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def _cast(tensor: torch.Tensor, dtype: torch.dtype | None) -> torch.Tensor:
    return tensor.to(dtype) if tensor.dtype is torch.float32 else tensor
