"""Every route, model and error of the REST API, from its OpenAPI document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.error_codes import TABLE
from tests.docs.reference.table import code, table

INTRODUCTION = """
# REST

`/openapi.json` is the machine-readable copy of this page, on `/docs` you can try each operation, and `/guide` serves
these pages. Bodies are JSON in UTF-8 (`Content-Type: application/json`). Unknown fields are refused, so
a misspelled field is an error and is never ignored.

Bytes that are not UTF-8 travel in a twin of the field whose name ends in `_base64`: in a request instead of the
field, in a result beside it, where the plain field then has replacement characters.
"""

ERRORS = """
## Errors

Every error is problem details (RFC 9457), `application/problem+json`, with the dotted path of each field at fault in
`errors`. Others than these have the `type` `about:blank` and the status' own title.
"""

CONSTRAINTS = {
    "minimum": ">= {}",
    "exclusiveMinimum": "> {}",
    "maximum": "<= {}",
    "minLength": "at least {} long",
    "maxLength": "at most {} long",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "maxProperties": "at most {} entries",
}


def document() -> dict[str, Any]:
    return create_app(ApiSettings(home=Path("unused"))).openapi()


def page() -> str:
    told = document()
    parts = [INTRODUCTION, "## Routes"]
    for path, operations in told["paths"].items():
        for method, operation in operations.items():
            parts += _operation(method, path, operation)
    rows = [(code(each.type), str(each.status), each.title, code(each.error.__name__)) for each in TABLE]
    parts += [ERRORS, table(("type", "status", "title", "raised by the client as"), rows), "## Models"]
    for name, model in sorted(told["components"]["schemas"].items()):
        parts += _model(name, model)
    return "\n\n".join(parts)


def _operation(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    parts = [f"### {method.upper()} {path}", operation["description"]]
    if "requestBody" in operation:
        contents = operation["requestBody"]["content"].values()
        parts.append("Body: " + ", ".join(_type(content["schema"]) for content in contents))
    parameters = [
        (code(each["name"]), each["in"], each.get("description", "")) for each in operation.get("parameters", [])
    ]
    parts.append(table(("parameter", "in", "meaning"), parameters))
    parts.append(table(("answer", "when", "body"), [_response(*each) for each in operation["responses"].items()]))
    return parts


def _response(status: str, response: dict[str, Any]) -> tuple[str, str, str]:
    bodies = [_type(content["schema"]) for content in response.get("content", {}).values()]
    return status, response["description"], " or ".join(dict.fromkeys(bodies))


def _model(name: str, model: dict[str, Any]) -> list[str]:
    parts = [f"### {name}", model.get("description", "")]
    if "enum" in model:
        return [*parts, ", ".join(map(code, model["enum"]))]
    required = model.get("required", [])
    rows = [
        (code(field), _type(told), _default(told, field in required), told.get("description", ""))
        for field, told in model.get("properties", {}).items()
    ]
    if rows:
        parts.append(table(("field", "type", "default", "meaning"), rows))
    if name.endswith("Request") and model.get("examples"):
        parts.append(f"```json\n{json.dumps(model['examples'][0], indent=2)}\n```")
    return [part for part in parts if part]


def _default(told: dict[str, Any], required: bool) -> str:
    if required or "default" not in told:
        return "required" if required else ""
    value = told["default"]
    if isinstance(value, dict):
        value = {name: each for name, each in value.items() if each is not None}
    return code(json.dumps(value))


def _type(told: dict[str, Any]) -> str:
    """A JSON schema in a few words."""
    if "$ref" in told:
        name = told["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for union in ("anyOf", "oneOf"):
        if union in told:
            return " or ".join(dict.fromkeys(_type(each) for each in told[union]))
    if "const" in told:
        return code(json.dumps(told["const"]))
    if "enum" in told:
        return " or ".join(map(code, told["enum"]))
    kind = told.get("type", "any")
    words = f"{kind} of {_type(told['items'])}" if told.get("items") else str(kind)
    if isinstance(told.get("additionalProperties"), dict) and kind == "object":
        words = f"object of {_type(told['additionalProperties'])}"
    limits = [text.format(told[name]) for name, text in CONSTRAINTS.items() if name in told]
    return ", ".join([words, *limits])
