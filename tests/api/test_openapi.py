"""The OpenAPI document is correct: it builds, its references resolve, and its examples fit the models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter

from sandbox import schema
from sandbox.api.openapi.examples import EXAMPLES
from sandbox.api.openapi.models import Live
from sandbox.runner.contract import Usage
from sandbox.schema import (
    environments,
    gpu,
    hack,
    live,
    programs,
    quality,
    quality_progress,
    reward,
    runs,
    sessions,
    task_quality,
    vote,
    vote_inputs,
    vote_label,
)
from sandbox.schema.health import Readiness

ROUTES = {
    ("post", "/execute"),
    ("post", "/verify"),
    ("post", "/execute/batch"),
    ("post", "/verify/batch"),
    ("post", "/verify/vote"),
    ("post", "/verify/hack"),
    ("post", "/verify/hack/batch"),
    ("post", "/verify/quality"),
    ("post", "/reward"),
    ("put", "/tasks/{set_id}"),
    ("get", "/tasks/{set_id}"),
    ("get", "/tasks/{set_id}/{name}"),
    ("get", "/jobs/{job_id}"),
    ("delete", "/jobs/{job_id}"),
    ("get", "/webhooks/dead"),
    ("post", "/webhooks/dead/{webhook_id}"),
    ("post", "/generate"),
    ("post", "/train/sft"),
    ("post", "/train/grpo"),
    ("post", "/evaluate"),
    ("get", "/gpus"),
    ("get", "/jobs/{job_id}/events"),
    ("get", "/languages"),
    ("get", "/health/live"),
    ("get", "/health/ready"),
    ("get", "/metrics"),
    ("get", "/live"),
    ("get", "/live/events"),
    ("get", "/live/history"),
}
GPU_ROUTES = {"/generate", "/train/sft", "/train/grpo", "/evaluate"}
NOT_IN_SCHEMA: dict[str, Any] = {"Usage": Usage, "Readiness": Readiness, "Live": Live}


@pytest.fixture
def document(app: FastAPI) -> dict[str, Any]:
    return app.openapi()


def _walk(node: Any) -> Iterator[dict[str, Any]]:
    if isinstance(node, dict):
        yield node
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _walk(child)


def _list_operations(document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    return [(method, path, each) for path, item in document["paths"].items() for method, each in item.items()]


async def test_the_document_is_served(http: httpx.AsyncClient, document: dict[str, Any]) -> None:
    assert (await http.get("/openapi.json")).json() == json.loads(json.dumps(document))


def test_it_has_every_route(document: dict[str, Any]) -> None:
    assert {(method, path) for method, path, _ in _list_operations(document)} >= ROUTES


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    references = [node["$ref"] for node in _walk(document) if isinstance(node.get("$ref"), str)]
    assert len(references) > 50
    for reference in references:
        node: Any = document
        for part in reference.removeprefix("#/").split("/"):
            node = node[part]


def test_every_operation_tells_its_answers_problems_and_words(document: dict[str, Any]) -> None:
    for method, path, operation in _list_operations(document):
        assert operation["description"], path
        assert {"200", "201", "202", "204"} & set(operation["responses"]), path
        for status, response in operation["responses"].items():
            assert all(content["schema"] for content in response["content"].values()), (method, path, status)
            is_problem = int(status) >= 400 and (path, status) != ("/health/ready", "503")
            assert ("application/problem+json" in response["content"]) is is_problem, (method, path, status)


def test_every_submission_route_tells_its_body_and_headers(document: dict[str, Any]) -> None:
    for method, path, operation in _list_operations(document):
        if method == "post" and not path.startswith(("/webhooks/", "/sessions")):
            assert operation["requestBody"]["content"]["application/json"]["schema"]["$ref"], path
            names = {parameter["name"] for parameter in operation["parameters"]}
            # GPU jobs are always asynchronous.
            assert names == {"Idempotency-Key", "X-Request-ID"} | ({"Prefer"} if path not in GPU_ROUTES else set())


def test_every_model_has_an_example(document: dict[str, Any]) -> None:
    for name, model in document["components"]["schemas"].items():
        if model.get("type") == "object":
            assert model["examples"], name


def test_no_example_is_left_over(document: dict[str, Any]) -> None:
    assert set(EXAMPLES) <= set(document["components"]["schemas"])


def test_every_example_is_what_its_model_takes(document: dict[str, Any]) -> None:
    checked = set()
    for name, component in document["components"]["schemas"].items():
        for example in component.get("examples", []):
            model = NOT_IN_SCHEMA.get(name) or next(
                getattr(module, name)
                for module in (
                    schema,
                    reward,
                    vote,
                    hack,
                    programs,
                    gpu,
                    live,
                    quality,
                    quality_progress,
                    runs,
                    task_quality,
                    sessions,
                    environments,
                    vote_inputs,
                    vote_label,
                )
                if hasattr(module, name)
            )
            TypeAdapter(model).validate_json(json.dumps(example))  # raises
            checked.add(name)
    assert set(EXAMPLES) <= checked


@pytest.mark.parametrize(
    "path",
    [
        "/execute",
        "/verify",
        "/execute/batch",
        "/verify/batch",
        "/verify/vote",
        "/verify/hack",
        "/verify/hack/batch",
        "/verify/quality",
        "/reward",
    ],
)
async def test_every_request_example_is_served(http: httpx.AsyncClient, document: dict[str, Any], path: str) -> None:
    reference = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    for example in document["components"]["schemas"][reference.rsplit("/", 1)[1]]["examples"]:
        assert (await http.post(path, json=example)).status_code == 200


def test_no_model_goes_by_two_names(document: dict[str, Any]) -> None:
    """A model in both requests and results would get two names, and references to its own name would not resolve."""
    assert not [name for name in document["components"]["schemas"] if name.endswith(("-Input", "-Output"))]
