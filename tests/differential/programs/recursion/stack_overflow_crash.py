# Without a useful recursion limit, the C stack overflows with SIGSEGV.
import sys
print("start", flush=True)
sys.setrecursionlimit(10**8)
class A:
    def __getattr__(self, name):
        return getattr(self, name)
A().x
