"""Checkpoints for tests: the files that decide whether two models are interchangeable, without real weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_checkpoint(directory: Path, width: int = 8, dtype: str = "F32", **changes: Any) -> Path:
    """Write the files of a tiny model; `changes` are fields of its configuration."""
    directory.mkdir(parents=True)
    config = {"model_type": "llama", "vocab_size": 4, "tie_word_embeddings": True, "eos_token_id": 2, **changes}
    (directory / "config.json").write_text(json.dumps(config), encoding="utf-8")
    tokenizer: dict[str, Any] = {"model": {"vocab": {"a": 0, "b": 1}}, "added_tokens": [], "padding": None}
    (directory / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    size = 4 * width * {"F32": 4, "BF16": 2}[dtype]
    entry = {"dtype": dtype, "shape": [4, width], "data_offsets": [0, size]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "embed.weight": entry}).encode()
    (directory / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    return directory
