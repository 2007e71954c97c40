"""Load generators, workloads and the side-by-side benchmark; see `python -m loadtest --help`."""
