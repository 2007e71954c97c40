"""Build the callbacks of requests, and list or requeue webhooks that could not be delivered."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Path, Request, Response
from pydantic import TypeAdapter

from sandbox.api.dependencies import get_context
from sandbox.api.openapi.documentation import document_no_content, document_response
from sandbox.api.responses import build_json_response
from sandbox.config import WebhookSettings
from sandbox.errors import BadRequest
from sandbox.schema.callbacks import Callback, DeadWebhook
from sandbox.webhooks.public_network import is_address, is_allowed, parse_networks

router = APIRouter(prefix="/webhooks/dead", tags=["webhooks"])

WebhookId = Annotated[
    str, Path(max_length=128, pattern=r"^[A-Za-z0-9.]+$", description="the `webhook-id` header of its requests")
]

_DEAD_WEBHOOKS = TypeAdapter(list[DeadWebhook])


def build_callback(request: Request, url: str | None, *, per_item: bool = False) -> Callback | None:
    """Build the callback of a request; return None if it has no URL. Raises BadRequest for a URL that is never allowed.

    An IP address is checked now. A host name is resolved and checked before each call, because its address may change.
    """
    if url is None:
        return None
    check_callback_url(get_context(request).settings, url)
    return Callback(url=url, each=per_item)


def check_callback_url(settings: WebhookSettings, url: str) -> None:
    """Raise BadRequest if callbacks are disabled, or if the URL contains a forbidden address."""
    if not settings.webhook_secret:
        raise BadRequest("callbacks are disabled: the operator must set SANDBOX_WEBHOOK_SECRET", "callback_url")
    host = urlsplit(url).hostname or ""
    if is_address(host) and not is_allowed(host, parse_networks(settings.webhook_networks)):
        raise BadRequest(
            f"{host} is not a public address; the operator can allow it in SANDBOX_WEBHOOK_NETWORKS", "callback_url"
        )


@router.get("", **document_response(list[DeadWebhook], 403, 503))
def dead_webhooks(request: Request) -> Response:
    """List the webhooks that could not be delivered, the latest first."""
    return build_json_response(_DEAD_WEBHOOKS.dump_json(get_context(request).service.list_dead_webhooks()))


@router.post("/{webhook_id}", **document_no_content(404, 403, 422, 503))
def revive_webhook(request: Request, webhook_id: WebhookId) -> Response:
    """Requeue an undeliverable webhook as if it were new."""
    get_context(request).service.requeue_webhook(webhook_id)
    return Response(status_code=204)
