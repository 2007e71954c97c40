"""Run untrusted programs in resource-limited boxes and answer with verdicts and rewards."""

__version__ = "0.1.0"
