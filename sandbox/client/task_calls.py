"""The requests of the client about task sets and their tasks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox.client.protocol import ApiCall, build_headers, validate_and_encode

if TYPE_CHECKING:
    from sandbox.schema.reward import Task, TaskSet, TaskSetInfo


def build_task_set_call(tasks: TaskSet | Mapping[str, Any]) -> ApiCall[TaskSetInfo]:
    from sandbox.schema.reward import TaskSet, TaskSetInfo

    body = validate_and_encode(TaskSet, tasks if isinstance(tasks, TaskSet) else {"tasks": tasks})
    return ApiCall("PUT", f"/tasks/{TaskSet.compute_id(body)}", TaskSetInfo, body, build_headers(""))


def build_task_call(reference: str) -> ApiCall[Task]:
    from sandbox.schema.reward import Task

    set_id, _, name = reference.partition("/")
    return ApiCall("GET", f"/tasks/{quote(set_id, safe='')}/{quote(name, safe='')}", Task)
