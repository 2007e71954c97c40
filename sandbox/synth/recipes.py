"""The shipped recipes of `sandbox loop`: plans of trainings whose results are kept, by name."""

from __future__ import annotations

import json
from pathlib import Path

from sandbox.errors import BadRequest
from sandbox.synth.resumable_jsonl import Record

RECIPES_FOLDER = Path(__file__).parent / "recipes"


def list_recipes() -> list[str]:
    return sorted(path.stem for path in RECIPES_FOLDER.glob("*.json"))


def read_recipe(name: str) -> Record:
    """Return a shipped recipe, or the report of another run from its path. Raises BadRequest."""
    path = RECIPES_FOLDER / f"{name}.json" if name in list_recipes() else Path(name)
    if not path.is_file():
        raise BadRequest(f"recipe: {name!r} is neither a file nor one of {', '.join(list_recipes())}")
    try:
        recipe = json.loads(path.read_bytes())
    except ValueError as error:
        raise BadRequest(f"recipe: {path} is not JSON: {error}") from None
    if not isinstance(recipe, dict):
        raise BadRequest(f"recipe: {path}: expected an object")
    return recipe
