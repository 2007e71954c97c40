# A value leaves a weak dictionary with its last reference.
import weakref
class A:
    pass
d = weakref.WeakValueDictionary()
a = d["k"] = A()
print(len(d))
del a
print(len(d), list(d))
