"""Environments: images that extend a standard one with packages and files that an administrator chooses.

The name of such an image is `<base image>+<content id>`. It is a valid image for `Engine.start` once `ensure` of the
host's `EnvironmentImages` has returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from sandbox.errors import EnvironmentFailed

SEPARATOR = "+"
NO_IMAGES = "environments need the Docker engine, and this worker uses the local engine"

BuildOutcome = Literal["built", "failed"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an environment adds to a base image. `id` identifies the content: equal content has an equal id."""

    id: str
    base: str
    pip: tuple[str, ...] = ()
    apt: tuple[str, ...] = ()
    files: Mapping[str, bytes] | None = None

    @property
    def image(self) -> str:
        return f"{self.base}{SEPARATOR}{self.id}"


def is_environment(image: str) -> bool:
    return SEPARATOR in image


def get_base(image: str) -> str:
    """Return the base of an environment's image. Any other image is its own base."""
    return image.partition(SEPARATOR)[0]


class EnvironmentBusy(Exception):
    """This host does not have the image now. Not an error: whoever needs the image tries again later."""


class BuildObserver(Protocol):
    """Is called after each build with its outcome and duration in seconds."""

    def __call__(self, outcome: BuildOutcome, seconds: float) -> None: ...


def ignore_build(outcome: BuildOutcome, seconds: float) -> None:
    """Observe nothing."""


class EnvironmentImages(Protocol):
    """The images of environments on one host."""

    def ensure(self, recipe: Recipe, wait: bool = True) -> float:
        """Build the image of an environment if the host does not have it, and return how long that took in seconds.

        Raises EnvironmentFailed or EngineUnavailable. Raises EnvironmentBusy if another process builds the image,
        unless `wait` is set.
        """

    def has(self, recipe: Recipe) -> bool:
        """Return whether the host has the image of an environment, and record its use. Raises EngineUnavailable."""


class NoEnvironmentImages:
    """Implements `EnvironmentImages` for an engine without images."""

    def ensure(self, recipe: Recipe, wait: bool = True) -> float:
        raise EnvironmentFailed(NO_IMAGES)

    def has(self, recipe: Recipe) -> bool:
        return False
