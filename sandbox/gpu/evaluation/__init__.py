"""Evaluation jobs: benchmarks, pass@k and their plot."""
