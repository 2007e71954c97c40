"""The calls of the client that manage environments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from sandbox.client.protocol import ApiCall, build_headers, validate_and_encode
from sandbox.schema.environments import EnvironmentInfo, EnvironmentList, EnvironmentRequest


def build_put_call(name: str, definition: EnvironmentRequest | Mapping[str, Any]) -> ApiCall[EnvironmentInfo]:
    body = validate_and_encode(EnvironmentRequest, definition)
    return ApiCall("PUT", _build_path(name), EnvironmentInfo, body, build_headers(""))


def build_get_call(name: str) -> ApiCall[EnvironmentInfo]:
    return ApiCall("GET", _build_path(name), EnvironmentInfo)


def build_list_call() -> ApiCall[EnvironmentList]:
    return ApiCall("GET", "/environments", EnvironmentList)


def build_remove_call(name: str) -> ApiCall[None]:
    return ApiCall("DELETE", _build_path(name), type(None), success_statuses=frozenset({204}))


def _build_path(name: str) -> str:
    return f"/environments/{quote(name, safe='')}"
