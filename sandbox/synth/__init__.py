"""Data synthesis after SynthSmith (X-Coder, arXiv 2601.06953): from example programs to voted, filtered data sets.

Each stage writes a file of JSON lines to the run's folder: features, evolved, tasks, inputs, solutions, votes,
dataset/.
"""
