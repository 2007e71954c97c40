"""What a training process tells while it trains: a progress line a logged step, and where the time of a step went."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from transformers import TrainerCallback

from sandbox.gpu.folder import JobFolder
from sandbox.schema.gpu import Progress


def timing(folder: JobFolder, steps: int) -> dict[str, float]:
    """Seconds of a step, and of drawing and of waiting for verdicts within it: means, without the first step.

    The first step compiles and warms up; a training that was resumed has none.
    """
    lines, _ = folder.told(0)
    told = [line["more"] for line in lines if line.get("step", 0) > 1 and "step_s" in line.get("more", {})][:steps]
    if not told:
        return {}
    parts = {
        name: sum(line[name] for line in told) / len(told)
        for name in ("step_s", "generate_s", "verdict_s")
        if name in told[0]
    }
    if "verdict_s" in parts:
        parts["verdict_share"] = parts["verdict_s"] / parts["step_s"]
    early = [line["early_share"] for line in told if "early_share" in line]
    return parts | ({"early_share": sum(early) / len(early)} if early else {})


@dataclass
class RewardWatch:
    """Around a reward function: how long its verdicts took, what it gave, and how many answers were right in all."""

    reward: Callable[..., list[float | None]]
    full_marks: float
    waited_s: float = 0.0
    given: list[float] = field(default_factory=list)
    right: int = 0

    def __call__(self, *args: Any, **columns: Any) -> list[float | None]:
        began = time.perf_counter()
        rewards = self.reward(*args, **columns)
        self.waited_s += time.perf_counter() - began
        known = [reward for reward in rewards if reward is not None]
        self.given += known
        self.right += sum(reward >= self.full_marks for reward in known)
        return rewards

    def take(self) -> Rewards:
        """What was given since the last time this was asked."""
        taken = Rewards(self.waited_s, list(self.given), self.right)
        self.waited_s, self.given, self.right = 0.0, [], 0
        return taken


@dataclass(frozen=True, slots=True)
class Rewards:
    """Rewards of a step or of an evaluation; `right` counts those with full marks."""

    waited_s: float
    given: Sequence[float]
    right: int

    @property
    def mean(self) -> float | None:
        return sum(self.given) / len(self.given) if self.given else None

    @property
    def pass_rate(self) -> float | None:
        return self.right / len(self.given) if self.given else None


class Reporter(TrainerCallback):  # type: ignore[misc]  # torch and its kin are not there where types are checked
    """Writes a line into the job's folder for each logged step."""

    def __init__(self, folder: JobFolder, rewards: RewardWatch | None = None) -> None:
        self._folder = folder
        self._rewards = rewards
        self._began = time.monotonic()
        self._first_step = 0
        self._tokens_before = 0.0
        self._told_at = time.monotonic()
        self.generate_s = 0.0
        self.early_share: float | None = None
        self._step_began = time.perf_counter()
        self._step_s = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._began = self._told_at = time.monotonic()
        self._first_step = state.global_step

    def on_step_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._step_began = time.perf_counter()

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
        self._step_s += time.perf_counter() - self._step_began

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, Any] | None = None, **rest: Any) -> None:
        if logs is None or "loss" not in logs or not state.is_world_process_zero:
            return
        rewards = self._rewards.take() if self._rewards is not None else None
        progress = Progress(
            step=state.global_step,
            total=state.max_steps,
            loss=logs["loss"],
            reward=None if rewards is None else rewards.mean,
            pass_rate=None if rewards is None else rewards.pass_rate,
            tokens_per_s=self._speed(logs),
            eta_s=self._left_s(state.global_step, state.max_steps),
        )
        more: dict[str, Any] = {"learning_rate": logs.get("learning_rate"), "step_s": round(self._step_s, 4)}
        if rewards is not None:
            more |= {
                "generate_s": round(self.generate_s, 4),
                "verdict_s": round(rewards.waited_s, 4),
                "mean_length": logs.get("completions/mean_length"),
            }
        if self.early_share is not None:
            more["early_share"] = round(self.early_share, 4)
        self.generate_s = self._step_s = 0.0
        self._folder.tell(progress, **more)

    def _speed(self, logs: dict[str, Any]) -> float | None:
        now, tokens = time.monotonic(), float(logs.get("num_tokens") or 0.0)
        if not tokens:
            return None
        speed = (tokens - self._tokens_before) / max(1e-9, now - self._told_at)
        self._tokens_before, self._told_at = tokens, now
        return round(speed, 1)

    def _left_s(self, step: int, total: int) -> float | None:
        done = step - self._first_step
        return round((time.monotonic() - self._began) / done * (total - step), 1) if done else None
