# The value of a context variable is not finalized at exit.
import contextvars
class A:
    def __del__(self, print=print):
        print("del contextvar value")
v = contextvars.ContextVar("v")
v.set(A())
print("end")
