# A cycle is freed at exit even if the collector is disabled.
import gc
gc.disable()
class A:
    def __del__(self):
        print("cycle freed at exit")
a = A()
a.me = a
del a
print("end")
