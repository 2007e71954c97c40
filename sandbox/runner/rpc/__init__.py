"""The conversation between a test and the program that it tests, which run in different processes."""
