# An unraisable hook that fails is reported.
import sys
class Hook:
    def __call__(self, u):
        raise RuntimeError("hook broke")
    def __repr__(self):
        return "<Hook>"
sys.unraisablehook = Hook()
class A:
    def __del__(self):
        1 / 0
A()
print("end")
