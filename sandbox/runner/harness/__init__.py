"""What runs assert tests and test files inside a box."""
