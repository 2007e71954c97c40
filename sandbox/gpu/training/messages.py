"""Prompts as chats."""

from __future__ import annotations

from sandbox.schema.gpu import Message


def to_messages(prompt: str | list[Message]) -> list[dict[str, str]]:
    """A prompt as the chat that trainers and their templates read."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [message.model_dump() for message in prompt]
