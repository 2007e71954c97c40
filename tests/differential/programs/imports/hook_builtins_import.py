# A replaced __import__ sees each import, nested ones too.
import builtins
real = builtins.__import__
def fake(name, *a, **k):
    print("import", name)
    return real(name, *a, **k)
builtins.__import__ = fake
import keyword
from bisect import insort
builtins.__import__ = real
