"""Lend, return and replace boxes: a program's isolation layers from the worker's point of view."""
