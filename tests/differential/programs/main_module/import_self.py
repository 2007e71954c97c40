# __main__ is the running module, and its dictionary is the globals.
import sys
import __main__
print(__main__ is sys.modules["__main__"], __main__.__dict__ is globals())
__main__.z = 5
print(z, __main__.__name__, type(__main__).__name__)
