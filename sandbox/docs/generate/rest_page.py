"""The page of all routes, models and errors of the REST API, from its OpenAPI document."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sandbox.api.app import create_app
from sandbox.config import ApiSettings
from sandbox.docs.generate.markdown_format import format_code, format_table
from sandbox.schema.error_codes import ERROR_CODES

INTRODUCTION = """
# REST

`/openapi.json` is the machine-readable form of this page. On `/docs` you can try each operation, and `/guide` serves
these pages. Bodies are JSON in UTF-8 (`Content-Type: application/json`). Unknown fields are refused, so a misspelled
field is an error and is never ignored.

Fields that may hold bytes other than UTF-8 have a second field whose name ends in `_base64`. A request uses it instead
of the plain field. A result has both fields if the bytes are not UTF-8, and the plain field then has replacement
characters.
"""

ERRORS = """
## Errors

Every error response contains problem details (RFC 9457, `application/problem+json`). `errors` lists the dotted path of
each invalid field. Errors that are not in this table have the `type` `about:blank` and the standard title of their
status.
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


def build_document() -> dict[str, Any]:
    return create_app(ApiSettings(home=Path("unused"))).openapi()


def build_page() -> str:
    spec = build_document()
    parts = [INTRODUCTION, "## Routes"]
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            parts += _build_operation(method, path, operation)
    rows = [
        (format_code(each.type), str(each.status), each.title, format_code(each.error.__name__)) for each in ERROR_CODES
    ]
    parts += [ERRORS, format_table(("type", "status", "title", "raised by the client as"), rows), "## Models"]
    for name, model in sorted(spec["components"]["schemas"].items()):
        parts += _build_model(name, model)
    return "\n\n".join(parts)


def _build_operation(method: str, path: str, operation: dict[str, Any]) -> list[str]:
    parts = [f"### {method.upper()} {path}", operation["description"]]
    if "requestBody" in operation:
        contents = operation["requestBody"]["content"].values()
        parts.append("Body: " + ", ".join(_format_type(content["schema"]) for content in contents))
    parameters = [
        (format_code(each["name"]), each["in"], each.get("description", "")) for each in operation.get("parameters", [])
    ]
    parts.append(format_table(("parameter", "in", "meaning"), parameters))
    parts.append(
        format_table(
            ("status", "when", "body"), [_build_response_row(*each) for each in operation["responses"].items()]
        )
    )
    return parts


def _build_response_row(status: str, response: dict[str, Any]) -> tuple[str, str, str]:
    bodies = [_format_type(content["schema"]) for content in response.get("content", {}).values()]
    return status, response["description"], " or ".join(dict.fromkeys(bodies))


def _build_model(name: str, model: dict[str, Any]) -> list[str]:
    parts = [f"### {name}", model.get("description", "")]
    if "enum" in model:
        return [*parts, ", ".join(map(format_code, model["enum"]))]
    required = model.get("required", [])
    rows = [
        (
            format_code(field),
            _format_type(field_schema),
            _format_default(field_schema, field in required),
            field_schema.get("description", ""),
        )
        for field, field_schema in model.get("properties", {}).items()
    ]
    if rows:
        parts.append(format_table(("field", "type", "default", "meaning"), rows))
    if name.endswith("Request") and model.get("examples"):
        parts.append(f"```json\n{json.dumps(model['examples'][0], indent=2)}\n```")
    return [part for part in parts if part]


def _format_default(field_schema: dict[str, Any], required: bool) -> str:
    if required or "default" not in field_schema:
        return "required" if required else ""
    value = field_schema["default"]
    if isinstance(value, dict):
        value = {name: each for name, each in value.items() if each is not None}
    return format_code(json.dumps(value))


def _format_type(field_schema: dict[str, Any]) -> str:
    """Describe a JSON schema in a few words."""
    if "$ref" in field_schema:
        name = field_schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for union in ("anyOf", "oneOf"):
        if union in field_schema:
            return " or ".join(dict.fromkeys(_format_type(each) for each in field_schema[union]))
    if "const" in field_schema:
        return format_code(json.dumps(field_schema["const"]))
    if "enum" in field_schema:
        return " or ".join(map(format_code, field_schema["enum"]))
    kind = field_schema.get("type", "any")
    description = f"{kind} of {_format_type(field_schema['items'])}" if field_schema.get("items") else str(kind)
    if isinstance(field_schema.get("additionalProperties"), dict) and kind == "object":
        description = f"object of {_format_type(field_schema['additionalProperties'])}"
    limits = [text.format(field_schema[name]) for name, text in CONSTRAINTS.items() if name in field_schema]
    return ", ".join([description, *limits])
