"""Load the model and tokenizer that a training starts from, and save the result."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.request_errors import report_request_errors


def load_pretrained(job_dir: JobDir, model: str) -> tuple[Any, Any]:
    """Load the model and tokenizer from a path or the hub. A missing model is an error of the request."""
    with report_request_errors(job_dir, "model"):
        tokenizer = AutoTokenizer.from_pretrained(model)
        return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), tokenizer


def save_model(trainer: Any, tokenizer: Any, job_dir: JobDir) -> None:
    """Write the trained model to the job's directory. Every process must call this, because each may hold a shard."""
    if trainer.is_fsdp_enabled:  # with sharded state dicts, save_model would write nothing
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    trainer.save_model(str(job_dir.model))
    if trainer.is_world_process_zero():
        tokenizer.save_pretrained(str(job_dir.model))
