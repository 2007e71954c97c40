"""The service level objective: 99 % of the verdicts in the lane rl exist within five seconds of acceptance.

An alert fires if the share of slow verdicts would use up the error budget too early. Each compares a long window, so
that a short peak does not fire it, and a short one, so that it ends soon after the cause has ended. The windows and
factors are those of https://sre.google/workbook/alerting-on-slos/.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from deploy.monitoring.alert_rule import Alert

OBJECTIVE = 0.99
WITHIN_S = 5
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")

_WITHIN = f'sandbox_end_to_end_seconds_bucket{{lane="rl",le=~"{WITHIN_S}(\\\\.0)?"}}'
_ALL = 'sandbox_end_to_end_seconds_count{lane="rl"}'


class _BurnRate(NamedTuple):
    """A factor by which the budget is used up too fast, in both windows."""

    factor: float
    long: str
    short: str
    severity: Literal["page", "ticket"]
    name: str
    budget_ends: str


_BURN_RATES = (
    _BurnRate(14.4, "1h", "5m", "page", "SandboxRlVerdictsVerySlow", "two days"),
    _BurnRate(6, "6h", "30m", "page", "SandboxRlVerdictsSlow", "five days"),
    _BurnRate(3, "1d", "2h", "ticket", "SandboxRlVerdictsSlowToday", "ten days"),
    _BurnRate(1, "3d", "6h", "ticket", "SandboxRlVerdictsSlowThisWeek", "a month"),
)
_RUNBOOK = (
    "The panel Slow verdicts of the dashboard RL and GPU shows when it began. If submissions of the lane rl wait (panel"
    " Queue age), add slots or hosts, or send other work with priority bulk. If they do not wait, the panel Where the"
    " time goes shows which phase has become slower. Slow boxes point to the engine: run `sandbox doctor`. Slow runs"
    " point to the programs and their time limits."
)


def select_slow_share(window: str) -> str:
    """Return the query for the share of verdicts in the lane rl that took longer than the objective allows."""
    return f"1 - sum(rate({_WITHIN}[{window}])) / sum(rate({_ALL}[{window}]))"


def build_recording_rules() -> list[dict[str, Any]]:
    """Return one rule for each window, which the alerts use."""
    return [{"record": _name_record(window), "expr": select_slow_share(window)} for window in WINDOWS]


def _name_record(window: str) -> str:
    return f"sandbox:rl_slow_verdicts:ratio_rate{window}"


def _build_alert(burn: _BurnRate) -> Alert:
    limit = round(burn.factor * (1 - OBJECTIVE), 4)
    return Alert(
        burn.name,
        burn.severity,
        _name_record(burn.long),
        f"> {limit} and {_name_record(burn.short)} > {limit}",
        "0m",
        f"More than {100 * limit:g} % of the verdicts in the lane rl take longer than {WITHIN_S} s: a month's error"
        f" budget lasts {burn.budget_ends}.",
        _RUNBOOK,
    )


ALERTS = tuple(map(_build_alert, _BURN_RATES))
