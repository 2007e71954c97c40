"""The routes of the REST API. Each parses, calls one method of the service, and answers."""
