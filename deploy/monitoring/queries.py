"""Prometheus queries that dashboards and alerts share."""

from __future__ import annotations

import re

from sandbox.telemetry.definitions import METRICS

RATE = "$__rate_interval"
_SELECTOR = re.compile(r"\b((?:sandbox|process)_\w+)(?:\{([^}]*)\})?")


def rate(metric: str, *by: str, where: str = "") -> str:
    selected = f"rate(sandbox_{metric}{{{where}}}[{RATE}])" if where else f"rate(sandbox_{metric}[{RATE}])"
    return f"sum by ({', '.join(by)}) ({selected})" if by else f"sum({selected})"


def quantile(part: float, metric: str, *by: str, where: str = "") -> str:
    return f"histogram_quantile({part:g}, {rate(f'{metric}_bucket', 'le', *by, where=where)})"


def mean(metric: str) -> str:
    return f"{rate(f'{metric}_sum')} / {rate(f'{metric}_count')}"


def share(part: str, whole: str) -> str:
    return f"({part} or vector(0)) / {whole}"


QUANTILES = ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
SATURATION = rate("slot_busy_seconds_total", where='role="slot"') + ' / sum(sandbox_slots{role="slot",state!="dead"})'
INTERNAL_ERRORS = share(rate("verdicts_total", where='verdict="internal_error"'), rate("verdicts_total"))
SERVER_ERRORS = share(rate("http_requests_total", where='status=~"5..",status!~"503|511"'), rate("http_requests_total"))
MIXED = share(rate("reward_groups_total", where='outcome="mixed"'), rate("reward_groups_total"))
LOST_SESSIONS = share(rate("sessions_ended_total", where='status="lost"'), rate("sessions_ended_total"))
GPU_TIME = tuple(rate(f"gpu_{name}_seconds_total") for name in ("generation", "verdict_wait", "training"))
VERDICT_WAIT = f"{GPU_TIME[1]} / ({' + '.join(GPU_TIME)})"


def select_variables(query: str) -> str:
    """Limit each selector of a query to the dashboard's `$instance` and, if it has that label, to its `$lane`."""
    lanes = {metric.name for metric in METRICS if "lane" in metric.labels}

    def add(found: re.Match[str]) -> str:
        name, matchers = found[1], found[2] or ""
        added = ['instance=~"$instance"']
        if re.sub(r"_(bucket|sum|count)$", "", name) in lanes and "lane=" not in matchers:
            added.append('lane=~"$lane"')
        return f"{name}{{{','.join([*([matchers] if matchers else []), *added])}}}"

    return _SELECTOR.sub(add, query)
