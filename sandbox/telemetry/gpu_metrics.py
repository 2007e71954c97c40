"""The metrics of a GPU worker: its jobs, their progress, and the metrics of their generation servers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from prometheus_client.parser import text_string_to_metric_families

from sandbox.gpu.observer import GpuObserver
from sandbox.schema.gpu import Progress
from sandbox.telemetry import definitions
from sandbox.telemetry.definitions import Metric
from sandbox.telemetry.registry import MetricsRegistry

# Names from vLLM (https://docs.vllm.ai/en/latest/design/metrics.html), including the one of older versions.
RUNNING_METRIC = "vllm:num_requests_running"
WAITING_METRIC = "vllm:num_requests_waiting"
KV_CACHE_METRICS = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
TOKEN_METRICS = {"vllm:prompt_tokens_total": "prompt", "vllm:generation_tokens_total": "completion"}
# The times that a training process reports for a step, in seconds, and their metrics.
TIME_METRICS = {"generate_s": definitions.GPU_GENERATION_SECONDS, "verdict_s": definitions.GPU_VERDICT_WAIT_SECONDS}


class GpuMetrics(GpuObserver):
    """One GPU worker's metrics."""

    def __init__(self, registry: MetricsRegistry) -> None:
        self._registry = registry
        self._tokens_before: dict[tuple[int, str], float] = {}

    def record_start(self, kind: str) -> None:
        self._registry.gauge(definitions.GPU_JOBS_RUNNING, kind).inc()

    def record_end(self, kind: str, status: str) -> None:
        self._registry.gauge(definitions.GPU_JOBS_RUNNING, kind).dec()
        self._registry.counter(definitions.GPU_JOBS, kind, status).inc()

    def record_progress(self, kind: str, progress: Progress) -> None:
        gauges = (
            (definitions.GPU_LOSS, progress.loss),
            (definitions.GPU_REWARD, progress.reward),
            (definitions.GPU_PASS_RATE, progress.pass_rate),
            (definitions.GPU_JOB_SPEED, progress.tokens_per_s),
        )
        self._registry.gauge(definitions.GPU_STEP, kind).set(progress.step)
        for metric, value in gauges:
            if value is not None:
                self._registry.gauge(metric, kind).set(value)

    def record_step_times(self, seconds: Mapping[str, float | None]) -> None:
        """Record the time of some training steps, by part: `generate_s` and `verdict_s`. `step_s` includes both."""
        known = {name: value for name, value in seconds.items() if isinstance(value, int | float) and value > 0}
        for name, metric in TIME_METRICS.items():
            self._registry.counter(metric).inc(known.get(name, 0.0))
        training_s = known.get("step_s", 0.0) - known.get("generate_s", 0.0) - known.get("verdict_s", 0.0)
        self._registry.counter(definitions.GPU_TRAINING_SECONDS).inc(max(0.0, training_s))

    def record_server_metrics(self, texts: Sequence[str]) -> None:
        """Record the `/metrics` responses of this worker's generation servers. Without servers, there are none."""
        found = [_parse_samples(text) for text in texts]
        self._set_sum(definitions.GPU_RUNNING, [one.get(RUNNING_METRIC, 0.0) for one in found])
        self._set_sum(definitions.GPU_WAITING, [one.get(WAITING_METRIC, 0.0) for one in found])
        used = [one[name] for one in found for name in KV_CACHE_METRICS if name in one]
        self._registry.gauge(definitions.GPU_KV_CACHE).set(max(used, default=0.0))
        for server, one in enumerate(found):
            for name, direction in TOKEN_METRICS.items():
                self._count_tokens(server, direction, one.get(name, 0.0))

    def _set_sum(self, metric: Metric, values: Sequence[float]) -> None:
        self._registry.gauge(metric).set(sum(values))

    def _count_tokens(self, server: int, direction: str, now: float) -> None:
        """Add new tokens to the counter. A server that restarted counts from zero again."""
        before = self._tokens_before.get((server, direction), 0.0)
        self._tokens_before[server, direction] = now
        self._registry.counter(definitions.GPU_TOKENS, direction).inc(now - before if now >= before else now)


def _parse_samples(text: str) -> dict[str, float]:
    """Return a server's values by name, summed over its models; empty if the text is not in the metrics format."""
    found: dict[str, float] = {}
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name.startswith("vllm:"):
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
    except ValueError:
        return {}
    return found
