"""What the service tells Prometheus; the only room that imports its client."""
