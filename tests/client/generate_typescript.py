"""Generates the types of the TypeScript client from the API's schema: `python -m tests.client.generate_typescript`.

Needs the packages of the client's folder: `npm ci` in sandbox/client/typescript.
"""

from __future__ import annotations

import json
import re
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from sandbox.api.app import create_app
from sandbox.config import ApiSettings

COMMAND = "python -m tests.client.generate_typescript"
FOLDER = Path(__file__).parents[2] / "sandbox" / "client" / "typescript"
CLIENT = FOLDER / "src" / "client.ts"


def build_document() -> dict[str, Any]:
    """Return an OpenAPI document of the models that the client uses, without routes and examples."""
    with tempfile.TemporaryDirectory() as home:
        document = create_app(ApiSettings(home=Path(home))).openapi()
    schemas = {name: _remove_examples(each) for name, each in document["components"]["schemas"].items()}
    used: set[str] = set()
    waiting = set(re.findall(r'Schemas\["(\w+)"\]', CLIENT.read_text(encoding="utf-8")))
    while waiting - used:
        used |= waiting
        waiting = {name for each in used for name in _find_references(schemas[each])}
    found = {name: each for name, each in schemas.items() if name in used}
    return {"openapi": document["openapi"], "info": document["info"], "paths": {}, "components": {"schemas": found}}


def _remove_examples(value: Any) -> Any:
    if isinstance(value, list):
        return [_remove_examples(each) for each in value]
    if not isinstance(value, dict):
        return value
    # A property that is called `examples` has a mapping as its schema.
    return {
        key: _remove_examples(each) for key, each in value.items() if not (key == "examples" and isinstance(each, list))
    }


def _find_references(value: Any) -> set[str]:
    return set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(value)))


def write_types(folder: Path) -> None:
    """Write src/schema.d.ts in the client's folder, or in a copy of it."""
    (folder / "openapi.json").write_text(json.dumps(build_document()), encoding="utf-8")
    subprocess.run(["npm", "run", "--silent", "generate"], cwd=folder, check=True, capture_output=True, timeout=120)


if __name__ == "__main__":
    write_types(FOLDER)
