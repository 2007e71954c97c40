"""Callbacks: where to send the results of a submission, and the webhooks that could not be delivered."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from sandbox.schema.wire import WireModel

MAX_URL_CHARS = 2_048


def _check_callback_url(url: str) -> str:
    """Check only the URL. The webhook sender resolves and checks the address at each call, because DNS can change."""
    if not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("must be ASCII without spaces; encode the rest as %XX")
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0
    except ValueError:
        named = False
    if not named or parts.scheme.lower() not in {"http", "https"}:
        raise ValueError("must be an http or https URL with a host")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ValueError("must have neither user, password nor fragment")
    return url


CallbackUrl = Annotated[
    str,
    Field(max_length=MAX_URL_CHARS, description="answer 202 at once, then POST the result here as a signed webhook"),
    AfterValidator(_check_callback_url),
]
CallbackFor = Annotated[
    Literal["batch", "item"],
    Field(description="send one webhook for the finished batch, or one per item as soon as its result is ready"),
]


class Callback(WireModel):
    """A webhook to send, as stored with its submission.

    `style` names the format of the body. `detail` holds what that format needs besides the result.
    """

    url: CallbackUrl
    each: bool = False
    style: str = ""
    detail: str = ""


class DeadWebhook(WireModel):
    """A webhook that could not be delivered. `url` omits the query string, which may hold a secret."""

    id: str = Field(description="the `webhook-id` header of its requests")
    url: str
    tries: int
    error: str = Field(description="why the last try failed")
    died_at: float = Field(description="when it was given up, in seconds since the epoch")
