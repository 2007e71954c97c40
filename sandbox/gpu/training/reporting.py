"""Report the progress of a training process: one line per logged step, with how long each part of the step took."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from transformers import TrainerCallback

from sandbox.gpu.job_dir import JobDir
from sandbox.gpu.training.reward_prefetch import EarlyShares
from sandbox.schema.gpu import Progress

# The part of a step that may pass with waiting for verdicts, and the step after which a warning comes if it is more.
WAIT_SHARE = 0.03
ADVICE_STEP = 5


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of the service, and the reserved workers besides them, which also take programs of a training."""

    normal: int = 0
    express: int = 0


def summarize_timing(job_dir: JobDir, steps: int, slots: Slots = Slots()) -> dict[str, float]:
    """Return mean times of a step: the total, generation and waiting for verdicts, in seconds.

    `verdict_share` is the part of the steps that waited for verdicts. `early_share` is the share of the verdicts that
    had arrived when the last completion of their step ended, `early_asked_share` the share that was under way. `slots`
    is the number of the service's slots, and `slots_needed` how many would wait for at most `WAIT_SHARE` of a step.

    Leaves out step 1, which compiles and warms up. Returns an empty mapping if no other step was measured.
    """
    lines, _ = job_dir.read_progress(0)
    records = [line["more"] for line in lines if line.get("step", 0) > 1 and "step_s" in line.get("more", {})][:steps]
    if not records:
        return {}
    parts = {
        name: sum(line[name] for line in records) / len(records)
        for name in ("step_s", "generate_s", "verdict_s")
        if name in records[0]
    }
    if "verdict_s" in parts:
        parts["verdict_share"] = parts["verdict_s"] / parts["step_s"]
        if slots.normal:
            needed = compute_slots_needed(slots, parts["verdict_share"])
            parts |= {"slots": slots.normal, "slots_needed": needed}
    for name in ("early_share", "early_asked_share"):
        shares = [line[name] for line in records if name in line]
        if shares:
            parts[name] = sum(shares) / len(shares)
    return parts


def compute_slots_needed(slots: Slots, verdict_share: float) -> int:
    """Return the slots with which waiting for verdicts takes at most `WAIT_SHARE` of a step.

    While the trainer waits, all slots are busy with the programs that ended last. Their CPU time is the number of slots
    times the wait, and spreads over any number of slots.
    """
    workers = math.ceil((slots.normal + slots.express) * verdict_share / WAIT_SHARE)
    return max(slots.normal, workers - slots.express)


def advise_slots(timing: Mapping[str, float]) -> str:
    """Return a warning if the service has too few slots for this training, otherwise an empty string."""
    slots, needed = timing.get("slots", 0), timing.get("slots_needed", 0)
    if needed <= slots:
        return ""
    return (
        f"{timing['verdict_share']:.0%} of each step waits for verdicts on {slots:.0f} slots; {needed:.0f} slots would"
        f" bring it to {WAIT_SHARE:.0%}"
    )


@dataclass
class RewardRecorder:
    """Wraps a reward function, and records its waiting time, its rewards and the number of correct completions."""

    reward_function: Callable[..., list[float | None]]
    max_reward: float
    waited_s: float = 0.0
    rewards: list[float] = field(default_factory=list)
    correct_count: int = 0

    def __call__(self, *args: Any, **columns: Any) -> list[float | None]:
        began = time.perf_counter()
        rewards = self.reward_function(*args, **columns)
        self.waited_s += time.perf_counter() - began
        known = [reward for reward in rewards if reward is not None]
        self.rewards += known
        self.correct_count += sum(reward >= self.max_reward for reward in known)
        return rewards

    def take_totals(self) -> RewardTotals:
        """Return the totals since the last call."""
        totals = RewardTotals(self.waited_s, list(self.rewards), self.correct_count)
        self.waited_s, self.rewards, self.correct_count = 0.0, [], 0
        return totals


@dataclass(frozen=True, slots=True)
class RewardTotals:
    """The rewards of a step or an evaluation; `correct_count` counts those with the maximum reward."""

    waited_s: float
    rewards: Sequence[float]
    correct_count: int

    @property
    def mean(self) -> float | None:
        return sum(self.rewards) / len(self.rewards) if self.rewards else None

    @property
    def pass_rate(self) -> float | None:
        return self.correct_count / len(self.rewards) if self.rewards else None


class ProgressReporter(TrainerCallback):  # type: ignore[misc]  # transformers is not installed where types are checked
    """Appends a progress line to the job's directory for each logged step."""

    def __init__(self, job_dir: JobDir, rewards: RewardRecorder | None = None, slots: Slots = Slots()) -> None:
        self._job_dir = job_dir
        self.slots = slots
        self._rewards = rewards
        self._started_at = time.monotonic()
        self._first_step = 0
        self._tokens_before = 0.0
        self._reported_at = time.monotonic()
        self.generate_s = 0.0
        self.early: EarlyShares | None = None
        self._step_started_at = time.perf_counter()
        self._step_s = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._started_at = self._reported_at = time.monotonic()
        self._first_step = state.global_step

    def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._step_started_at = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._step_s += time.perf_counter() - self._step_started_at
        if state.global_step >= state.max_steps:
            control.should_save = False  # the trained model is saved next; a checkpoint is six times as large

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **rest: Any) -> None:
        if logs is None or "loss" not in logs or not state.is_world_process_zero:
            return
        rewards = self._rewards.take_totals() if self._rewards is not None else None
        progress = Progress(
            step=state.global_step,
            total=state.max_steps,
            loss=logs["loss"],
            reward=None if rewards is None else rewards.mean,
            pass_rate=None if rewards is None else rewards.pass_rate,
            tokens_per_s=self._compute_tokens_per_s(logs),
            eta_s=self._compute_eta_s(state.global_step, state.max_steps),
        )
        more: dict[str, Any] = {"learning_rate": logs.get("learning_rate"), "step_s": round(self._step_s, 4)}
        if rewards is not None:
            more |= {
                "generate_s": round(self.generate_s, 4),
                "verdict_s": round(rewards.waited_s, 4),
                "mean_length": logs.get("completions/mean_length"),
            }
        if self.early is not None:
            more |= {
                "early_share": round(self.early.answered, 4),
                "early_asked_share": round(self.early.asked, 4),
            }
        self.generate_s = self._step_s = 0.0
        self._job_dir.append_progress(progress, **more)
        if state.global_step == ADVICE_STEP and (
            advice := advise_slots(summarize_timing(self._job_dir, ADVICE_STEP, self.slots))
        ):
            self._job_dir.append_progress(Progress(step=ADVICE_STEP, total=state.max_steps, message=advice))

    def _compute_tokens_per_s(self, logs: dict[str, Any]) -> float | None:
        now, tokens = time.monotonic(), float(logs.get("num_tokens") or 0.0)
        if not tokens:
            return None
        speed = (tokens - self._tokens_before) / max(1e-9, now - self._reported_at)
        self._tokens_before, self._reported_at = tokens, now
        return round(speed, 1)

    def _compute_eta_s(self, step: int, total: int) -> float | None:
        done = step - self._first_step
        return round((time.monotonic() - self._started_at) / done * (total - step), 1) if done else None
