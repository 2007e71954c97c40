"""Requests that rewrite documents: the example of the guide, the prompts, and files that are refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandbox.cli import app
from sandbox.errors import BadRequest
from sandbox.schema.gpu import GenerateRequest, Sampling
from sandbox.synth.prompts import Prompts
from sandbox.synth.rewriting import STYLES, build_rewrite_request, read_documents

TEXTS = ["First, it costs $5.", "Second."]


def write_documents(folder: Path, *lines: str) -> Path:
    path = folder / "documents.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize("style", STYLES)
def test_each_document_is_one_prompt_in_the_order_of_the_file(tmp_path: Path, style: str) -> None:
    path = write_documents(tmp_path, *(json.dumps({"text": text, "url": "x"}) for text in TEXTS), "")
    arguments = ["synth", "rewrite", str(path), "--model", "m", "--style", style, "-n", "3"]
    shown = CliRunner().invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    request = GenerateRequest.model_validate_json(shown.output)
    assert (request.model, request.sampling.n, request.verify) == ("m", 3, None)
    assert request.messages is not None
    contents = [chat[0].content for chat in request.messages]
    assert len(contents) == len(TEXTS)
    assert all(f"<document>\n{text}\n</document>" in content for text, content in zip(TEXTS, contents, strict=True))


def test_own_prompts_replace_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "rewrite-lesson.md").write_text("Teach: $document", encoding="utf-8")
    request = build_rewrite_request(["a"], "m", "lesson", Sampling(), Prompts(tmp_path))
    assert request.messages is not None
    assert request.messages[0][0].content == "Teach: a"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("no JSON", r"documents\.jsonl line 2: not a JSON object with a field `text`"),
        ('{"body": "x"}', r"line 2: not a JSON object with a field `text`"),
        ('["text"]', r"line 2: not a JSON object"),
        ('{"text": " "}', r"line 2: `text` must be a string that is not empty"),
        ('{"text": "too long"}', r"line 2: 8 characters, more than 5; split the document"),
    ],
)
def test_a_line_that_is_no_document_is_named(tmp_path: Path, line: str, why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        read_documents(write_documents(tmp_path, '{"text": "fine"}', line), max_chars=5)


def test_an_empty_file_and_an_unknown_style_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="has 0 documents"):
        read_documents(write_documents(tmp_path), max_chars=5)
    with pytest.raises(BadRequest, match="unknown style 'poem'; use one of questions, lesson, summary"):
        build_rewrite_request(["a"], "m", "poem", Sampling(), Prompts())
    with pytest.raises(BadRequest, match="model '-m'"):
        build_rewrite_request(["a"], "-m", "lesson", Sampling(), Prompts())
