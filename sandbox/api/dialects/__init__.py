"""Dialects: the wire formats of peer services. A dialect only translates; the service executes all programs."""
