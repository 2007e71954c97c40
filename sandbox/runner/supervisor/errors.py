"""The exception that ends a box."""

from __future__ import annotations


class BoxBroken(Exception):
    """Raised if the box can no longer be trusted. The supervisor exits, and the worker creates a new box."""
