"""Calls to OpenAI-compatible model servers."""
