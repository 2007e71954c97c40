"""The fixtures of the queue's tests, for the tests of the worker."""

from tests.queue.conftest import *  # noqa: F403
