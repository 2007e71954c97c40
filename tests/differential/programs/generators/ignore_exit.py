# A generator that ignores GeneratorExit raises RuntimeError.
import sys
def gen():
    while True:
        try:
            yield 1
        except GeneratorExit:
            print("refuses")
sys.unraisablehook = lambda u: print(u.exc_value)
g = gen()
next(g)
try:
    g.close()
except RuntimeError as e:
    print(e)
