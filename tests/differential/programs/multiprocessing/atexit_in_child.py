# A multiprocessing child does not run its parent's exit handlers.
import atexit
import multiprocessing as mp
atexit.register(print, "atexit ran")
def f():
    print("child")
p = mp.Process(target=f)
p.start()
p.join()
print("parent")
