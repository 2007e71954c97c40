"""Start a box in Linux namespaces, for the local engine."""
