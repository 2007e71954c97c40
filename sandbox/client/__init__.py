"""A client of the REST API, sync and async, that raises the exceptions of `sandbox.errors`.

    with Client() as client:
        result = client.verify(language="python", code=code, tests=[{"stdin": "1\\n", "expected": "1\\n"}])

The environment variables SANDBOX_URL and SANDBOX_API_KEY name the service and the key, unless the arguments do. A
request is a model of `sandbox.schema`, a mapping of the same shape, or keyword arguments. The client retries
connections that fail and requests that the service refuses (503, 429). A retried program may run twice, which does no
harm.
"""

from sandbox.client.aio import AsyncClient
from sandbox.client.connection import DEFAULT_URL
from sandbox.client.protocol import Program, Submission
from sandbox.client.retries import Retries
from sandbox.client.streams import JobEvent
from sandbox.client.sync import Client

__all__ = ["DEFAULT_URL", "AsyncClient", "Client", "JobEvent", "Program", "Retries", "Submission"]
