"""Problem packages and data set rows as tasks: one importer per file, and one model, `Problem`."""
