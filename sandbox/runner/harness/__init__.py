"""Run assert tests and test files inside a box."""
