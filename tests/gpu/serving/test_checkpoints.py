"""A running server takes the weights of a checkpoint only if nothing else about the model differs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.gpu.serving.checkpoints import are_interchangeable, find_checkpoint
from tests.gpu.checkpoints import write_checkpoint


def _edit(path: Path, **fields: Any) -> None:
    known = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(known | fields), encoding="utf-8")


def test_a_trained_copy_is_interchangeable_with_its_base(tmp_path: Path) -> None:
    base = write_checkpoint(tmp_path / "base", dtype="BF16", rope_theta=100_000.0, torch_dtype="bfloat16")
    trained = write_checkpoint(
        tmp_path / "trained", rope_parameters={"rope_theta": 100_000, "rope_type": "default"}, mlp_bias=False
    )
    _edit(trained / "tokenizer.json", padding={"strategy": "BatchLongest"})
    _edit(trained / "generation_config.json", eos_token_id=[2], transformers_version="5")
    assert are_interchangeable(base, trained)


@pytest.mark.parametrize(
    ("file", "fields"),
    [
        ("config.json", {"model_type": "qwen2"}),
        ("config.json", {"rms_norm_eps": 1e-6}),
        ("config.json", {"rope_parameters": {"rope_theta": 10_000.0}}),
        ("config.json", {"eos_token_id": 3}),
        ("generation_config.json", {"eos_token_id": [2, 3]}),
        ("generation_config.json", {"top_k": 20}),
        ("tokenizer.json", {"added_tokens": [{"id": 4, "content": "<new>"}]}),
        ("tokenizer_config.json", {"chat_template": "{{ messages }}"}),
    ],
)
def test_a_model_that_would_be_served_differently_is_not(tmp_path: Path, file: str, fields: dict[str, Any]) -> None:
    base = write_checkpoint(tmp_path / "base", rms_norm_eps=1e-5, rope_theta=100_000.0)
    other = write_checkpoint(tmp_path / "other", rms_norm_eps=1e-5, rope_theta=100_000.0)
    assert are_interchangeable(base, other)
    _edit(other / file, **fields)
    assert not are_interchangeable(base, other)


def test_other_shapes_and_missing_files_are_not_interchangeable(tmp_path: Path) -> None:
    base = write_checkpoint(tmp_path / "base")
    assert not are_interchangeable(base, write_checkpoint(tmp_path / "wide", width=16))
    broken = write_checkpoint(tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"version https://git-lfs")
    assert not are_interchangeable(base, broken)
    (broken / "model.safetensors").unlink()
    assert not are_interchangeable(base, broken)


def test_a_model_of_the_hub_is_found_in_its_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert find_checkpoint("owner/name") is None
    snapshot = write_checkpoint(tmp_path / "models--owner--name" / "snapshots" / "abc")
    refs = tmp_path / "models--owner--name" / "refs"
    refs.mkdir()
    (refs / "main").write_text("abc\n", encoding="utf-8")
    assert find_checkpoint("owner/name") == snapshot
    assert find_checkpoint(str(snapshot)) == snapshot
