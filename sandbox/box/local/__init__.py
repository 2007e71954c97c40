"""Run boxes as processes in Linux namespaces, for machines without Docker."""
