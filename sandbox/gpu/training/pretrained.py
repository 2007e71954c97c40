"""The model that a training begins with, its tokenizer, and what becomes of both."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.request_errors import report_request_errors


def load_pretrained(job_dir: JobDir, model: str) -> tuple[Any, Any]:
    """Model and tokenizer, by a path or a name of the hub; one that is nowhere is the request's mistake."""
    with report_request_errors(job_dir, "model"):
        tokenizer = AutoTokenizer.from_pretrained(model)
        return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), tokenizer


def save_model(trainer: Any, tokenizer: Any, job_dir: JobDir) -> None:
    """Write what was trained into the folder; called by every process, of which each may have a part of it."""
    if trainer.is_fsdp_enabled:  # whatever checkpoints are made of: with shards, nothing would be written here
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    trainer.save_model(str(job_dir.model))
    if trainer.is_world_process_zero():
        tokenizer.save_pretrained(str(job_dir.model))
