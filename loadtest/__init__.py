"""The benchmark: load generators, workloads and side-by-side comparison. See `python -m loadtest --help`."""
