import tracemalloc
import warnings
tracemalloc.start(5)
warnings.simplefilter("always")
def f():
    open("x.txt", "w")
f()
