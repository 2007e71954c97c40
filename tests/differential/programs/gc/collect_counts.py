# A collection counts exactly the program's dead cycles.
import gc
gc.collect()
print(gc.collect())
class A: ...
for _ in range(5):
    a = A()
    a.me = a
del a
print(gc.collect(), gc.garbage)
