"""`POST /verify/quality`: judge right and wrong programs on all tests, and report on the tests."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from sandbox.api import request_parsing
from sandbox.api.openapi.documentation import document_stream, document_submission
from sandbox.api.quality_run import judge_programs
from sandbox.api.quality_stream import choose_stream, stream_report
from sandbox.api.responses import build_json_response
from sandbox.errors import BadRequest
from sandbox.schema.quality import QualityRequest, QualityResult
from sandbox.schema.quality_progress import QualityLine, QualityProgress


def _document() -> dict[str, Any]:
    documentation = document_submission(QualityRequest, QualityResult)
    documentation["responses"][200]["content"] |= document_stream(QualityLine, QualityProgress)
    del documentation["responses"][202]  # the route makes several batches, which no stored job stands for
    return documentation


router = APIRouter(tags=["submissions"])


@router.post("/verify/quality", **_document())
async def quality(request: Request) -> Response:
    """Judge right and wrong programs on all tests, and report how well the tests tell them apart.

    With `Accept: application/x-ndjson` or `text/event-stream`, the progress with the finished rows arrives first.
    """
    body, preferences = await request_parsing.parse_submission(request, QualityRequest)
    if preferences.respond_async:
        raise BadRequest("this route cannot answer later: leave out Prefer: respond-async", "header.Prefer")
    media_type = choose_stream(request, preferences)
    if media_type:
        return await stream_report(request, body, preferences, media_type)
    report = await judge_programs(request, body, preferences)
    return build_json_response(await asyncio.to_thread(report.model_dump_json))
