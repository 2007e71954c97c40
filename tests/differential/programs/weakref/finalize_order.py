# Finalizers run when an object dies, and the rest at exit, newest first.
import weakref
class A: ...
objs = [A() for _ in range(4)]
for i, o in enumerate(objs):
    weakref.finalize(o, print, "finalize", i)
del objs[2]
del o
print("end")
