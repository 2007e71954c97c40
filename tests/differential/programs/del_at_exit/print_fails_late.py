# A finalizer of an object in sys.modules can still print at exit.
import sys
class A:
    def __del__(self, sys=sys):
        sys.__stderr__.write("late\n") if sys.__stderr__ else None
        print("print works late", flush=True)
sys.modules["holder"] = A()
print("end")
