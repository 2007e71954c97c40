# Strings built at run time are not interned, and small integers are shared.
import sys
a = "".join(["some", "_", "thing_rare"])
b = "".join(["some", "_", "thing_rare"])
print(a is b, sys.intern(a) is sys.intern(b))
x, y = 256, int("256")
print(x is y, int("257") is int("257"))
