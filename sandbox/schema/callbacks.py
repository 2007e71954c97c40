"""Callbacks: where the results of a submission are to be sent, and what has become of those that never arrived."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from sandbox.schema.wire import WireModel

MAX_URL_CHARS = 2_048


def _check_callback_url(url: str) -> str:
    """Which address a name stands for is looked at when it is called, for until then it may change."""
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
    Field(max_length=MAX_URL_CHARS, description="answer 202 at once, and POST the result here as a signed webhook"),
    AfterValidator(_check_callback_url),
]
CallbackFor = Annotated[
    Literal["batch", "item"],
    Field(description="call once with the finished batch, or once for each item as soon as it has its result"),
]


class Callback(WireModel):
    """Whom to call, and when, as it is kept with a submission.

    `style` is the shape of the body; `detail` is what that shape needs to know beyond the result.
    """

    url: CallbackUrl
    each: bool = False
    style: str = ""
    detail: str = ""


class DeadWebhook(WireModel):
    """A webhook that was given up. `url` is without its query, which may hold a secret."""

    id: str = Field(description="as `webhook-id` had it")
    url: str
    tries: int
    error: str = Field(description="what came of the last try")
    died_at: float = Field(description="seconds since the epoch")
