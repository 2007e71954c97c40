"""Evaluation jobs: benchmarks, pass@k and a plot of the scores."""
