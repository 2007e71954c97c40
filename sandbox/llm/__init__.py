"""Clients of OpenAI-compatible model servers."""
