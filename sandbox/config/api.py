"""Settings of the API and of the process that delivers webhooks."""

from __future__ import annotations

from base64 import b64decode
from ipaddress import ip_address, ip_network
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from sandbox.config.queue import HostSettings, QueueSettings

RootDialect = Literal[
    "",
    "sandbox_fusion",
    "code_judge",
    "piston",
    "judge0",
    "openrlhf",
    "slime",
    "open_instruct",
    "open_r1",
    "areal",
    "e2b",
    "openenv",
    "nemo_gym",
]


def _check_webhook_secrets(text: str) -> str:
    for secret in text.split():
        try:
            key = b64decode(secret.removeprefix("whsec_"), validate=True)
        except ValueError as error:
            raise ValueError(f"must be `whsec_` followed by base64: {error}") from None
        if not 24 <= len(key) <= 64:
            raise ValueError("must have 24 to 64 random bytes; create one with: echo whsec_$(openssl rand -base64 32)")
    return text


def _check_networks(text: str) -> str:
    for part in text.replace(",", " ").split():
        ip_network(part)
    return text


def is_loopback(host: str) -> bool:
    """Return True if an address or name always means this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class WebhookSettings(QueueSettings):
    """Settings of `sandbox deliver`, which `sandbox up` starts if there is a secret. The API also uses two of them."""

    webhook_secret: Annotated[str, AfterValidator(_check_webhook_secrets)] = Field(
        "",
        repr=False,
        description="secret that signs webhooks, `whsec_` followed by base64; during a rotation several, separated by"
        " blanks; empty: no callbacks",
    )
    webhook_networks: Annotated[str, AfterValidator(_check_networks)] = Field(
        "", description="private networks that webhooks may call, such as 10.0.0.0/8,127.0.0.1"
    )
    webhook_tries: int = Field(10, ge=1, description="tries to deliver a webhook before giving up")
    webhook_timeout_s: float = Field(10.0, gt=0, le=300, description="total time limit of one try")
    webhook_first_delay_s: float = Field(
        1.0, gt=0, description="delay after the first failed try; it doubles each time, and up to half is randomly cut"
    )
    webhook_max_delay_s: float = Field(600.0, gt=0, description="longest delay between two tries")
    webhook_dead_ttl_s: int = Field(604_800, ge=1, description="how long an undeliverable webhook is stored")


class ApiSettings(WebhookSettings):
    """Settings of `sandbox serve`."""

    host: str = Field("127.0.0.1", description="address the API listens on")
    port: int = Field(8080, ge=0, le=65_535, description="port the API listens on")
    api_processes: int = Field(
        0,
        ge=0,
        le=64,
        description="API processes that `sandbox up` starts, each good for about 860 requests of one program"
        " per second; 0: one per three slots, but two for two slots, so that one answers while the other reads a large"
        " body",
    )
    max_body_mb: int = Field(256, ge=1, description="MiB that a request body may have; a larger one gets 413")
    root_dialect: RootDialect = Field(
        "", description="dialect whose paths are also served at the root, in addition to /dialects/<name>"
    )
    api_keys: str = Field(
        "", repr=False, description="accepted API keys, as entries from `sandbox keys new`; empty: no key is needed"
    )
    key_rate: float = Field(0.0, ge=0, description="programs per second that one API key may submit; 0: no limit")
    key_burst: int = Field(
        0, ge=0, description="programs that one API key may submit at once; 0: as many as in one second"
    )
    key_max_queued: int = Field(
        50_000, ge=0, description="programs of one API key that may wait for their results; 0: no limit"
    )
    key_max_kept_mb: int = Field(
        1_024,
        ge=0,
        description="MiB of jobs' requests and results and of task sets that one API key may store; 0: no limit",
    )
    key_max_sessions: int = Field(1_000, ge=0, description="sessions that one API key may have open; 0: no limit")
    public_without_keys: bool = Field(
        False, description="listen beyond loopback without API keys: anyone who can connect can run programs"
    )
    allowed_hosts: str = Field(
        "",
        description="host names that a request's Host header may contain besides localhost and loopback addresses, such"
        " as sandbox.internal,proxy; `*`: any name. Empty: any name, but no name if the service listens on loopback"
        " without API keys, so that no web page can reach it through a DNS name of its own",
    )
    header_timeout_s: float = Field(20.0, gt=0, description="time limit for receiving a request's headers")
    body_timeout_s: float = Field(30.0, gt=0, description="time limit for receiving a body; each MiB adds a second")
    metrics_port: int = Field(
        0,
        ge=0,
        le=65_535,
        description="port that serves the host's metrics without an API key, for a network that only Prometheus can"
        " reach; 0: none",
    )
    metrics_host: str = Field("127.0.0.1", description="address of the metrics port")
    request_timeout_s: float = Field(900.0, gt=0, description="how long a synchronous request waits for its result")


class DeliverSettings(WebhookSettings, HostSettings):
    """Settings of `sandbox deliver`, which may serve metrics on a port of its own."""
