"""Lend, return and replace boxes: the walls around a program, seen from the worker."""
