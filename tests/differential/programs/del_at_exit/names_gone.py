# A finalizer at exit still sees the other global names.
import sys
helper = "still here"
class A:
    def __del__(self):
        print("helper" in globals(), globals().get("helper"), globals().get("sys") is None)
aaa = A()
zzz = 1
