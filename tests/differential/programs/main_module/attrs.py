# __spec__, __package__, __doc__ and the loader of __main__ are those of a script.
import sys
print(__name__, __spec__, __package__, __cached__, __doc__)
print(type(__loader__).__module__, type(__loader__).__name__)
print(type(__builtins__).__name__, __builtins__.__name__)
print(__annotations__)
