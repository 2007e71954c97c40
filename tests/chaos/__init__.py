"""Faults injected into a running service under a steady load, and what must be true after each."""
