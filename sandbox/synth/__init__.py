"""Synthesis after SynthSmith (X-Coder, arXiv 2601.06953): from example programs to voted, filtered data sets.

The stages, each a file of JSON lines in a run's folder: features, evolved, tasks, inputs, solutions, votes, dataset/.
"""
