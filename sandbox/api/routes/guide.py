"""`/guide`: the pages of the guide, and the text for its search. They load nothing from other servers."""

from __future__ import annotations

import json
from functools import cache

from fastapi import APIRouter, HTTPException, Request, Response
from starlette.responses import HTMLResponse, RedirectResponse

from sandbox.api.guide_pages import FIRST_PAGE, FOLDER, list_images, list_pages, list_sections, render_page
from sandbox.api.routes.web_ui import HEADERS

# An image with an animation has a style of its own.
IMAGE_HEADERS = {**HEADERS, "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}

router = APIRouter(include_in_schema=False)


@router.get("/guide")
async def guide(request: Request) -> Response:
    """Redirect to the first page. The address is relative, so that it also works below a path of a proxy."""
    return RedirectResponse(f"guide/{FIRST_PAGE}")


@router.get("/guide/search.json")
def search(request: Request) -> Response:
    """Return the sections of all pages. The search runs in the browser."""
    return Response(_encode_sections(), headers=HEADERS, media_type="application/json")


@router.get("/guide/{page:path}")
def guide_page(request: Request, page: str) -> Response:
    """Return a page or an image by its path below `sandbox/docs`; the suffix `.md` may be left out."""
    if not page:
        return RedirectResponse(FIRST_PAGE)
    if page in list_images():
        return Response((FOLDER / page).read_bytes(), headers=IMAGE_HEADERS, media_type="image/svg+xml")
    page = page if page in list_pages() else f"{page}.md"
    if page not in list_pages():
        raise HTTPException(404, "no such page of the guide; see /guide for all pages")
    return HTMLResponse(render_page(page), headers=HEADERS)


@cache
def _encode_sections() -> bytes:
    return json.dumps([section._asdict() for section in list_sections()], ensure_ascii=False).encode()
