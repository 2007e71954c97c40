import sys
class A:
    def __del__(self, fin=sys.is_finalizing):
        print("finalizing", fin())
a = A()
b = A()
del b
