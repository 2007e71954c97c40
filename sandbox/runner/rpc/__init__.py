"""Remote procedure calls between a test and the program it tests, which run in different processes."""
