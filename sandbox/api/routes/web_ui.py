"""`/`: the web page, with its style and modules from `sandbox/web`. It loads nothing from other servers.

The page shows the output of hostile programs. Its policy lets only these modules run, and prevents text from becoming
markup: `require-trusted-types-for` makes any assignment to `innerHTML` an error.
"""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.resources import files
from pathlib import Path

from fastapi import APIRouter, HTTPException, Request, Response

router = APIRouter(include_in_schema=False)

FOLDER = Path(str(files("sandbox").joinpath("web")))
INDEX_FILE = "index.html"
MEDIA_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


@router.get("/")
async def page(request: Request) -> Response:
    """Return the page. It contains no data: it queries the API with the user's key."""
    return _build_file_response(request, INDEX_FILE)


@router.get("/web/{name}")
async def part(request: Request, name: str) -> Response:
    """Return one of the page's files."""
    if name not in load_files():
        raise HTTPException(404, "no such file")
    return _build_file_response(request, name)


@cache
def load_files() -> dict[str, tuple[bytes, str]]:
    """Load all files of the page, each with its ETag."""
    found = {path.name: path.read_bytes() for path in FOLDER.iterdir() if path.suffix in MEDIA_TYPES}
    return {name: (content, f'"{hashlib.sha256(content).hexdigest()[:32]}"') for name, content in found.items()}


def _build_file_response(request: Request, name: str) -> Response:
    content, tag = load_files()[name]
    headers = {**HEADERS, "ETag": tag}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=MEDIA_TYPES[Path(name).suffix])
