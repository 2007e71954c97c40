"""The stages of the synthesis pipeline: features, tasks, inputs, solutions, votes and the data set."""
