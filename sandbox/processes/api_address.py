"""The address of the API: whether it is safe and free, the sockets that listen on it, and whether it answers."""

from __future__ import annotations

import socket

import httpx

from sandbox.api import keyring
from sandbox.config import ApiSettings, is_loopback
from sandbox.processes.state_dir import LifecycleError
from sandbox.request_context import Caller


def build_service_url(settings: ApiSettings) -> str:
    """Return the URL at which this machine reaches the API."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    return f"http://[{host}]:{settings.port}" if ":" in host else f"http://{host}:{settings.port}"


def refuse_public_without_keys(settings: ApiSettings) -> None:
    """Raise LifecycleError if other machines could run programs without a key, unless the settings allow it."""
    if settings.api_keys:
        keyring.parse_keyring(settings.api_keys, Caller(""))
    elif not settings.public_without_keys and not is_loopback(settings.host):
        raise LifecycleError(
            f"{settings.host} can be reached from other machines, but no API key is required. Create a key with"
            " `sandbox keys new NAME` and put its entry into SANDBOX_API_KEYS; or listen on 127.0.0.1; or, if"
            " something else restricts access, set SANDBOX_PUBLIC_WITHOUT_KEYS=1"
        )


def check_port(settings: ApiSettings) -> None:
    """Raise LifecycleError if the port is in use, so that another service is not mistaken for this one."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            where = f"{settings.host} port {settings.port}"
            raise LifecycleError(
                f"cannot listen on {where}: {error.strerror}; choose another port with --port or SANDBOX_PORT"
            ) from error


def open_listener(settings: ApiSettings) -> socket.socket:
    """Return the socket on which one API process listens. Raises LifecycleError.

    Several API processes share the address, and the kernel distributes the connections.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.api_processes > 1:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        opened.bind((settings.host, settings.port))
    except OSError as error:
        opened.close()
        raise LifecycleError(f"cannot listen on {settings.host} port {settings.port}: {error.strerror}") from error
    return opened


def is_ready(url: str) -> bool:
    return responds_ok(f"{url}/health/ready")


def responds_ok(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2.0, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False
