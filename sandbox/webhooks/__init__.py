"""Webhooks: the queue of requests to send, and the process that sends them."""
