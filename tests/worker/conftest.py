"""The fixtures of the queue's tests, for those of its worker."""

from tests.queue.conftest import *  # noqa: F403
