"""Build requests for `POST /generate` that rewrite documents, to make training text of them.

Each document becomes one prompt, in the order of the file, so the `prompt` of an event is the document's place.
"""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from sandbox.errors import BadRequest
from sandbox.schema.gpu import MAX_PROMPTS, GenerateRequest, Message, Sampling
from sandbox.synth.prompts import Prompts

PROMPT_PREFIX = "rewrite-"
STYLES = ("questions", "lesson", "summary")


def read_documents(path: Path, max_chars: int) -> list[str]:
    """Return the `text` of each JSON line. Raises BadRequest for other lines and for texts of more than `max_chars`."""
    documents = []
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.strip():
            documents.append(_read_text(line, f"{path.name} line {number}", max_chars))
    if not 0 < len(documents) <= MAX_PROMPTS:
        raise BadRequest(f"{path.name} has {len(documents)} documents; a request takes 1 to {MAX_PROMPTS:,}")
    return documents


def _read_text(line: str, place: str, max_chars: int) -> str:
    try:
        text = json.loads(line)["text"]
    except (ValueError, KeyError, TypeError):
        raise BadRequest(f"{place}: not a JSON object with a field `text`") from None
    if not isinstance(text, str) or not text.strip():
        raise BadRequest(f"{place}: `text` must be a string that is not empty")
    if len(text) > max_chars:
        raise BadRequest(f"{place}: {len(text):,} characters, more than {max_chars:,}; split the document")
    return text.strip()


def build_rewrite_request(
    documents: list[str], model: str, style: str, sampling: Sampling, prompts: Prompts
) -> GenerateRequest:
    """Return a request with one chat for each document. Raises BadRequest for an unknown style or an invalid model."""
    if style not in STYLES:
        raise BadRequest(f"unknown style {style!r}; use one of {', '.join(STYLES)}", "style")
    chats = [
        [Message(role="user", content=prompts.fill(PROMPT_PREFIX + style, document=document))] for document in documents
    ]
    try:
        return GenerateRequest(model=model, messages=chats, sampling=sampling)
    except ValidationError as error:
        raise BadRequest(f"model {model!r}: {error.errors()[0]['msg']}", "model") from None
