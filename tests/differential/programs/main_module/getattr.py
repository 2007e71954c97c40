# A module-level __getattr__ answers for attributes and for from-imports.
def __getattr__(name):
    return "dynamic " + name
import __main__
print(__main__.whatever)
from __main__ import another
print(another)
