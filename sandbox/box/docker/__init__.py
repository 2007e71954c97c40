"""Boxes as Docker containers."""
