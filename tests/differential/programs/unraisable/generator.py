# An error in a generator that is freed reaches the unraisable hook.
def gen():
    try:
        yield
    finally:
        raise ValueError("closing")
import sys
sys.unraisablehook = lambda u: print("hook", u.exc_value, type(u.object).__name__)
g = gen()
next(g)
del g
print("end")
