"""The row of sessions: how many are open, how fast they answer, and how many are lost."""

from __future__ import annotations

from deploy.monitoring.panels import Panel
from deploy.monitoring.queries import QUANTILES, quantile, rate

SESSIONS = (
    "Sessions",
    (
        Panel(
            "Open sessions",
            "short",
            "Open sessions by language, and the live session hosts. Forks count.",
            (
                ("sum by (language) (sandbox_sessions_open)", "{{language}}"),
                ("max(sandbox_session_hosts)", "hosts"),
            ),
        ),
        Panel(
            "Sessions opened and ended",
            "ops",
            "Sessions opened and ended per second. A lost session ended by a failure. Forks count only when they end.",
            (
                (rate("sessions_opened_total"), "opened"),
                (rate("sessions_ended_total", "status"), "{{status}}"),
            ),
        ),
        Panel(
            "Wait for a session",
            "s",
            "Quantiles of the time from a request for a session until it is open. It grows if places or boxes run out.",
            tuple((quantile(part, "session_open_wait_seconds"), name) for part, name in QUANTILES),
        ),
        Panel(
            "Calls by status",
            "ops",
            "Calls per second that ended, by status. An error is an exception of the code.",
            ((rate("session_calls_total", "status"), "{{status}}"),),
            "stacked",
        ),
        Panel(
            "Call duration",
            "s",
            "Quantiles of the duration of a call in its session host.",
            tuple((quantile(part, "session_call_seconds"), name) for part, name in QUANTILES),
        ),
        Panel(
            "Forks",
            "ops",
            "Sessions per second that were made by forking another.",
            ((rate("session_forks_total"), "forks"),),
        ),
        Panel(
            "Fork duration",
            "s",
            "Quantiles of the duration of one request for forks.",
            tuple((quantile(part, "session_fork_seconds"), name) for part, name in QUANTILES),
        ),
        Panel(
            "Session boxes",
            "short",
            "Boxes that sessions use, and warm boxes that wait for one. A session and its forks share a box.",
            (("sum by (state) (sandbox_session_boxes)", "{{state}}"),),
            "stacked",
        ),
    ),
)
