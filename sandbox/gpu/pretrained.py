"""The model that a training begins with, and its tokenizer."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from sandbox.gpu.folder import JobFolder
from sandbox.gpu.mistakes import asked_for


def pretrained(folder: JobFolder, model: str) -> tuple[Any, Any]:
    """Model and tokenizer, by a path or a name of the hub; one that is nowhere is the request's mistake."""
    with asked_for(folder, "model"):
        tokenizer = AutoTokenizer.from_pretrained(model)
        return AutoModelForCausalLM.from_pretrained(model, dtype=torch.float32), tokenizer
