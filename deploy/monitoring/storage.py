"""The rows about storage and API keys: Redis, disks, and what each key uses."""

from __future__ import annotations

from deploy.monitoring.panels import Panel, plot_rate

STORAGE = (
    "Storage",
    (
        Panel(
            "Memory of Redis",
            "bytes",
            "Memory that Redis uses, and its limit. From 75 % of the limit, no durable work is accepted; from 90 %, no"
            " work.",
            (("max by (state) (sandbox_redis_memory_bytes)", "{{state}}"),),
        ),
        Panel(
            "Append-only file",
            "short",
            "Whether Redis can write its append-only file. Without that file, a restart of Redis loses accepted jobs.",
            (
                (
                    'max(sandbox_redis_append_only{state="ok"}) + 2 * max(sandbox_redis_append_only{state="off"})'
                    ' + 3 * max(sandbox_redis_append_only{state="unknown"})',
                    "",
                ),
            ),
            "number",
            words=(("0", "Failing", "bad"), ("1", "Ok", "good"), ("2", "Off", "time"), ("3", "Unknown", "skipped")),
            alert="SandboxRedisAppendOnlyFails",
        ),
        Panel(
            "Size of the append-only file",
            "bytes",
            "Redis rewrites the file when it has doubled.",
            (("max(sandbox_redis_append_only_file_bytes)", "size"),),
        ),
        Panel(
            "Free disk",
            "percentunit",
            "Free fraction of the file systems of the home directory and of the Docker engine's data, on the fullest"
            " host.",
            (
                (
                    'min by (place) (sandbox_disk_bytes{state="free"} / ignoring(state)'
                    ' sandbox_disk_bytes{state="total"})',
                    "{{place}}",
                ),
            ),
            alert="SandboxDiskFull",
        ),
    ),
)
KEYS = (
    "API keys",
    (
        plot_rate("Programs by key", "Programs accepted per second, by API key.", "key_programs_total", "key"),
        Panel(
            "Slots used by key",
            "short",
            "How many slots each API key keeps busy.",
            (("sum by (key) (rate(sandbox_key_busy_seconds_total[$__rate_interval]))", "{{key}}"),),
            "stacked",
        ),
        plot_rate("Refused by key", "Submissions refused per second, by API key.", "key_refused_total", "key"),
    ),
)
