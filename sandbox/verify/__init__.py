"""Judge outcomes: test cases, checkers, verdicts. Nothing in here runs a program or touches a network."""
