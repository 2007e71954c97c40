"""A request that a caller gives as a whole or field by field."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel

Model = TypeVar("Model", bound=BaseModel)


def choose_request(request: Model | Mapping[str, Any] | None, fields: Mapping[str, Any]) -> Model | Mapping[str, Any]:
    """Return the request, or else its fields as a mapping. Raises TypeError if both or neither are given."""
    if request is None:
        if not fields:
            raise TypeError("give the request, or its fields as keyword arguments")
        return fields
    if fields:
        raise TypeError(f"give the request or keyword arguments, not both (got {', '.join(fields)})")
    return request
