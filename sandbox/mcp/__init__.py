"""A server of the Model Context Protocol. It is a client of the REST API, and runs nothing itself.

Importing this package loads the `mcp` SDK, an optional dependency; only `sandbox mcp` does so.
"""
