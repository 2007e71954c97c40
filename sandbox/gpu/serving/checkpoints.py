"""Compare checkpoints, to decide whether a running model server can take the weights of another one.

A server reads the tokenizer, the chat template and the sampling defaults only when it starts, so all of these must be
the same. The tensors must have the same names and shapes. Of the configuration, the fields that both checkpoints have
must agree: a newer version of transformers writes more of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.gpu.child_environment import build_environment

HEADER_SIZE_BYTES = 8
MAX_HEADER_BYTES = 100 << 20
# Fields that do not change what a server computes: the file's origin, the type on disk, and training's own settings.
IGNORED_CONFIG_FIELDS = {
    *("_name_or_path", "transformers_version", "torch_dtype", "dtype", "use_cache", "architectures"),
    *("bos_token_id", "eos_token_id", "pad_token_id"),
}
SAMPLING_FIELDS = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
TOKENIZER_PARTS = ("model", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder")


def find_checkpoint(model: str) -> Path | None:
    """Return the directory of a model's files: itself, or the snapshot in the hub's cache. None if there is none."""
    if Path(model).is_dir():
        return Path(model)
    environment = build_environment(())  # as the server sees it
    home = Path(environment.get("HF_HOME", "~/.cache/huggingface")).expanduser()
    cache = Path(environment.get("HF_HUB_CACHE", home / "hub")).expanduser()
    repository = cache / f"models--{model.replace('/', '--')}"
    try:
        revision = (repository / "refs" / "main").read_text(encoding="utf-8").strip()
    except OSError:
        return None
    snapshot = repository / "snapshots" / revision
    return snapshot if snapshot.is_dir() else None


def are_interchangeable(first: Path, second: Path) -> bool:
    """Return whether a server that was started with one checkpoint can serve the other one's weights."""
    try:
        return _agree(_read_config(first), _read_config(second)) and _describe(first) == _describe(second)
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _read_config(directory: Path) -> dict[str, Any]:
    """Return the configuration, with the nested rope settings at the top, where older versions had them."""
    config = _read_json(directory / "config.json")
    for name in ("rope_parameters", "rope_scaling"):
        nested = config.pop(name, None) or {}
        config |= {f"rope_{key.removeprefix('rope_')}": value for key, value in nested.items()}
    return {name: value for name, value in config.items() if name not in IGNORED_CONFIG_FIELDS}


def _agree(first: Mapping[str, Any], second: Mapping[str, Any]) -> bool:
    return all(first[name] == second[name] for name in first.keys() & second.keys())


def _describe(directory: Path) -> dict[str, Any]:
    """Return all that must be equal. Raises OSError or ValueError if a file is missing or invalid."""
    config = _read_json(directory / "config.json")
    generation = _read_json(directory / "generation_config.json", optional=True)
    tokenizer_config = _read_json(directory / "tokenizer_config.json", optional=True)
    template = directory / "chat_template.jinja"
    tensors = _read_tensors(directory)
    if config.get("tie_word_embeddings"):
        tensors.pop("lm_head.weight", None)  # a copy of the embeddings, which not every version writes
    return {
        "type": config["model_type"],
        "tensors": tensors,
        "tokenizer": _read_tokenizer(directory),
        "template": template.read_text("utf-8") if template.exists() else tokenizer_config.get("chat_template"),
        "end": _to_set(generation.get("eos_token_id", config.get("eos_token_id"))),
        "sampling": [generation.get(name) for name in SAMPLING_FIELDS],
    }


def _read_tokenizer(directory: Path) -> Any:
    fast = directory / "tokenizer.json"
    if fast.exists():
        tokenizer = _read_json(fast)
        return [tokenizer.get(name) for name in TOKENIZER_PARTS]
    return (directory / "tokenizer.model").read_bytes()


def _read_tensors(directory: Path) -> dict[str, list[int]]:
    """Return the shape of each tensor in the directory's safetensors files."""
    shapes: dict[str, list[int]] = {}
    for path in sorted(directory.glob("*.safetensors")):
        with path.open("rb") as file:
            size = int.from_bytes(file.read(HEADER_SIZE_BYTES), "little")
            if size > MAX_HEADER_BYTES:
                raise ValueError(f"{path} is not a safetensors file")
            header = json.loads(file.read(size))
        shapes |= {name: entry["shape"] for name, entry in header.items() if name != "__metadata__"}
    if not shapes:
        raise ValueError(f"no safetensors files in {directory}")
    return shapes


def _read_json(path: Path, optional: bool = False) -> dict[str, Any]:
    if optional and not path.exists():
        return {}
    value: dict[str, Any] = json.loads(path.read_bytes())
    return value


def _to_set(value: Any) -> set[int]:
    return set(value) if isinstance(value, list) else {value}
