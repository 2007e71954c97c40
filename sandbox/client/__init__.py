"""A client of the REST API, sync and async, with the service's method names and its exceptions.

    with Client("http://127.0.0.1:8080") as client:
        result = client.verify({"language": "python", "code": code, "tests": [{"stdin": "1\\n", "expected": "1\\n"}]})

Where the service has API keys, `api_key` is the client's, by default the environment's SANDBOX_API_KEY. Requests are
the models of `sandbox.schema` or mappings of the same shape. What the API refuses for now (503, 429) and
connections that fail are tried again; a program that was sent twice that way ran twice, and that harms nothing.
"""

from sandbox.client.aio import AsyncClient
from sandbox.client.connection import DEFAULT_URL
from sandbox.client.protocol import JobEvent, Program, Retries, Submission
from sandbox.client.sync import Client

__all__ = ["DEFAULT_URL", "AsyncClient", "Client", "JobEvent", "Program", "Retries", "Submission"]
