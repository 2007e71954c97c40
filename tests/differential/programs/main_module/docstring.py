# The module's docstring is kept with its blank line.
"""Module docstring.

Second line.
"""
print(repr(__doc__))
