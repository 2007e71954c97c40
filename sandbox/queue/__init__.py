"""The queue on Redis: job batches in lanes, the results that come back, and what is stored for later."""
