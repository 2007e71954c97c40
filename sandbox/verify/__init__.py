"""Judge outcomes: test cases, checkers, verdicts. Nothing in this package runs a program or uses a network."""
