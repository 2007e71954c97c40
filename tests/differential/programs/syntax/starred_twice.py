# Two starred targets in one assignment are an error.
*a, *b = [1, 2]
