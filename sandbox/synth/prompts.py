"""The prompts: Markdown files with `$fields`, of which a folder of the user's may replace any."""

from __future__ import annotations

import hashlib
from pathlib import Path
from string import Template

from sandbox.errors import BadRequest

PROMPTS_FOLDER = Path(__file__).parent / "prompts"


class Prompts:
    """Reads a prompt when it is asked for; unknown names in the override folder are an error, not ignored."""

    def __init__(self, override: Path | None = None) -> None:
        self._override = override
        known = {path.name for path in PROMPTS_FOLDER.glob("*.md")}
        if override is None:
            return
        if not override.is_dir():
            raise BadRequest(f"prompts: there is no folder {override}")
        if unknown := {path.name for path in override.glob("*.md")} - known:
            raise BadRequest(f"prompts: {override} has {sorted(unknown)}; known are {sorted(known)}")

    def fill(self, name: str, **fields: str) -> str:
        """The prompt's text with its fields. Raises BadRequest for a field that the prompt's file made up."""
        try:
            return Template(self.read_text(name)).substitute(fields)
        except (KeyError, ValueError) as error:
            raise BadRequest(f"prompt {name}.md: {error}; its fields are {sorted(fields)}, a dollar is $$") from None

    def read_text(self, name: str) -> str:
        own = self._override / f"{name}.md" if self._override is not None else None
        return (own if own is not None and own.exists() else PROMPTS_FOLDER / f"{name}.md").read_text(encoding="utf-8")

    def compute_fingerprint(self, *names: str) -> str:
        return hashlib.sha256("\0".join(self.read_text(name) for name in names).encode()).hexdigest()
