"""The routes of the REST API. Each one parses its request, calls one method of the service, and responds."""
