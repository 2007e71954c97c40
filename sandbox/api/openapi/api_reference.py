"""`/docs`: a page to try the API. Swagger UI comes from the installed package `fastapi-offline`, not from a CDN."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

MEDIA_TYPES = {"swagger-ui.css": "text/css; charset=utf-8", "swagger-ui-bundle.js": "text/javascript; charset=utf-8"}
# Swagger UI sets style attributes and uses icons from data URLs. All scripts are files of this service.
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
# All addresses are relative, so that they also work below a path of a proxy.
PAGE_HTML = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sandbox API</title>
<link rel="icon" href="web/icon.svg">
<link rel="stylesheet" href="docs/swagger-ui.css">
</head>
<body>
<main id="swagger-ui"></main>
<script src="docs/swagger-ui-bundle.js"></script>
<script src="web/api_reference.js"></script>
</body>
</html>
"""


@router.get("/docs")
async def page(request: Request) -> Response:
    """Return the page. It loads `/openapi.json` and contains no data itself."""
    return HTMLResponse(PAGE_HTML, headers={"Content-Security-Policy": CONTENT_SECURITY_POLICY})


@router.get("/docs/{name}")
async def part(request: Request, name: str) -> Response:
    """Return one of Swagger UI's files."""
    if name not in MEDIA_TYPES:
        raise HTTPException(404, "no such file")
    headers = {"Cache-Control": "max-age=86400", "X-Content-Type-Options": "nosniff"}
    return Response(_read_file(name), headers=headers, media_type=MEDIA_TYPES[name])


@cache
def _read_file(name: str) -> bytes:
    return files("fastapi_offline").joinpath("static", name).read_bytes()
