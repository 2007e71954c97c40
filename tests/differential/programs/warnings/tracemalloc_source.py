# A file that is freed without a close warns with the place of its allocation.
import tracemalloc
import warnings
tracemalloc.start(5)
warnings.simplefilter("always")
def f():
    open("x.txt", "w")
f()
