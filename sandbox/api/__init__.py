"""The REST API: parse a request, accept or refuse it, pass it to the service, and respond."""
