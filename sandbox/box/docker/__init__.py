"""Run boxes as Docker containers."""
