# A handler that an exit handler registers is not run.
import atexit
def a():
    print("a")
    atexit.register(print, "nested")
atexit.register(print, "oldest")
atexit.register(a)
