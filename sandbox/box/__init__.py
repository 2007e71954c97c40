"""Boxes as the worker sees them: isolated environments that it lends to programs, takes back and replaces."""
