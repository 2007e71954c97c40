# A relative import of a named sibling fails in the main program.
from .sibling import x
