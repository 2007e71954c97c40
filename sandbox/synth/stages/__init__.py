"""The stages of the synthesis pipeline, in the order of their use: features, tasks, inputs, solutions, votes, data set."""
