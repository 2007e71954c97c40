"""Training runs: the rewards, verdicts and latency of the reward requests that name a run."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

RUN_NAME_PATTERN = r"^[A-Za-z0-9][\w.:/@+=-]*$"
MAX_RUN_NAME_CHARS = 100
RunName = Annotated[str, Field(pattern=RUN_NAME_PATTERN, max_length=MAX_RUN_NAME_CHARS)]


class RunPoint(BaseModel):
    """One reward request of a run, or several consecutive ones combined."""

    step: int = Field(
        description="the request's `step`, or its number in the run; if combined, that of the last request"
    )
    at: float = Field(description="Unix time in seconds")
    completions: int
    reward: float | None = Field(description="mean reward of the completions that have one")
    verdicts: dict[str, int] = Field(
        description="number of completions by verdict; `no_code`: the completion has no code; `lost`: it has no reward"
    )
    took_s: float = Field(description="seconds from the request to its rewards; if combined, the mean")

    @property
    def rewarded(self) -> int:
        """The number of completions that have a reward."""
        return self.completions - self.verdicts.get("lost", 0)


class RunSummary(BaseModel):
    """A run in the list of runs."""

    id: str
    name: str
    started_at: float = Field(description="Unix time of the first reward request, in seconds")
    ended_at: float = Field(description="Unix time of the latest reward request")
    requests: int
    latest: RunPoint


class RunList(BaseModel):
    """The latest runs that the caller may see, latest first."""

    runs: list[RunSummary]


class Run(RunSummary):
    """A run with its history. If it has more requests than `points` allows, consecutive ones are combined."""

    points: list[RunPoint]
