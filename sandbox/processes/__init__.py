"""Start, supervise and check the service's processes on one machine."""
