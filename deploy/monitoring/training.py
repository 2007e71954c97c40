"""The dashboard of training: rewards, generation and training on GPUs."""

from __future__ import annotations

from deploy.monitoring.objectives import select_slow_share
from deploy.monitoring.panels import Dashboard, Panel, plot_gauge, plot_rate
from deploy.monitoring.queries import GPU_TIME, QUANTILES, RATE, VERDICT_WAIT, quantile, rate, share

RL = Dashboard(
    "sandbox-rl",
    "Sandbox: RL and GPU",
    (
        (
            "Rewards",
            (
                plot_gauge(
                    "Mean reward",
                    "short",
                    "Mean reward of the latest POST /reward, by policy.",
                    "reward_mean",
                    "policy",
                ),
                Panel(
                    "Groups",
                    "percentunit",
                    "Groups of completions for one task, by outcome. A model learns nothing from a group in which all"
                    " completions pass or all fail.",
                    (
                        (
                            f"{rate('reward_groups_total', 'outcome')} / on() group_left() "
                            f"{rate('reward_groups_total')}",
                            "{{outcome}}",
                        ),
                    ),
                    "stacked",
                ),
                Panel(
                    "Pass rate",
                    "percentunit",
                    "Fraction of the completions that passed all their tests.",
                    (
                        (
                            share(
                                rate("reward_completions_total", where='outcome="pass"'),
                                rate("reward_completions_total"),
                            ),
                            "pass",
                        ),
                    ),
                ),
                Panel(
                    "Completions",
                    "ops",
                    "Completions per second by outcome. A lost completion got no reward because the service failed.",
                    ((rate("reward_completions_total", "outcome"), "{{outcome}}"),),
                    "stacked",
                ),
                Panel(
                    "Acceptance to result, lane rl",
                    "s",
                    "Quantiles of the time from acceptance to result in the lane rl.",
                    tuple((quantile(part, "end_to_end_seconds", where='lane="rl"'), name) for part, name in QUANTILES),
                    thresholds=((5, "bad"),),
                ),
                Panel(
                    "Slow verdicts, lane rl",
                    "percentunit",
                    "Fraction of the verdicts in the lane rl that took more than 5 s. The goal is at most 1 %.",
                    ((select_slow_share(RATE), "slow"),),
                    thresholds=((0.01, "bad"),),
                    alert="SandboxRlVerdictsSlow",
                ),
            ),
        ),
        (
            "Generation",
            (
                plot_rate(
                    "Tokens",
                    "Tokens per second that the generation servers read and generated.",
                    "gpu_tokens_total",
                    "direction",
                ),
                Panel(
                    "Requests in the servers",
                    "short",
                    "Requests that the generation servers process, and requests that wait.",
                    (
                        ("sum(sandbox_gpu_requests_running)", "running"),
                        ("sum(sandbox_gpu_requests_waiting)", "waiting"),
                    ),
                ),
                Panel(
                    "Key-value cache",
                    "percentunit",
                    "Used fraction of the key-value cache. Near 100 %, requests are delayed.",
                    (("max(sandbox_gpu_kv_cache_usage_ratio)", "used"),),
                ),
            ),
        ),
        (
            "Training",
            (
                plot_gauge("Loss", "short", "Training loss, by kind of job.", "gpu_training_loss", "kind"),
                Panel(
                    "Reward and pass rate",
                    "short",
                    "Reward and pass rate that the jobs report.",
                    (
                        ("max by (kind) (sandbox_gpu_job_reward)", "reward, {{kind}}"),
                        ("max by (kind) (sandbox_gpu_job_pass_ratio)", "pass rate, {{kind}}"),
                    ),
                ),
                plot_gauge("Step", "short", "Current training step, by kind of job.", "gpu_training_step", "kind"),
                plot_gauge(
                    "Tokens per second of jobs",
                    "short",
                    "Tokens per second that the jobs report, by kind of job.",
                    "gpu_job_tokens_per_second",
                    "kind",
                ),
                Panel(
                    "Where a step's time goes",
                    "percentunit",
                    "Fraction of the time spent generating, only waiting for verdicts, and updating weights.",
                    tuple(zip(GPU_TIME, ("generation", "verdict wait", "training"), strict=True)),
                    "stacked",
                ),
                Panel(
                    "Verdict wait",
                    "percentunit",
                    "Fraction of the steps' time in which GPUs waited for verdicts. The goal is less than 5 %.",
                    ((VERDICT_WAIT, "verdict wait"),),
                    thresholds=((0.05, "bad"),),
                    alert="SandboxVerdictsHoldUpGpus",
                ),
            ),
        ),
        (
            "Jobs",
            (
                plot_gauge(
                    "Running GPU jobs", "short", "GPU jobs that run now, by kind.", "gpu_jobs_running", "kind", "sum"
                ),
                Panel(
                    "Finished GPU jobs",
                    "short",
                    "GPU jobs that ended in the last hour, by kind and status.",
                    (("sum by (kind, status) (increase(sandbox_gpu_jobs_total[1h]))", "{{kind}} {{status}}"),),
                ),
            ),
        ),
    ),
)
