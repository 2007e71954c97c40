"""The prompts: Markdown files with `$fields`. Files of the same name in the user's folder replace them."""

from __future__ import annotations

import hashlib
from pathlib import Path
from string import Template

from sandbox.errors import BadRequest

PROMPTS_FOLDER = Path(__file__).parent / "prompts"


class Prompts:
    """Reads prompts on demand. An unknown file name in the override folder is an error."""

    def __init__(self, override: Path | None = None) -> None:
        self._override = override
        known = {path.name for path in PROMPTS_FOLDER.glob("*.md")}
        if override is None:
            return
        if not override.is_dir():
            raise BadRequest(f"prompts: {override} is not a folder")
        if unknown := {path.name for path in override.glob("*.md")} - known:
            raise BadRequest(f"prompts: {override} has unknown files {sorted(unknown)}; known are {sorted(known)}")

    def fill(self, name: str, **fields: str) -> str:
        """Return the prompt with its fields filled in. Raises BadRequest for an unknown field in the file."""
        try:
            return Template(self.read_text(name)).substitute(fields)
        except (KeyError, ValueError) as error:
            raise BadRequest(
                f"prompt {name}.md: {error}; its fields are {sorted(fields)}; write $$ for a dollar"
            ) from None

    def read_text(self, name: str) -> str:
        own = self._override / f"{name}.md" if self._override is not None else None
        return (own if own is not None and own.exists() else PROMPTS_FOLDER / f"{name}.md").read_text(encoding="utf-8")

    def compute_fingerprint(self, *names: str) -> str:
        return hashlib.sha256("\0".join(self.read_text(name) for name in names).encode()).hexdigest()
