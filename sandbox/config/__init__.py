"""Settings: one small frozen class per process. Only this package reads the environment.

Every setting is named `SANDBOX_<NAME>`. `sandbox up` passes its settings to its child processes in their environment.
"""

from sandbox.config.api import ApiSettings, DeliverSettings, RootDialect, WebhookSettings, is_loopback
from sandbox.config.client import ClientSettings
from sandbox.config.gpu import GpuSettings
from sandbox.config.queue import HostSettings, LogLevel, QueueSettings
from sandbox.config.up import UpSettings, build_environment
from sandbox.config.worker import CpuPinning, EngineName, Isolation, SessionSettings, WorkerSettings

__all__ = [
    "ApiSettings",
    "ClientSettings",
    "CpuPinning",
    "DeliverSettings",
    "EngineName",
    "GpuSettings",
    "HostSettings",
    "Isolation",
    "LogLevel",
    "QueueSettings",
    "RootDialect",
    "SessionSettings",
    "UpSettings",
    "WebhookSettings",
    "WorkerSettings",
    "build_environment",
    "is_loopback",
]
