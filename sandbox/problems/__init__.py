"""Problem packages and data set rows as tasks: one importer a file, and one model, `Problem`."""
