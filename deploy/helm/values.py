"""The chart's values: what differs between clusters, with defaults, and the JSON Schema that Helm checks them by."""

from __future__ import annotations

from typing import Any

VALUES: dict[str, Any] = {
    "image": {"repository": "sandbox", "tag": "", "digest": ""},
    "localImage": {"repository": "sandbox-local", "tag": "", "digest": ""},
    "gpuImage": {"repository": "sandbox-gpu", "tag": "", "digest": ""},
    "imagePullSecrets": [],
    "settings": {"SANDBOX_LOG_LEVEL": "info"},
    "monitoringNamespace": "monitoring",
    "api": {"replicas": 2, "resources": {"requests": {"cpu": "1", "memory": "512Mi"}, "limits": {"memory": "4Gi"}}},
    "worker": {
        "replicas": 2,
        "resources": {"requests": {"cpu": "4", "memory": "4Gi"}, "limits": {"cpu": "4", "memory": "8Gi"}},
        "nodeSelector": {"sandbox.io/pool": "untrusted"},
        "tolerations": [
            {"key": "sandbox.io/untrusted", "operator": "Equal", "value": "true", "effect": "NoSchedule"},
        ],
        "runtimeClassName": "",
    },
    "redis": {"external": False, "cidr": "10.0.0.0/8", "storage": "20Gi"},
    "webhooks": {"enabled": False},
    "gpu": {"enabled": False, "storage": "500Gi"},
    "keda": {
        "enabled": False,
        "minReplicas": 2,
        "maxReplicas": 50,
        "prometheus": "http://prometheus.monitoring:9090",
    },
    "prometheusOperator": {"enabled": False},
}
DESCRIPTIONS = {
    "image": "The service's image. An empty tag means the chart's version; a digest (sha256:...) replaces the tag.",
    "localImage": "The workers' image, with the compilers of the local engine.",
    "gpuImage": "The GPU workers' image.",
    "imagePullSecrets": "Secrets for a private registry, as a list of {name: NAME}.",
    "settings": "Settings for all pods, by their names. The values are strings.",
    "monitoringNamespace": "The namespace of Prometheus: only its pods reach the metrics, which need no key.",
    "api": "The API.",
    "worker": "Workers. Give runtimeClassName the RuntimeClass of gVisor or Kata if the nodes have one.",
    "redis": "The chart's own Redis. If external, the secret sandbox-redis has `url`, and cidr is its network.",
    "webhooks": "The process that sends webhooks. It needs SANDBOX_WEBHOOK_SECRET in the secret sandbox-keys.",
    "gpu": "GPU workers, with a shared volume for models.",
    "keda": "Scale the workers by the queue's age. It needs KEDA and a Prometheus that scrapes the API.",
    "prometheusOperator": "Monitors and alerts for Prometheus Operator.",
}
_TYPES = {str: "string", bool: "boolean", int: "integer", list: "array"}
_FREE = {"settings", "resources", "nodeSelector"}  # maps whose keys the user chooses


def build_schema(value: Any, name: str = "") -> dict[str, Any]:
    """Return the JSON Schema of values like these. Unknown names are errors, except in maps with free keys."""
    if not isinstance(value, dict):
        return {"type": _TYPES[type(value)]}
    if name in _FREE:
        return {"type": "object", **({"additionalProperties": {"type": "string"}} if name == "settings" else {})}
    # Helm adds `global` to the values of every chart.
    top = {} if name else {"global": {"type": "object"}}
    properties = {key: build_schema(part, key) for key, part in value.items()}
    return {"type": "object", "additionalProperties": False, "properties": {**properties, **top}}
