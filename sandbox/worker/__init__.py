"""The worker process: it owns one slot of warm boxes, takes batches from the queue and writes results."""
