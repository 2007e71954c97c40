"""Module docstring.

Second line.
"""
print(repr(__doc__))
