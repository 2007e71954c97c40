"""Convert prompts to chat messages."""

from __future__ import annotations

from sandbox.schema.gpu import Message


def to_messages(prompt: str | list[Message]) -> list[dict[str, str]]:
    """Return a prompt as the chat messages that trainers and chat templates expect."""
    if isinstance(prompt, str):
        return [{"role": "user", "content": prompt}]
    return [message.model_dump() for message in prompt]
